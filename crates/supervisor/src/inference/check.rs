//! Decides when to probe a child after server errors, and when to replace it.
//!
//! A probe is a small inference request of paddock's own. Several server errors in a row start a round of probes; a
//! child is broken when enough rounds in a row fail.

use tokio::time::Instant;

use super::InferencePolicy;

/// The result of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// The child completed the request.
    Succeeded,
    /// The child answered with a server error that is its own fault, not the request's.
    Failed,
    /// Anything else: no answer in time, a rejection, or a route that the child does not have.
    Unknown,
}

/// The next step for a child that returns server errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeDecision {
    /// Do nothing until the next event.
    Wait,
    /// Send probe number `probe` of the round, after a pause if `after_pause` is set.
    Probe { probe: usize, after_pause: bool },
    /// Replace the child.
    Broken,
}

/// State of the check for one child, kept from its readiness to its exit.
#[derive(Debug, Default)]
pub(super) struct InferenceCheck {
    /// Number of consecutive failed rounds.
    failed_rounds: u32,
    /// The number of the current probe, while a round is in progress.
    probe: Option<usize>,
    /// No new round starts before this time.
    quiet_until: Option<Instant>,
}

impl InferenceCheck {
    pub(super) const fn failed_rounds(&self) -> u32 {
        self.failed_rounds
    }

    /// Decides, after `in_a_row` consecutive server errors of requests, if a round starts.
    pub(super) fn handle_errors(
        &mut self,
        policy: &InferencePolicy,
        in_a_row: u32,
        now: Instant,
    ) -> ProbeDecision {
        let is_quiet = self.quiet_until.is_some_and(|until| now < until);
        if in_a_row < policy.errors || policy.probes.is_empty() || self.probe.is_some() || is_quiet
        {
            return ProbeDecision::Wait;
        }
        self.probe = Some(0);
        ProbeDecision::Probe {
            probe: 0,
            after_pause: false,
        }
    }

    /// Handles the result of a probe; meanwhile there are `in_a_row` server errors.
    ///
    /// 1. A request has been answered meanwhile, or the probe did not fail: the child works.
    /// 2. Another kind of request may work: a model for embeddings fails all completions.
    /// 3. The round has failed: start another one, after which the child is broken.
    pub(super) fn handle_probe_result(
        &mut self,
        policy: &InferencePolicy,
        result: ProbeResult,
        in_a_row: u32,
        now: Instant,
    ) -> ProbeDecision {
        let probe = self.probe.unwrap_or_default();
        let works = match result {
            ProbeResult::Succeeded => true,
            ProbeResult::Failed => false,
            // An alternative probe without a result proves nothing.
            ProbeResult::Unknown => probe == 0,
        };
        // 1.
        if works || in_a_row < policy.errors {
            *self = Self {
                quiet_until: Some(now + policy.quiet),
                ..Self::default()
            };
            return ProbeDecision::Wait;
        }
        // 2.
        if probe + 1 < policy.probes.len() {
            self.probe = Some(probe + 1);
            return ProbeDecision::Probe {
                probe: probe + 1,
                after_pause: false,
            };
        }
        // 3.
        self.failed_rounds += 1;
        if self.failed_rounds >= policy.rounds {
            return ProbeDecision::Broken;
        }
        self.probe = Some(0);
        ProbeDecision::Probe {
            probe: 0,
            after_pause: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProbeResult::{Failed, Succeeded, Unknown};
    use super::*;

    fn policy() -> InferencePolicy {
        InferencePolicy {
            probes: vec![b"completion".to_vec(), b"embedding".to_vec()],
            ..InferencePolicy::default()
        }
    }

    const FIRST: ProbeDecision = ProbeDecision::Probe {
        probe: 0,
        after_pause: false,
    };
    const OTHER: ProbeDecision = ProbeDecision::Probe {
        probe: 1,
        after_pause: false,
    };
    const AGAIN: ProbeDecision = ProbeDecision::Probe {
        probe: 0,
        after_pause: true,
    };

    #[test]
    fn a_child_is_broken_when_both_rounds_fail_and_in_no_other_case() {
        let cases: [(&[ProbeResult], ProbeDecision); 10] = [
            (&[], FIRST),
            (&[Failed], OTHER),
            (&[Failed, Failed], AGAIN),
            (&[Failed, Unknown], AGAIN),
            (&[Failed, Unknown, Failed], OTHER),
            (&[Failed, Unknown, Failed, Unknown], ProbeDecision::Broken),
            (&[Failed, Succeeded], ProbeDecision::Wait),
            (&[Succeeded], ProbeDecision::Wait),
            // The child is busy, or requires a key of its own.
            (&[Unknown], ProbeDecision::Wait),
            (&[Failed, Unknown, Unknown], ProbeDecision::Wait),
        ];
        for (results, expected) in cases {
            let (mut check, now) = (InferenceCheck::default(), Instant::now());
            let mut decision = check.handle_errors(&policy(), 3, now);
            for result in results {
                decision = check.handle_probe_result(&policy(), *result, 3, now);
            }
            assert_eq!(decision, expected, "{results:?}");
        }
    }

    #[test]
    fn few_errors_and_errors_during_a_round_start_no_probe() {
        let (mut check, now) = (InferenceCheck::default(), Instant::now());
        for in_a_row in [0, 1, 2] {
            assert_eq!(
                check.handle_errors(&policy(), in_a_row, now),
                ProbeDecision::Wait
            );
        }
        assert_eq!(check.handle_errors(&policy(), 3, now), FIRST);
        assert_eq!(check.handle_errors(&policy(), 4, now), ProbeDecision::Wait);
        let mut check = InferenceCheck::default();
        let unprobed = InferencePolicy::default();
        assert_eq!(check.handle_errors(&unprobed, 99, now), ProbeDecision::Wait);
    }

    #[test]
    fn a_request_that_is_answered_meanwhile_proves_that_the_child_works() {
        let (mut check, now) = (InferenceCheck::default(), Instant::now());
        check.handle_errors(&policy(), 3, now);
        check.handle_probe_result(&policy(), Failed, 3, now);
        assert_eq!(
            check.handle_probe_result(&policy(), Failed, 0, now),
            ProbeDecision::Wait
        );
        assert_eq!(check.failed_rounds(), 0);
    }

    #[test]
    fn requests_that_fail_in_every_child_cost_a_probe_now_and_then() {
        let (mut check, mut now, mut probes) = (InferenceCheck::default(), Instant::now(), 0);
        for in_a_row in 3..63 {
            if check.handle_errors(&policy(), in_a_row, now) == FIRST {
                probes += 1;
                assert_eq!(
                    check.handle_probe_result(&policy(), Succeeded, in_a_row, now),
                    ProbeDecision::Wait
                );
            }
            now += std::time::Duration::from_secs(1);
        }
        assert_eq!(probes, 6);
    }
}
