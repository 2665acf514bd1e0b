//! Decides whether a child that serves is healthy, suspect, or hung.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use crate::{
    instance_spec::LivenessPolicy,
    stall_tracker::{RequestTimeouts, StallCounters},
};

/// An observation of a child that serves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LivenessEvent {
    /// The counts of waiting and timed-out requests changed.
    RequestsChanged(StallCounters),
    /// A probe was answered.
    ProbeAnswered(StallCounters),
    /// A probe waited for `took` and was not answered; the child used `cpu_time` of processor time meanwhile.
    ProbeMissed {
        counters: StallCounters,
        cpu_time: Duration,
        took: Duration,
    },
}

/// The decision about a child's liveness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    Healthy,
    Suspect(HangEvidence),
    Hung(HangEvidence),
}

/// The reason to think that a child hangs or is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HangEvidence {
    /// Requests wait, and `missed` probes in a row, over the time `over`, were not answered.
    ProbesMissed { missed: u32, over: Duration },
    /// A request reached its time limit, and no request has received a byte since.
    RequestTimedOut,
    /// Two requests reached their time limits, one after the other, and no request received a byte meanwhile.
    RequestsTimedOut,
    /// Inference requests are answered with server errors, and so were the probes of `rounds` rounds.
    ServerErrors { rounds: u32 },
}

impl fmt::Display for HangEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProbesMissed { missed, over } => write!(
                f,
                "requests are waiting, and {missed} probe(s) of /health got no response within {} s",
                over.as_secs()
            ),
            Self::RequestTimedOut => f.write_str(
                "a request reached its time limit, and no answer has made progress since then",
            ),
            Self::RequestsTimedOut => f.write_str(
                "two consecutive requests reached their time limits, and no answer made progress in the meantime",
            ),
            Self::ServerErrors { rounds: 0 } => f.write_str(
                "consecutive inference requests failed with server errors",
            ),
            Self::ServerErrors { rounds } => write!(
                f,
                "consecutive inference requests failed with server errors, and so did a test request for one \
                 token, {rounds} time(s)"
            ),
        }
    }
}

/// The divisor of elapsed time below which a process counts as idle. A process that uses more is working, or
/// its machine is too busy: its HTTP threads may merely all be taken.
const IDLE_CPU_DIVISOR: u32 = 100;

/// Watches one child from its readiness to its end.
#[derive(Debug)]
pub(crate) struct LivenessCheck {
    policy: LivenessPolicy,
    progress: u64,
    /// A request has waited long, and the child has given no sign of life since.
    is_probing: bool,
    missed_probes: u32,
    /// The start of the first missed probe.
    first_missed: Option<Instant>,
}

impl LivenessCheck {
    pub(crate) const fn new(policy: LivenessPolicy, counters: StallCounters) -> Self {
        Self {
            policy,
            progress: counters.progress,
            is_probing: counters.waiting > 0,
            missed_probes: 0,
            first_missed: None,
        }
    }

    /// Returns true if the child is to be probed.
    pub(crate) const fn is_probing(&self) -> bool {
        self.is_probing
    }

    /// Handles one event and decides.
    ///
    /// 1. A byte of an answer, or an answered probe: the count of missed probes starts again, and probing
    ///    goes on only while a request waits. A client that gives up is no sign of life.
    /// 2. A missed probe counts, unless the child was working.
    /// 3. Too many missed probes: hung.
    /// 4. Two requests timed out, one after the other, and no byte meanwhile: hung. The HTTP threads may
    ///    answer, but the inference thread does not.
    pub(crate) fn handle(&mut self, sign: LivenessEvent, now: Instant) -> Liveness {
        let (LivenessEvent::RequestsChanged(counters)
        | LivenessEvent::ProbeAnswered(counters)
        | LivenessEvent::ProbeMissed { counters, .. }) = sign;
        // 1.
        let heard = counters.progress != self.progress;
        self.progress = counters.progress;
        self.is_probing |= counters.waiting > 0;
        if heard || matches!(sign, LivenessEvent::ProbeAnswered(_)) {
            self.is_probing = counters.waiting > 0;
            self.missed_probes = 0;
            self.first_missed = None;
        } else if let LivenessEvent::ProbeMissed { cpu_time, took, .. } = sign
            && cpu_time.saturating_mul(IDLE_CPU_DIVISOR) < took
        {
            // 2.
            self.missed_probes += 1;
            self.first_missed = self.first_missed.or(now.checked_sub(took));
        }
        let over = self
            .first_missed
            .map_or(Duration::ZERO, |since| now - since);
        let deaf = HangEvidence::ProbesMissed {
            missed: self.missed_probes,
            over,
        };
        match (self.missed_probes, counters.timeouts) {
            (missed, _) if missed >= self.policy.max_missed_probes => Liveness::Hung(deaf), // 3.
            (_, RequestTimeouts::Again) => Liveness::Hung(HangEvidence::RequestsTimedOut),  // 4.
            (1.., _) => Liveness::Suspect(deaf),
            (0, RequestTimeouts::Once(_)) => Liveness::Suspect(HangEvidence::RequestTimedOut),
            (0, RequestTimeouts::Never) => Liveness::Healthy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);
    const WAITS: StallCounters = StallCounters {
        waiting: 1,
        progress: 0,
        timeouts: RequestTimeouts::Never,
    };

    fn liveness() -> LivenessCheck {
        LivenessCheck::new(LivenessPolicy::default(), StallCounters::default())
    }

    fn missed(counters: StallCounters) -> LivenessEvent {
        LivenessEvent::ProbeMissed {
            counters,
            cpu_time: Duration::ZERO,
            took: TEN,
        }
    }

    fn deaf(missed: u32) -> HangEvidence {
        HangEvidence::ProbesMissed {
            missed,
            over: TEN * missed,
        }
    }

    #[test]
    fn three_probes_without_an_answer_are_a_hang() {
        let (mut liveness, t0) = (liveness(), Instant::now());
        assert_eq!(
            liveness.handle(LivenessEvent::RequestsChanged(WAITS), t0),
            Liveness::Healthy
        );
        let verdicts = [1, 2, 3].map(|n| liveness.handle(missed(WAITS), t0 + TEN * n));
        let want = [
            Liveness::Suspect(deaf(1)),
            Liveness::Suspect(deaf(2)),
            Liveness::Hung(deaf(3)),
        ];
        assert_eq!(verdicts, want);
    }

    #[test]
    fn one_sign_of_life_begins_the_count_anew() {
        let heard = StallCounters {
            progress: 1,
            ..WAITS
        };
        for sign in [
            LivenessEvent::ProbeAnswered(WAITS),
            missed(heard),
            LivenessEvent::RequestsChanged(heard),
        ] {
            let (mut liveness, t0) = (liveness(), Instant::now() + TEN);
            liveness.handle(missed(WAITS), t0);
            liveness.handle(missed(WAITS), t0 + TEN);
            assert_eq!(
                liveness.handle(sign, t0 + TEN),
                Liveness::Healthy,
                "{sign:?}"
            );
            let (LivenessEvent::RequestsChanged(counters)
            | LivenessEvent::ProbeAnswered(counters)
            | LivenessEvent::ProbeMissed { counters, .. }) = sign;
            let next = missed(StallCounters {
                waiting: 1,
                ..counters
            });
            let verdict = liveness.handle(next, t0 + TEN + TEN);
            assert_eq!(verdict, Liveness::Suspect(deaf(1)), "{sign:?}");
        }
    }

    #[test]
    fn a_client_that_leaves_is_no_sign_of_life() {
        let (mut liveness, t0) = (liveness(), Instant::now() + TEN);
        let nobody = StallCounters::default();
        assert!(!liveness.is_probing());
        liveness.handle(LivenessEvent::RequestsChanged(WAITS), t0);
        assert_eq!(
            liveness.handle(LivenessEvent::RequestsChanged(nobody), t0),
            Liveness::Healthy
        );
        assert!(liveness.is_probing());
        liveness.handle(missed(nobody), t0 + TEN);
        liveness.handle(missed(nobody), t0 + TEN * 2);
        let verdict = liveness.handle(missed(nobody), t0 + TEN * 3);
        assert_eq!(verdict, Liveness::Hung(deaf(3)));
    }

    #[test]
    fn a_child_that_answers_while_nobody_waits_is_asked_no_more() {
        let (mut liveness, t0) = (liveness(), Instant::now());
        liveness.handle(LivenessEvent::RequestsChanged(WAITS), t0);
        liveness.handle(LivenessEvent::ProbeAnswered(WAITS), t0 + TEN);
        assert!(liveness.is_probing());
        liveness.handle(
            LivenessEvent::ProbeAnswered(StallCounters::default()),
            t0 + TEN * 2,
        );
        assert!(!liveness.is_probing());
    }

    #[test]
    fn a_child_at_work_is_not_judged_by_its_probes() {
        let (mut liveness, t0) = (liveness(), Instant::now());
        for n in 1..100 {
            let busy = LivenessEvent::ProbeMissed {
                counters: WAITS,
                cpu_time: TEN / 20,
                took: TEN,
            };
            assert_eq!(liveness.handle(busy, t0 + TEN * n), Liveness::Healthy);
        }
    }

    #[test]
    fn a_second_request_at_its_limit_is_a_hang_though_probes_are_answered() {
        let (mut liveness, t0) = (liveness(), Instant::now());
        let once = StallCounters {
            timeouts: RequestTimeouts::Once(t0),
            ..WAITS
        };
        let suspect = Liveness::Suspect(HangEvidence::RequestTimedOut);
        assert_eq!(
            liveness.handle(LivenessEvent::RequestsChanged(once), t0),
            suspect
        );
        assert_eq!(
            liveness.handle(LivenessEvent::ProbeAnswered(once), t0 + TEN),
            suspect
        );
        let again = StallCounters {
            timeouts: RequestTimeouts::Again,
            ..WAITS
        };
        let hung = Liveness::Hung(HangEvidence::RequestsTimedOut);
        assert_eq!(
            liveness.handle(LivenessEvent::ProbeAnswered(again), t0 + TEN),
            hung
        );
    }
}
