//! Decides whether a starting child is ready, still loading, or stuck.

use std::time::Duration;

use tokio::time::Instant;

use crate::{deadline::deadline_after, probe::ProbeResult, state_report::StateReport};

/// An observation of a child that starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StartupEvent {
    /// The child reported its state.
    Report(StateReport),
    /// A probe ended.
    Probe(ProbeResult),
    /// The deadline has passed; `last_output` is the time of the child's last output.
    Deadline { last_output: Instant },
}

/// The decision about a child that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartupDecision {
    Wait,
    Ready,
    TimedOut,
}

/// Follows one child from its start to its readiness.
#[derive(Debug)]
pub(crate) struct ReadinessCheck {
    timeout: Duration,
    last_progress: Instant,
    last_report: Option<StateReport>,
    progress: Option<f32>,
    listening: bool,
    /// True if an answer to a probe is certain to come from the child.
    is_provable: bool,
}

impl ReadinessCheck {
    /// Begins with a child that was started at `now`. `is_provable` is true if its address shows which process
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

    /// Handles one event and decides.
    ///
    /// A repeated answer to a probe is no progress: a stuck child can answer 503 for ever. Only
    /// [`StartupEvent::Deadline`] can time the child out, because only this event has the time of the last output.
    pub(crate) fn handle(&mut self, sign: StartupEvent, now: Instant) -> StartupDecision {
        match sign {
            StartupEvent::Report(report) => {
                self.last_progress = now;
                self.last_report = Some(report);
                match report {
                    StateReport::Ready | StateReport::Sleeping => return StartupDecision::Ready,
                    StateReport::Loading(share) => self.progress = share.or(self.progress),
                    StateReport::Unreadable => {}
                }
            }
            StartupEvent::Probe(ProbeResult::Serving) => return StartupDecision::Ready,
            StartupEvent::Probe(ProbeResult::Busy) if !self.listening => {
                self.listening = true;
                self.last_progress = now;
            }
            StartupEvent::Probe(ProbeResult::Busy | ProbeResult::NoAnswer) => {}
            StartupEvent::Deadline { last_output } => {
                self.last_progress = self.last_progress.max(last_output);
                if now >= self.deadline() {
                    return StartupDecision::TimedOut;
                }
            }
        }
        StartupDecision::Wait
    }

    /// Returns true if probing is useful: not if another process could answer, and not after the child has
    /// shown that it reports its state and that it listens, because its ready event then comes no later than a
    /// probe could.
    pub(crate) const fn should_probe(&self) -> bool {
        self.is_provable
            && !(self.listening && matches!(self.last_report, Some(StateReport::Loading(_))))
    }

    /// Returns the moment at which the child's silence becomes too long.
    pub(crate) fn deadline(&self) -> Instant {
        deadline_after(self.last_progress, self.timeout)
    }

    pub(crate) const fn progress(&self) -> Option<f32> {
        self.progress
    }

    pub(crate) const fn is_listening(&self) -> bool {
        self.listening
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LOADING: StartupEvent = StartupEvent::Report(StateReport::Loading(Some(0.5)));

    fn startup() -> (ReadinessCheck, Instant) {
        let now = Instant::now();
        (ReadinessCheck::new(10 * SECOND, true, now), now)
    }

    #[test]
    fn the_limit_counts_from_the_last_sign_of_progress() {
        let (mut startup, t0) = startup();
        assert_eq!(
            startup.handle(LOADING, t0 + 9 * SECOND),
            StartupDecision::Wait
        );
        assert_eq!(startup.deadline(), t0 + 19 * SECOND);
        let output = StartupEvent::Deadline {
            last_output: t0 + 15 * SECOND,
        };
        assert_eq!(
            startup.handle(output, t0 + 19 * SECOND),
            StartupDecision::Wait
        );
        assert_eq!(startup.deadline(), t0 + 25 * SECOND);
        assert_eq!(
            startup.handle(output, t0 + 25 * SECOND),
            StartupDecision::TimedOut
        );
    }

    #[test]
    fn answering_503_for_ever_is_no_progress() {
        let (mut startup, t0) = startup();
        let busy = StartupEvent::Probe(ProbeResult::Busy);
        assert_eq!(startup.handle(busy, t0 + SECOND), StartupDecision::Wait);
        assert_eq!(
            startup.handle(busy, t0 + 10 * SECOND),
            StartupDecision::Wait
        );
        let silence = StartupEvent::Deadline { last_output: t0 };
        assert_eq!(
            startup.handle(silence, t0 + 11 * SECOND),
            StartupDecision::TimedOut
        );
    }

    #[test]
    fn a_late_probe_does_not_end_the_wait_of_a_child_that_writes() {
        let (mut startup, t0) = startup();
        let late = t0 + 11 * SECOND;
        assert_eq!(
            startup.handle(StartupEvent::Probe(ProbeResult::NoAnswer), late),
            StartupDecision::Wait
        );
        assert_eq!(
            startup.handle(
                StartupEvent::Deadline {
                    last_output: t0 + 5 * SECOND
                },
                late
            ),
            StartupDecision::Wait
        );
    }

    #[test]
    fn an_event_or_a_probe_make_ready() {
        for sign in [
            StartupEvent::Report(StateReport::Ready),
            StartupEvent::Report(StateReport::Sleeping),
            StartupEvent::Probe(ProbeResult::Serving),
        ] {
            let (mut startup, t0) = startup();
            assert_eq!(startup.handle(sign, t0), StartupDecision::Ready);
        }
    }

    #[test]
    fn probing_ends_when_the_ready_event_will_decide() {
        let (mut startup, t0) = startup();
        startup.handle(LOADING, t0);
        assert!(startup.should_probe(), "where it listens is not known yet");
        startup.handle(StartupEvent::Probe(ProbeResult::Busy), t0);
        assert!(!startup.should_probe());
        startup.handle(StartupEvent::Report(StateReport::Unreadable), t0);
        assert!(
            startup.should_probe(),
            "that line may have been the ready event"
        );
        assert_eq!(startup.progress(), Some(0.5));
    }

    #[test]
    fn a_child_that_says_nothing_is_probed_to_the_end() {
        let (mut startup, t0) = startup();
        startup.handle(StartupEvent::Probe(ProbeResult::Busy), t0);
        assert!(startup.should_probe() && startup.is_listening());
    }

    #[test]
    fn a_child_whose_answers_could_be_anothers_is_not_probed() {
        let startup = ReadinessCheck::new(SECOND, false, Instant::now());
        assert!(!startup.should_probe());
    }

    #[test]
    fn an_endless_timeout_does_not_overflow() {
        let mut startup = ReadinessCheck::new(Duration::MAX, true, Instant::now());
        assert_eq!(
            startup.handle(LOADING, Instant::now()),
            StartupDecision::Wait
        );
    }
}
