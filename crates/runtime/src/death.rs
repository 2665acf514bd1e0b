//! The deaths of a model's children, for people.

use paddock_supervisor::FailureClass;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Deaths in a row: none of the children lived long enough to count as stable.
#[derive(Debug, Default)]
pub(crate) struct Row {
    count: u32,
    first: Option<Instant>,
}

impl Row {
    /// Counts one more. With `afresh` the restart budget was full before it.
    pub(super) fn add(&mut self, afresh: bool, now: Instant) -> (u32, Duration) {
        if afresh {
            *self = Self::default();
        }
        self.count = self.count.saturating_add(1);
        (self.count, now - *self.first.get_or_insert(now))
    }
}

/// A child that failed, and what follows.
#[derive(Debug, Clone)]
pub(super) struct Death {
    pub(super) class: FailureClass,
    pub(super) message: String,
    /// Which in a row it is, and the time since the first.
    pub(super) row: (u32, Duration),
    pub(super) then: Then,
}

/// What follows a death.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    /// Another child is started; so many restarts are left after it.
    Again { at: SystemTime, left: u32 },
    /// The breaker is open: one child is tried then.
    Paused { until: SystemTime },
    /// Whether there is another try is for the scheduler to say.
    Asked,
    /// Nothing but a change of the outside can help.
    GivenUp,
}

impl Death {
    /// What happened, and what follows, in the child's own last words too.
    pub(super) fn sentence(&self, name: &str) -> String {
        format!("{}: {}", self.what_follows(name), self.message)
    }

    /// The same, without a word of the child's.
    pub(super) fn what_follows(&self, name: &str) -> String {
        let (count, over) = self.row;
        let often = match count {
            0 | 1 => String::new(),
            count => format!(" {count} times in {} s", over.as_secs().max(1)),
        };
        let next = match self.then {
            Then::Again { at, left } => format!(
                "; it is started again at {}, and {left} restarts are left",
                clock(at)
            ),
            Then::Paused { until } => format!(
                "; not started again before {} unless you load it by hand",
                clock(until)
            ),
            Then::Asked => String::new(),
            Then::GivenUp => "; not started again until something about it has changed".to_owned(),
        };
        format!("{name} failed ({}){often}{next}", self.class)
    }
}

/// The time of day, which is UTC's as in the log.
pub(super) fn clock(at: SystemTime) -> String {
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
        let (mut row, t0) = (Row::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(row.add(true, t0), (1, Duration::ZERO));
        assert_eq!(row.add(false, t0 + second), (2, second));
        assert_eq!(row.add(false, t0 + 20 * second), (3, 20 * second));
        assert_eq!(row.add(true, t0 + 99 * second), (1, Duration::ZERO));
    }

    #[test]
    fn a_death_says_what_follows() {
        let at = UNIX_EPOCH + Duration::from_secs(14 * 3600 + 3 * 60 + 20);
        let sentence = |count, then| {
            Death {
                class: FailureClass::Crashed,
                message: "it crashed".to_owned(),
                row: (count, Duration::from_secs(20)),
                then,
            }
            .sentence("m")
        };
        assert_eq!(
            sentence(6, Then::Paused { until: at }),
            "m failed (crashed) 6 times in 20 s; not started again before 14:03:20 UTC unless you load it by hand: \
             it crashed"
        );
        assert_eq!(
            sentence(1, Then::Again { at, left: 4 }),
            "m failed (crashed); it is started again at 14:03:20 UTC, and 4 restarts are left: it crashed"
        );
        assert_eq!(sentence(1, Then::Asked), "m failed (crashed): it crashed");
        assert!(sentence(1, Then::GivenUp).contains("until something about it has changed"));
    }
}
