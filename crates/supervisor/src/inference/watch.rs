//! Probes the inference of one child while its requests end in server errors.

use std::{future::Future, pin::Pin};

use tokio::{sync::watch, time::Instant};

use super::{
    InferenceErrors, InferencePolicy,
    check::{InferenceCheck, ProbeDecision, ProbeResult},
};
use crate::{Listener, probe};

/// The health of the child's inference, judged by paddock's own inference requests (probes), sent in rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InferenceHealth {
    Works,
    /// Requests have failed, and so have `rounds` rounds of probes.
    Suspect {
        rounds: u32,
    },
    Broken {
        rounds: u32,
    },
}

/// Watches one child from its readiness to its end.
pub(crate) struct InferenceWatch {
    policy: InferencePolicy,
    errors: InferenceErrors,
    /// Changes with each server error that follows another one.
    repeated: watch::Receiver<()>,
    listener: Listener,
    check: InferenceCheck,
    probing: Option<Pin<Box<dyn Future<Output = ProbeResult> + Send>>>,
}

impl InferenceWatch {
    pub(crate) fn new(
        policy: InferencePolicy,
        errors: InferenceErrors,
        listener: Listener,
    ) -> Self {
        errors.reset();
        Self {
            policy,
            repeated: errors.subscribe(),
            errors,
            listener,
            check: InferenceCheck::default(),
            probing: None,
        }
    }

    /// Waits for a change of the child's inference health. Cancel safe: a probe in progress continues with the
    /// next call.
    pub(crate) async fn next(&mut self) -> InferenceHealth {
        loop {
            let decision = match &mut self.probing {
                None => {
                    // `errors` holds the sender, so the channel is open.
                    let _ = self.repeated.changed().await;
                    let in_a_row = self.errors.in_a_row();
                    self.check
                        .handle_errors(&self.policy, in_a_row, Instant::now())
                }
                Some(probing) => {
                    let result = probing.await;
                    self.probing = None;
                    let in_a_row = self.errors.in_a_row();
                    let now = Instant::now();
                    match self
                        .check
                        .handle_probe_result(&self.policy, result, in_a_row, now)
                    {
                        ProbeDecision::Wait => return InferenceHealth::Works,
                        decision => decision,
                    }
                }
            };
            let rounds = self.check.failed_rounds();
            match decision {
                ProbeDecision::Wait => {}
                ProbeDecision::Broken => return InferenceHealth::Broken { rounds },
                ProbeDecision::Probe { probe, after_pause } => {
                    self.send(probe, after_pause);
                    return InferenceHealth::Suspect { rounds };
                }
            }
        }
    }

    fn send(&mut self, probe: usize, after_pause: bool) {
        let request = self.policy.probes.get(probe).cloned().unwrap_or_default();
        let pause = if after_pause {
            self.policy.pause
        } else {
            std::time::Duration::ZERO
        };
        let (limit, listener) = (self.policy.limit, self.listener.clone());
        self.probing = Some(Box::pin(async move {
            match probe::status(pause, limit, listener, &request).await {
                Some(200..=299) => ProbeResult::Succeeded,
                // 501: a route that the child does not have. 503: temporarily unavailable.
                Some(501 | 503) => ProbeResult::Unknown,
                Some(500..) => ProbeResult::Failed,
                Some(_) | None => ProbeResult::Unknown,
            }
        }));
    }
}
