//! Decides whether and when a failed child is restarted.

use std::time::Duration;

use crate::{FailureClass, deadline::MAX_DELAY};

/// Limits of restarting.
///
/// A failure costs one restart of the budget, unless the child had been ready for `stable_after`: then the
/// budget is full again. A spent budget opens the breaker: after `breaker` one child is tried, and its failure
/// opens the breaker again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Restarts in a row before the breaker opens; with 0 it opens on the first failure.
    pub budget: u32,
    /// Delay before the first restart; doubles with each further one.
    pub first_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// Time after readiness from which on a child counts as stable.
    pub stable_after: Duration,
    /// Time the breaker stays open before one more child is tried.
    pub breaker: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            budget: 5,
            first_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(30),
            stable_after: Duration::from_secs(30),
            breaker: Duration::from_mins(1),
        }
    }
}

/// The decision after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartDecision {
    /// Restart after `delay`; `attempt` restarts of the budget are used then.
    Retry { attempt: u32, delay: Duration },
    /// The breaker is open: try one child after `delay`.
    Pause { delay: Duration },
    /// Do not retry: only a change from outside can help.
    GiveUp,
}

/// Counts restarts against the policy.
#[derive(Debug)]
pub(crate) struct RestartCounter {
    policy: RestartPolicy,
    used: u32,
}

impl RestartCounter {
    pub(crate) const fn new(policy: RestartPolicy, used: u32) -> Self {
        Self { policy, used }
    }

    /// Decides after a failure.
    ///
    /// `ready_for` is the time for which the child had been ready; `jitter`, from 0 to 1, shortens the delay
    /// by up to a quarter, so that instances that died together do not all return together.
    ///
    /// 1. Not retryable: give up.
    /// 2. The child was stable: the budget is full again, and this restart costs nothing.
    /// 3. Budget left: retry, later each time.
    /// 4. Budget spent: the breaker opens.
    pub(crate) fn handle_failure(
        &mut self,
        class: FailureClass,
        ready_for: Option<Duration>,
        jitter: f64,
    ) -> RestartDecision {
        // 1.
        if !class.is_retryable() {
            return RestartDecision::GiveUp;
        }
        // 2.
        if ready_for.is_some_and(|time| time >= self.policy.stable_after) {
            self.used = 0;
            return RestartDecision::Retry {
                attempt: 0,
                delay: self.delay(0, jitter),
            };
        }
        // 3.
        if self.used < self.policy.budget {
            let delay = self.delay(self.used, jitter);
            self.used += 1;
            return RestartDecision::Retry {
                attempt: self.used,
                delay,
            };
        }
        // 4.
        RestartDecision::Pause {
            delay: self.policy.breaker,
        }
    }

    /// Computes the delay after `doublings`, shortened by the jitter.
    fn delay(&self, doublings: u32, jitter: f64) -> Duration {
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let full = self
            .policy
            .first_delay
            .saturating_mul(factor)
            .min(self.policy.max_delay)
            .min(MAX_DELAY);
        full.mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restarts() -> RestartCounter {
        RestartCounter::new(RestartPolicy::default(), 0)
    }

    fn retry(attempt: u32, millis: u64) -> RestartDecision {
        RestartDecision::Retry {
            attempt,
            delay: Duration::from_millis(millis),
        }
    }

    const OPEN: RestartDecision = RestartDecision::Pause {
        delay: Duration::from_mins(1),
    };

    #[test]
    fn a_crash_loop_backs_off_and_then_opens_the_breaker() {
        let mut restarts = restarts();
        let seen: Vec<_> = (0..8)
            .map(|_| restarts.handle_failure(FailureClass::Crashed, None, 0.0))
            .collect();
        let want = [
            retry(1, 250),
            retry(2, 500),
            retry(3, 1000),
            retry(4, 2000),
            retry(5, 4000),
            OPEN,
            OPEN,
            OPEN,
        ];
        assert_eq!(seen, want);
    }

    #[test]
    fn the_delay_has_a_limit_however_many_restarts_there_are() {
        let mut restarts = RestartCounter::new(
            RestartPolicy {
                budget: 100,
                ..RestartPolicy::default()
            },
            0,
        );
        let last = (0..100)
            .map(|_| restarts.handle_failure(FailureClass::Killed, None, 0.0))
            .last();
        assert_eq!(last, Some(retry(100, 30_000)));
    }

    #[test]
    fn jitter_shortens_by_a_quarter_at_most() {
        assert_eq!(
            restarts().handle_failure(FailureClass::Unknown, None, 1.0),
            retry(1, 187).plus_micros(500)
        );
        assert_eq!(
            restarts().handle_failure(FailureClass::Unknown, None, 9.0),
            retry(1, 187).plus_micros(500)
        );
        assert_eq!(
            restarts().handle_failure(FailureClass::Unknown, None, -1.0),
            retry(1, 250)
        );
    }

    impl RestartDecision {
        fn plus_micros(self, micros: u64) -> Self {
            match self {
                Self::Retry { attempt, delay } => Self::Retry {
                    attempt,
                    delay: delay + Duration::from_micros(micros),
                },
                Self::Pause { .. } | Self::GiveUp => self,
            }
        }
    }

    #[test]
    fn a_crash_after_a_stable_run_costs_nothing() {
        let mut restarts = restarts();
        let stable = Some(Duration::from_secs(30));
        for _ in 0..20 {
            assert_eq!(
                restarts.handle_failure(FailureClass::Killed, stable, 0.0),
                retry(0, 250)
            );
        }
        assert_eq!(
            restarts.handle_failure(FailureClass::Killed, None, 0.0),
            retry(1, 250)
        );
    }

    #[test]
    fn a_crash_just_before_it_counts_as_stable_costs_one() {
        let mut restarts = restarts();
        let almost = Some(Duration::from_millis(29_999));
        assert_eq!(
            restarts.handle_failure(FailureClass::Crashed, almost, 0.0),
            retry(1, 250)
        );
        assert_eq!(
            restarts.handle_failure(FailureClass::Crashed, almost, 0.0),
            retry(2, 500)
        );
    }

    #[test]
    fn a_stable_run_closes_the_breaker() {
        let mut restarts = restarts();
        for _ in 0..7 {
            restarts.handle_failure(FailureClass::Crashed, None, 0.0);
        }
        let stable = Some(Duration::from_secs(31));
        assert_eq!(
            restarts.handle_failure(FailureClass::Crashed, stable, 0.0),
            retry(0, 250)
        );
        assert_eq!(
            restarts.handle_failure(FailureClass::Crashed, None, 0.0),
            retry(1, 250)
        );
    }

    #[test]
    fn what_cannot_help_is_not_tried() {
        use FailureClass::*;
        let pointless = [
            BadFile,
            BadFlag,
            MissingBinary,
            NotExecutable,
            MissingLibrary,
            IllegalInstruction,
            AssertionFailed,
        ];
        for class in pointless {
            assert_eq!(
                restarts().handle_failure(class, None, 0.0),
                RestartDecision::GiveUp,
                "{class}"
            );
        }
        for class in [
            OutOfMemory,
            DiskFull,
            TooManyFiles,
            TooManyProcesses,
            AddressInUse,
            Killed,
            Aborted,
            Crashed,
            StartupTimeout,
            Unresponsive,
            InferenceFailed,
            Unknown,
        ] {
            assert_eq!(
                restarts().handle_failure(class, None, 0.0),
                retry(1, 250),
                "{class}"
            );
        }
    }

    #[test]
    fn without_a_budget_the_breaker_opens_at_once() {
        let mut restarts = RestartCounter::new(
            RestartPolicy {
                budget: 0,
                ..RestartPolicy::default()
            },
            0,
        );
        assert_eq!(
            restarts.handle_failure(FailureClass::Crashed, None, 0.0),
            OPEN
        );
    }
}
