use super::word::Word;
use tokio::sync::watch;
use tokio::time::Instant;

/// How far the service has come, and what it does that a service manager wants to know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Course {
    /// Reloads that have begun.
    begun: u64,
    /// Reloads that have ended.
    ended: u64,
    /// The last one read a configuration that is not valid.
    pub(super) refused: bool,
    /// When the end comes at the latest, once it has begun.
    pub(super) stopping: Option<Instant>,
    over: bool,
}

impl Course {
    pub(super) fn is_over(self) -> bool {
        self.over
    }
}

/// Says what is owed to a manager that was told of the course as it was, or of nothing yet.
///
/// Reloads may begin while others go on: all of them have ended when it is told that they have.
pub(super) fn owed(told: Option<Course>, course: Course, now: Instant) -> Vec<Word> {
    let mut words = Vec::new();
    if told.is_none() {
        words.push(Word::Ready);
    }
    let told = told.unwrap_or_default();
    if let Some(at) = course.stopping {
        if told.stopping.is_none() {
            words.push(Word::Stopping(at.saturating_duration_since(now)));
        }
        return words;
    }
    if course.begun > told.begun {
        words.push(Word::Reloading);
    }
    if course.ended > told.ended && course.ended == course.begun {
        words.push(Word::Ready);
    }
    words
}

/// Where the parts of the service tell how far they have come. It costs nothing where nobody listens.
#[derive(Debug, Clone)]
pub(crate) struct Teller(watch::Sender<Course>);

impl Teller {
    pub(crate) fn new() -> Self {
        Self(watch::channel(Course::default()).0)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Course> {
        self.0.subscribe()
    }

    /// A reload has begun. It ends when this is dropped.
    pub(crate) fn reloading(&self) -> Reloading<'_> {
        self.0.send_modify(|course| course.begun += 1);
        Reloading {
            course: &self.0,
            refused: false,
        }
    }

    /// The end has begun, and comes by this time.
    pub(crate) fn stopping(&self, by: Instant) {
        self.0.send_modify(|course| course.stopping = Some(by));
    }

    /// Nothing more will happen.
    pub(crate) fn over(&self) {
        self.0.send_modify(|course| course.over = true);
    }
}

/// A reload that goes on.
#[derive(Debug)]
pub(crate) struct Reloading<'a> {
    course: &'a watch::Sender<Course>,
    refused: bool,
}

impl Reloading<'_> {
    /// The configuration is not valid.
    pub(crate) fn refused(&mut self) {
        self.refused = true;
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        let refused = self.refused;
        self.course.send_modify(|course| {
            course.ended += 1;
            course.refused = refused;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn course(begun: u64, ended: u64) -> Course {
        Course {
            begun,
            ended,
            ..Course::default()
        }
    }

    #[test]
    fn every_reload_is_framed_and_those_that_overlap_are_one() {
        use Word::{Ready, Reloading};
        let reload = vec![Reloading, Ready];
        for (told, now, expected) in [
            (None, (0, 0), vec![Ready]),
            (None, (1, 0), vec![Ready, Reloading]),
            (Some((0, 0)), (0, 0), vec![]),
            (Some((0, 0)), (1, 0), vec![Reloading]),
            (Some((1, 0)), (1, 1), vec![Ready]),
            (Some((0, 0)), (1, 1), reload.clone()),
            (Some((0, 0)), (3, 3), reload.clone()),
            (Some((0, 0)), (2, 1), vec![Reloading]),
            (Some((1, 0)), (2, 0), vec![Reloading]),
            (Some((2, 0)), (2, 1), vec![]),
            (Some((2, 1)), (2, 2), vec![Ready]),
            (Some((1, 0)), (2, 2), reload),
        ] {
            let told = told.map(|(begun, ended)| course(begun, ended));
            let owed = owed(told, course(now.0, now.1), Instant::now());
            assert_eq!(owed, expected, "{told:?} then {now:?}");
        }
    }

    #[test]
    fn the_end_is_told_once_with_the_time_it_may_take_and_reloads_no_more() {
        let now = Instant::now();
        let minute = Duration::from_mins(1);
        let mut stopping = course(1, 1);
        stopping.stopping = Some(now + minute);
        let told = Some(course(0, 0));
        assert_eq!(owed(told, stopping, now), [Word::Stopping(minute)]);
        assert_eq!(owed(Some(stopping), stopping, now), []);
        let late = now + 2 * minute;
        assert_eq!(owed(told, stopping, late), [Word::Stopping(Duration::ZERO)]);
    }

    #[test]
    fn a_reload_that_is_dropped_half_way_has_ended() {
        let teller = Teller::new();
        let mut seen = teller.subscribe();
        let mut reloading = teller.reloading();
        assert_eq!(*seen.borrow_and_update(), course(1, 0));
        reloading.refused();
        drop(reloading);
        assert!(seen.borrow_and_update().refused);
        drop(teller.reloading());
        assert_eq!(*seen.borrow_and_update(), course(2, 2));
    }
}
