//! Describes for people the failure of a child (a llama-server process) and the decision to restart it or not.

use super::journal::format_clock;
use paddock_supervisor::FailureClass;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Consecutive failures: no child in between ran long enough to count as stable.
#[derive(Debug, Default)]
pub(crate) struct FailureStreak {
    count: u32,
    first: Option<Instant>,
}

impl FailureStreak {
    /// Counts one more failure, and returns the number of failures and the time since the first. With `is_first`, when
    /// no restart of the budget was used before, the count begins anew.
    pub(super) fn add(&mut self, is_first: bool, now: Instant) -> (u32, Duration) {
        if is_first {
            *self = Self::default();
        }
        self.count = self.count.saturating_add(1);
        (self.count, now - *self.first.get_or_insert(now))
    }
}

/// A child's failure and the restart decision.
#[derive(Debug, Clone)]
pub(super) struct ChildFailure {
    pub(super) class: FailureClass,
    pub(super) message: String,
    /// Number of consecutive failures, and the time since the first.
    pub(super) streak: (u32, Duration),
    pub(super) decision: RestartDecision,
}

/// The reaction to a failed child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartDecision {
    /// Another child starts at `at`; `left` restarts remain after it.
    Restart { at: SystemTime, left: u32 },
    /// The circuit breaker is open; one child is tried when it closes.
    BreakerOpen { until: SystemTime },
    /// The scheduler decides about another attempt.
    SchedulerDecides,
    /// Only a change of files or configuration can help.
    GiveUp,
}

impl ChildFailure {
    /// Describes the failure and the decision, including the child's own message.
    pub(super) fn sentence(&self, name: &str) -> String {
        format!("{}: {}", self.summary(name), self.message)
    }

    /// Describes the failure and the decision, without the child's output.
    pub(super) fn summary(&self, name: &str) -> String {
        let (count, over) = self.streak;
        let often = match count {
            0 | 1 => String::new(),
            count => format!(" {count} times in {} s", over.as_secs().max(1)),
        };
        let next = match self.decision {
            RestartDecision::Restart { at, left } => format!(
                "; it will be restarted at {}, {left} {} left",
                format_clock(at),
                if left == 1 { "restart" } else { "restarts" }
            ),
            RestartDecision::BreakerOpen { until } => format!(
                "; restarts are paused until {}; load the model manually to try sooner",
                format_clock(until)
            ),
            RestartDecision::SchedulerDecides => String::new(),
            RestartDecision::GiveUp => {
                "; it will not be restarted until its files or its configuration change".to_owned()
            }
        };
        format!("{name} failed ({}){often}{next}", self.class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_row_begins_where_the_budget_was_full() {
        let (mut streak, t0) = (FailureStreak::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(streak.add(true, t0), (1, Duration::ZERO));
        assert_eq!(streak.add(false, t0 + second), (2, second));
        assert_eq!(streak.add(false, t0 + 20 * second), (3, 20 * second));
        assert_eq!(streak.add(true, t0 + 99 * second), (1, Duration::ZERO));
    }

    #[test]
    fn a_failure_is_described_with_the_reaction() {
        let at = UNIX_EPOCH + Duration::from_secs(14 * 3600 + 3 * 60 + 20);
        let table = [
            (
                (1, 0),
                RestartDecision::Restart { at, left: 4 },
                "m failed (crashed); it will be restarted at 14:03:20 UTC, 4 restarts left",
            ),
            (
                (4, 9_000),
                RestartDecision::Restart { at, left: 1 },
                "m failed (crashed) 4 times in 9 s; it will be restarted at 14:03:20 UTC, 1 restart left",
            ),
            (
                (6, 20_000),
                RestartDecision::BreakerOpen { until: at },
                "m failed (crashed) 6 times in 20 s; restarts are paused until 14:03:20 UTC; load the model \
                 manually to try sooner",
            ),
            (
                (2, 300),
                RestartDecision::SchedulerDecides,
                "m failed (crashed) 2 times in 1 s",
            ),
            (
                (0, 0),
                RestartDecision::GiveUp,
                "m failed (crashed); it will not be restarted until its files or its configuration change",
            ),
        ];
        for ((count, millis), decision, summary) in table {
            let failure = ChildFailure {
                class: FailureClass::Crashed,
                message: "it crashed".to_owned(),
                streak: (count, Duration::from_millis(millis)),
                decision,
            };
            assert_eq!(failure.summary("m"), summary);
            assert_eq!(failure.sentence("m"), format!("{summary}: it crashed"));
        }
    }
}
