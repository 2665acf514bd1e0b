//! Formats the status line that `systemctl status` shows.

use super::progress::ServiceProgress;
use paddock_runtime::RuntimeSnapshot;
use paddock_scheduler::ModelStatus;

/// The counts of a status line. Requests in flight are shown only while the service stops: otherwise the runtime is not
/// notified of requests to loaded models.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct StatusCounts {
    models: usize,
    loaded: usize,
    loading: usize,
    failed: usize,
    /// Requests that wait in paddock's queue.
    waiting: u64,
    /// Accurate only while the service stops, when the end of each request is reported.
    in_flight: u64,
}

impl StatusCounts {
    pub(super) fn from_view(view: &RuntimeSnapshot) -> Self {
        let mut counts = Self::default();
        for look in view.models.iter().map(|model| &model.scheduling) {
            counts.models += 1;
            counts.waiting += look.queued as u64;
            counts.in_flight += u64::from(look.in_flight);
            match look.status {
                ModelStatus::Ready | ModelStatus::Draining => counts.loaded += 1,
                ModelStatus::Waiting | ModelStatus::Loading => counts.loading += 1,
                ModelStatus::Failed => counts.failed += 1,
                ModelStatus::Unloaded | ModelStatus::Stopping => {}
            }
        }
        counts
    }

    /// Formats the counts as one line.
    pub(super) fn to_line(self, progress: ServiceProgress) -> String {
        if progress.stopping.is_some() {
            return match self.in_flight {
                0 => "stopping".to_owned(),
                count => format!("stopping, {} in flight", count_requests(count)),
            };
        }
        let mut parts = vec![format!(
            "{} of {} loaded",
            self.loaded,
            count_models(self.models)
        )];
        for (count, status) in [(self.loading, "loading"), (self.failed, "failed")] {
            if count > 0 {
                parts.push(format!("{count} {status}"));
            }
        }
        if self.waiting > 0 {
            parts.push(format!("{} waiting", count_requests(self.waiting)));
        }
        let line = parts.join(", ");
        if progress.refused {
            return line + "; the new configuration was not applied, see the log";
        }
        line
    }
}

fn count_models(count: usize) -> String {
    format!("{count} model{}", if count == 1 { "" } else { "s" })
}

fn count_requests(count: u64) -> String {
    format!("{count} request{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[test]
    fn the_line_says_what_there_is_and_leaves_out_what_there_is_not() {
        let seven = StatusCounts {
            models: 7,
            ..StatusCounts::default()
        };
        let busy = StatusCounts {
            loaded: 2,
            loading: 1,
            failed: 3,
            waiting: 1,
            in_flight: 9,
            ..seven
        };
        let mut refused = ServiceProgress::default();
        refused.refused = true;
        let mut stopping = refused;
        stopping.stopping = Some(Instant::now());
        let one = StatusCounts {
            models: 1,
            loaded: 1,
            waiting: 2,
            in_flight: 1,
            ..StatusCounts::default()
        };
        let usual = ServiceProgress::default();
        for (counts, progress, expected) in [
            (seven, usual, "0 of 7 models loaded"),
            (
                busy,
                usual,
                "2 of 7 models loaded, 1 loading, 3 failed, 1 request waiting",
            ),
            (one, usual, "1 of 1 model loaded, 2 requests waiting"),
            (
                seven,
                refused,
                "0 of 7 models loaded; the new configuration was not applied, see the log",
            ),
            (seven, stopping, "stopping"),
            (busy, stopping, "stopping, 9 requests in flight"),
            (one, stopping, "stopping, 1 request in flight"),
        ] {
            assert_eq!(counts.to_line(progress), expected);
        }
    }
}
