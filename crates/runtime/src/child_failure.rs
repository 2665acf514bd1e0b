//! Describes a child's failure and what happens next, for people.

use paddock_supervisor::FailureClass;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Consecutive failures: no child in between ran long enough to count as stable.
#[derive(Debug, Default)]
pub(crate) struct FailureStreak {
    count: u32,
    first: Option<Instant>,
}

impl FailureStreak {
    /// Counts one more failure. `is_first` means that the restart budget was full before it.
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
#[derive(Debug, Clone, Copy)]
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
                "; it is started again at {}, and {left} restarts are left",
                format_clock(at)
            ),
            RestartDecision::BreakerOpen { until } => format!(
                "; not started again before {} unless you load it by hand",
                format_clock(until)
            ),
            RestartDecision::SchedulerDecides => String::new(),
            RestartDecision::GiveUp => {
                "; not started again until something about it has changed".to_owned()
            }
        };
        format!("{name} failed ({}){often}{next}", self.class)
    }
}

/// Formats the time of day in UTC, as the log does.
pub(super) fn format_clock(at: SystemTime) -> String {
    let seconds = at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02} UTC", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_death_says_what_follows() {
        let at = UNIX_EPOCH + Duration::from_secs(14 * 3600 + 3 * 60 + 20);
        let sentence = |count, decision| {
            ChildFailure {
                class: FailureClass::Crashed,
                message: "it crashed".to_owned(),
                streak: (count, Duration::from_secs(20)),
                decision,
            }
            .sentence("m")
        };
        assert_eq!(
            sentence(6, RestartDecision::BreakerOpen { until: at }),
            "m failed (crashed) 6 times in 20 s; not started again before 14:03:20 UTC unless you load it by hand: \
             it crashed"
        );
        assert_eq!(
            sentence(1, RestartDecision::Restart { at, left: 4 }),
            "m failed (crashed); it is started again at 14:03:20 UTC, and 4 restarts are left: it crashed"
        );
        assert_eq!(
            sentence(1, RestartDecision::SchedulerDecides),
            "m failed (crashed): it crashed"
        );
        assert!(
            sentence(1, RestartDecision::GiveUp).contains("until something about it has changed")
        );
    }
}
