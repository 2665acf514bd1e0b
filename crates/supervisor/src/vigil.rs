//! Whether a child that serves is alive, suspect, or hung.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use crate::{
    doubts::{Overdue, Seen},
    spec::VigilPolicy,
};

/// What can be noticed of a child that serves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sign {
    /// What its requests see has changed.
    Seen(Seen),
    /// A probe was answered.
    Answered(Seen),
    /// A probe was not answered; meanwhile the child has used the processor for `ran` of `took`.
    Missed {
        seen: Seen,
        ran: Duration,
        took: Duration,
    },
}

/// What is to be thought of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    Suspect(Suspicion),
    Hung(Suspicion),
}

/// What speaks against a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// Requests wait, and so many probes in a row, over this time, had no answer.
    Deaf { missed: u32, over: Duration },
    /// A request was given up at its time limit, and no other has had a byte since.
    Overdue,
    /// The same again, by a request that came after that.
    OverdueAgain,
    /// Inference requests are answered with server errors, and so were the probes of this many rounds.
    ServerErrors { rounds: u32 },
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deaf { missed, over } => write!(
                f,
                "requests wait, and {missed} probe(s) of its /health had no answer in {} s",
                over.as_secs()
            ),
            Self::Overdue => f.write_str(
                "a request ran into its time limit, and no answer has gone on since",
            ),
            Self::OverdueAgain => f.write_str(
                "two requests, one after the other, ran into their time limits, and no answer went on \
                 meanwhile",
            ),
            Self::ServerErrors { rounds: 0 } => f.write_str(
                "inference requests were answered with server errors, one after the other",
            ),
            Self::ServerErrors { rounds } => write!(
                f,
                "inference requests were answered with server errors, one after the other, and so was a \
                 request for one token, {rounds} time(s)"
            ),
        }
    }
}

/// A process that uses less than this share of a processor does nothing. One that uses more works, or
/// is on a machine too busy for it: it may be that only its HTTP threads are all taken.
const AT_WORK: u32 = 100;

/// Watches one child from its readiness to its end.
#[derive(Debug)]
pub(crate) struct Vigil {
    policy: VigilPolicy,
    heard: u64,
    /// A request has waited long, and the child has given no sign of life since.
    doubted: bool,
    missed: u32,
    /// When the first of the missed probes was begun.
    since: Option<Instant>,
}

impl Vigil {
    pub(crate) const fn new(policy: VigilPolicy, seen: Seen) -> Self {
        Self {
            policy,
            heard: seen.heard,
            doubted: seen.waiting > 0,
            missed: 0,
            since: None,
        }
    }

    /// Tells whether the child is to be asked.
    pub(crate) const fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// Takes one sign and decides.
    ///
    /// 1. A byte of an answer, or an answered probe: the probes begin anew, if anybody still waits. That
    ///    a client has lost its patience is no sign of life.
    /// 2. A missed probe counts, unless the child was at work.
    /// 3. Too many of them: hung.
    /// 4. Two requests given up, one after the other, and no byte meanwhile: hung. Its HTTP threads may
    ///    answer well; its inference thread does not.
    pub(crate) fn handle(&mut self, sign: Sign, now: Instant) -> Verdict {
        let (Sign::Seen(seen) | Sign::Answered(seen) | Sign::Missed { seen, .. }) = sign;
        // 1.
        let heard = seen.heard != self.heard;
        self.heard = seen.heard;
        self.doubted |= seen.waiting > 0;
        if heard || matches!(sign, Sign::Answered(_)) {
            self.doubted = seen.waiting > 0;
            self.missed = 0;
            self.since = None;
        } else if let Sign::Missed { ran, took, .. } = sign
            && ran.saturating_mul(AT_WORK) < took
        {
            // 2.
            self.missed += 1;
            self.since = self.since.or(now.checked_sub(took));
        }
        let over = self.since.map_or(Duration::ZERO, |since| now - since);
        let deaf = Suspicion::Deaf {
            missed: self.missed,
            over,
        };
        match (self.missed, seen.overdue) {
            (missed, _) if missed >= self.policy.probes => Verdict::Hung(deaf), // 3.
            (_, Overdue::Again) => Verdict::Hung(Suspicion::OverdueAgain),      // 4.
            (1.., _) => Verdict::Suspect(deaf),
            (0, Overdue::Once(_)) => Verdict::Suspect(Suspicion::Overdue),
            (0, Overdue::Never) => Verdict::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);
    const WAITS: Seen = Seen {
        waiting: 1,
        heard: 0,
        overdue: Overdue::Never,
    };

    fn vigil() -> Vigil {
        Vigil::new(VigilPolicy::default(), Seen::default())
    }

    fn missed(seen: Seen) -> Sign {
        Sign::Missed {
            seen,
            ran: Duration::ZERO,
            took: TEN,
        }
    }

    fn deaf(missed: u32) -> Suspicion {
        Suspicion::Deaf {
            missed,
            over: TEN * missed,
        }
    }

    #[test]
    fn three_probes_without_an_answer_are_a_hang() {
        let (mut vigil, t0) = (vigil(), Instant::now());
        assert_eq!(vigil.handle(Sign::Seen(WAITS), t0), Verdict::Fine);
        let verdicts = [1, 2, 3].map(|n| vigil.handle(missed(WAITS), t0 + TEN * n));
        let want = [
            Verdict::Suspect(deaf(1)),
            Verdict::Suspect(deaf(2)),
            Verdict::Hung(deaf(3)),
        ];
        assert_eq!(verdicts, want);
    }

    #[test]
    fn one_sign_of_life_begins_the_count_anew() {
        let heard = Seen { heard: 1, ..WAITS };
        for sign in [Sign::Answered(WAITS), missed(heard), Sign::Seen(heard)] {
            let (mut vigil, t0) = (vigil(), Instant::now() + TEN);
            vigil.handle(missed(WAITS), t0);
            vigil.handle(missed(WAITS), t0 + TEN);
            assert_eq!(vigil.handle(sign, t0 + TEN), Verdict::Fine, "{sign:?}");
            let (Sign::Seen(seen) | Sign::Answered(seen) | Sign::Missed { seen, .. }) = sign;
            let next = missed(Seen { waiting: 1, ..seen });
            let verdict = vigil.handle(next, t0 + TEN + TEN);
            assert_eq!(verdict, Verdict::Suspect(deaf(1)), "{sign:?}");
        }
    }

    #[test]
    fn a_client_that_leaves_is_no_sign_of_life() {
        let (mut vigil, t0) = (vigil(), Instant::now() + TEN);
        let nobody = Seen::default();
        assert!(!vigil.is_doubted());
        vigil.handle(Sign::Seen(WAITS), t0);
        assert_eq!(vigil.handle(Sign::Seen(nobody), t0), Verdict::Fine);
        assert!(vigil.is_doubted());
        vigil.handle(missed(nobody), t0 + TEN);
        vigil.handle(missed(nobody), t0 + TEN * 2);
        let verdict = vigil.handle(missed(nobody), t0 + TEN * 3);
        assert_eq!(verdict, Verdict::Hung(deaf(3)));
    }

    #[test]
    fn a_child_that_answers_while_nobody_waits_is_asked_no_more() {
        let (mut vigil, t0) = (vigil(), Instant::now());
        vigil.handle(Sign::Seen(WAITS), t0);
        vigil.handle(Sign::Answered(WAITS), t0 + TEN);
        assert!(vigil.is_doubted());
        vigil.handle(Sign::Answered(Seen::default()), t0 + TEN * 2);
        assert!(!vigil.is_doubted());
    }

    #[test]
    fn a_child_at_work_is_not_judged_by_its_probes() {
        let (mut vigil, t0) = (vigil(), Instant::now());
        for n in 1..100 {
            let busy = Sign::Missed {
                seen: WAITS,
                ran: TEN / 20,
                took: TEN,
            };
            assert_eq!(vigil.handle(busy, t0 + TEN * n), Verdict::Fine);
        }
    }

    #[test]
    fn a_second_request_at_its_limit_is_a_hang_though_probes_are_answered() {
        let (mut vigil, t0) = (vigil(), Instant::now());
        let once = Seen {
            overdue: Overdue::Once(t0),
            ..WAITS
        };
        let suspect = Verdict::Suspect(Suspicion::Overdue);
        assert_eq!(vigil.handle(Sign::Seen(once), t0), suspect);
        assert_eq!(vigil.handle(Sign::Answered(once), t0 + TEN), suspect);
        let again = Seen {
            overdue: Overdue::Again,
            ..WAITS
        };
        let hung = Verdict::Hung(Suspicion::OverdueAgain);
        assert_eq!(vigil.handle(Sign::Answered(again), t0 + TEN), hung);
    }
}
