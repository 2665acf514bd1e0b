use super::course::Course;
use paddock_runtime::RuntimeSnapshot;
use paddock_scheduler::ModelStatus;

/// What the line of status counts. Requests that go straight to a loaded model are not among it: nobody
/// hears of them, so that a warm request costs no message.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    models: usize,
    loaded: usize,
    loading: usize,
    failed: usize,
    waiting: u64,
    /// Known while the service stops, for then every one that ends is told of.
    in_flight: u64,
}

impl Counts {
    pub(super) fn of(view: &RuntimeSnapshot) -> Self {
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

    /// Says it in one line.
    pub(super) fn line(self, course: Course) -> String {
        if course.stopping.is_some() {
            return match self.in_flight {
                0 => "stopping".to_owned(),
                count => format!("stopping, {} in flight", requests(count)),
            };
        }
        let mut parts = vec![format!("{} of {} loaded", self.loaded, models(self.models))];
        for (number, what) in [(self.loading, "loading"), (self.failed, "failed")] {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        if self.waiting > 0 {
            parts.push(format!("{} waiting", requests(self.waiting)));
        }
        let line = parts.join(", ");
        if course.refused {
            return line + "; the configuration that was read last is not valid, see the log";
        }
        line
    }
}

fn models(count: usize) -> String {
    format!("{count} model{}", if count == 1 { "" } else { "s" })
}

fn requests(count: u64) -> String {
    format!("{count} request{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[test]
    fn the_line_says_what_there_is_and_leaves_out_what_there_is_not() {
        let seven = Counts {
            models: 7,
            ..Counts::default()
        };
        let busy = Counts {
            loaded: 2,
            loading: 1,
            failed: 3,
            waiting: 1,
            in_flight: 9,
            ..seven
        };
        let mut refused = Course::default();
        refused.refused = true;
        let mut stopping = refused;
        stopping.stopping = Some(Instant::now());
        let one = Counts {
            models: 1,
            loaded: 1,
            waiting: 2,
            in_flight: 1,
            ..Counts::default()
        };
        let usual = Course::default();
        for (counts, course, expected) in [
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
                "0 of 7 models loaded; the configuration that was read last is not valid, see the log",
            ),
            (seven, stopping, "stopping"),
            (busy, stopping, "stopping, 9 requests in flight"),
            (one, stopping, "stopping, 1 request in flight"),
        ] {
            assert_eq!(counts.line(course), expected);
        }
    }
}
