//! Whether a starting child is ready, still on its way, or stuck.

use std::time::Duration;

use tokio::time::Instant;

use crate::{deadline::later, event::Report, probe::Answer};

/// What can be noticed while a child starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sign {
    /// The child said something about its state.
    Report(Report),
    /// A probe ended.
    Probe(Answer),
    /// The deadline has come; the child last wrote anything at this moment.
    Deadline { heard: Instant },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait,
    Ready,
    TimedOut,
}

/// Follows one child from its fork to its readiness.
#[derive(Debug)]
pub(crate) struct Startup {
    timeout: Duration,
    last_progress: Instant,
    last_report: Option<Report>,
    progress: Option<f32>,
    listening: bool,
    /// An answer to a probe proves that the child gave it.
    is_provable: bool,
}

impl Startup {
    /// Begins with a child that was forked `now`, at an address where it is or is not provable whose process
    /// answers.
    pub(crate) const fn new(timeout: Duration, is_provable: bool, now: Instant) -> Self {
        Self {
            timeout,
            last_progress: now,
            last_report: None,
            progress: None,
            listening: false,
            is_provable,
        }
    }

    /// Takes one sign and decides.
    ///
    /// A probe that is answered as before is no progress: a stuck child can answer 503 for ever. Only
    /// [`Sign::Deadline`] can end the wait, for it alone knows of the output since.
    pub(crate) fn handle(&mut self, sign: Sign, now: Instant) -> Verdict {
        match sign {
            Sign::Report(report) => {
                self.last_progress = now;
                self.last_report = Some(report);
                match report {
                    Report::Ready | Report::Sleeping => return Verdict::Ready,
                    Report::Loading(share) => self.progress = share.or(self.progress),
                    Report::Unreadable => {}
                }
            }
            Sign::Probe(Answer::Serving) => return Verdict::Ready,
            Sign::Probe(Answer::Busy) if !self.listening => {
                self.listening = true;
                self.last_progress = now;
            }
            Sign::Probe(Answer::Busy | Answer::Nothing) => {}
            Sign::Deadline { heard } => {
                self.last_progress = self.last_progress.max(heard);
                if now >= self.deadline() {
                    return Verdict::TimedOut;
                }
            }
        }
        Verdict::Wait
    }

    /// Tells whether probing is of use: not where another process could answer, and not after the child has
    /// shown that it reports its state and that it listens, for then its ready event comes no later than a
    /// probe could tell.
    pub(crate) const fn probing(&self) -> bool {
        self.is_provable
            && !(self.listening && matches!(self.last_report, Some(Report::Loading(_))))
    }

    /// Returns when the child's silence becomes too long.
    pub(crate) fn deadline(&self) -> Instant {
        later(self.last_progress, self.timeout)
    }

    pub(crate) const fn progress(&self) -> Option<f32> {
        self.progress
    }

    pub(crate) const fn listening(&self) -> bool {
        self.listening
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LOADING: Sign = Sign::Report(Report::Loading(Some(0.5)));

    fn startup() -> (Startup, Instant) {
        let now = Instant::now();
        (Startup::new(10 * SECOND, true, now), now)
    }

    #[test]
    fn the_limit_counts_from_the_last_sign_of_progress() {
        let (mut startup, t0) = startup();
        assert_eq!(startup.handle(LOADING, t0 + 9 * SECOND), Verdict::Wait);
        assert_eq!(startup.deadline(), t0 + 19 * SECOND);
        let output = Sign::Deadline {
            heard: t0 + 15 * SECOND,
        };
        assert_eq!(startup.handle(output, t0 + 19 * SECOND), Verdict::Wait);
        assert_eq!(startup.deadline(), t0 + 25 * SECOND);
        assert_eq!(startup.handle(output, t0 + 25 * SECOND), Verdict::TimedOut);
    }

    #[test]
    fn answering_503_for_ever_is_no_progress() {
        let (mut startup, t0) = startup();
        let busy = Sign::Probe(Answer::Busy);
        assert_eq!(startup.handle(busy, t0 + SECOND), Verdict::Wait);
        assert_eq!(startup.handle(busy, t0 + 10 * SECOND), Verdict::Wait);
        let silence = Sign::Deadline { heard: t0 };
        assert_eq!(startup.handle(silence, t0 + 11 * SECOND), Verdict::TimedOut);
    }

    #[test]
    fn a_late_probe_does_not_end_the_wait_of_a_child_that_writes() {
        let (mut startup, t0) = startup();
        let late = t0 + 11 * SECOND;
        assert_eq!(
            startup.handle(Sign::Probe(Answer::Nothing), late),
            Verdict::Wait
        );
        assert_eq!(
            startup.handle(
                Sign::Deadline {
                    heard: t0 + 5 * SECOND
                },
                late
            ),
            Verdict::Wait
        );
    }

    #[test]
    fn an_event_or_a_probe_make_ready() {
        for sign in [
            Sign::Report(Report::Ready),
            Sign::Report(Report::Sleeping),
            Sign::Probe(Answer::Serving),
        ] {
            let (mut startup, t0) = startup();
            assert_eq!(startup.handle(sign, t0), Verdict::Ready);
        }
    }

    #[test]
    fn probing_ends_when_the_ready_event_will_decide() {
        let (mut startup, t0) = startup();
        startup.handle(LOADING, t0);
        assert!(startup.probing(), "where it listens is not known yet");
        startup.handle(Sign::Probe(Answer::Busy), t0);
        assert!(!startup.probing());
        startup.handle(Sign::Report(Report::Unreadable), t0);
        assert!(startup.probing(), "that line may have been the ready event");
        assert_eq!(startup.progress(), Some(0.5));
    }

    #[test]
    fn a_child_that_says_nothing_is_probed_to_the_end() {
        let (mut startup, t0) = startup();
        startup.handle(Sign::Probe(Answer::Busy), t0);
        assert!(startup.probing() && startup.listening());
    }

    #[test]
    fn a_child_whose_answers_could_be_anothers_is_not_probed() {
        let startup = Startup::new(SECOND, false, Instant::now());
        assert!(!startup.probing());
    }

    #[test]
    fn an_endless_timeout_does_not_overflow() {
        let mut startup = Startup::new(Duration::MAX, true, Instant::now());
        assert_eq!(startup.handle(LOADING, Instant::now()), Verdict::Wait);
    }
}
