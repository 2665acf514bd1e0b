//! Watches a ready child: always for its exit, and with probes only while requests wait long for an answer or end in
//! server errors.

use tokio::time::{Duration, Instant};

use super::{Actor, Ending, RunningChild, desired_at_least};
use crate::{
    State,
    desired_state::DesiredState,
    inference::{InferenceHealth, InferenceWatch},
    liveness::{HangEvidence, Liveness, LivenessCheck, LivenessEvent},
    probe,
};

impl Actor {
    /// Waits for the end of a ready child, and watches it while requests wait for it or end in errors.
    pub(super) async fn watch_until_end(
        &mut self,
        run: &mut RunningChild,
        since: Instant,
    ) -> Ending {
        let stalls = self.spec.stalls.clone();
        stalls.reset();
        let mut changes = stalls.subscribe();
        let mut liveness = LivenessCheck::new(self.spec.liveness, stalls.counters());
        let limit = self.spec.liveness.probe_timeout;
        let ask = |delay| probe::answers_within(delay, limit, run.listener.clone());
        let probing = ask(Duration::ZERO);
        tokio::pin!(probing);
        let mut inference = self.watch_inference(run);
        let (mut begun, mut cpu_time) = (Instant::now(), run.process.cpu_time());
        let mut published = ObservedHealth::default();
        self.publish_ready(run, since, None);
        loop {
            let is_probing = liveness.is_probing();
            let answered = tokio::select! {
                biased;
                exit = run.process.wait() => return Ending::Exited(exit),
                () = desired_at_least(&mut self.desired, DesiredState::Stopped) => return Ending::StopRequested,
                // The spec holds the sender, so the channel is open.
                _ = changes.changed() => None,
                answered = &mut probing, if is_probing => Some(answered),
                liveness_now = inference.next() => {
                    if let Some(ending) = self.update_health(run, since, &mut published, |health| health.inference = liveness_now) {
                        return ending;
                    }
                    continue;
                }
            };
            let (now, counters) = (Instant::now(), stalls.counters());
            let event = match answered {
                None => LivenessEvent::RequestsChanged(counters),
                Some(true) => LivenessEvent::ProbeAnswered(counters),
                Some(false) => LivenessEvent::ProbeMissed {
                    counters,
                    cpu_time: run.process.cpu_time().saturating_sub(cpu_time),
                    took: now - begun,
                },
            };
            let liveness_now = liveness.handle(event, now);
            if let Some(ending) = self.update_health(run, since, &mut published, |health| {
                health.liveness = liveness_now;
            }) {
                return ending;
            }
            if answered.is_some() || !is_probing {
                let delay = if answered == Some(true) {
                    limit
                } else {
                    Duration::ZERO
                };
                probing.set(ask(delay));
                (begun, cpu_time) = (now + delay, run.process.cpu_time());
            }
        }
    }

    fn watch_inference(&self, run: &RunningChild) -> InferenceWatch {
        let errors = self.spec.inference_errors.clone();
        InferenceWatch::new(self.spec.inference.clone(), errors, run.listener.clone())
    }

    /// Applies a change of the child's health, and publishes it. Returns the child's end if it must be
    /// replaced.
    fn update_health(
        &self,
        run: &RunningChild,
        since: Instant,
        published: &mut ObservedHealth,
        change: impl FnOnce(&mut ObservedHealth),
    ) -> Option<Ending> {
        let before = *published;
        change(published);
        if *published != before {
            match published.worse() {
                Liveness::Healthy => self.publish_ready(run, since, None),
                Liveness::Suspect(why) => self.publish_ready(run, since, Some(why)),
                Liveness::Hung(why) => return Some(Ending::Hung(why)),
            }
        }
        None
    }

    fn publish_ready(&self, run: &RunningChild, since: Instant, evidence: Option<HangEvidence>) {
        self.state.publish(State::Ready {
            pid: run.process.id(),
            generation: self.generation,
            since,
            listener: run.listener.clone(),
            hang_evidence: evidence.map(|why| why.to_string().into()),
        });
    }
}

/// The observed health of a child that serves.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ObservedHealth {
    liveness: Liveness,
    inference: InferenceHealth,
}

impl Default for ObservedHealth {
    fn default() -> Self {
        Self {
            liveness: Liveness::Healthy,
            inference: InferenceHealth::Works,
        }
    }
}

impl ObservedHealth {
    /// Returns the worse of both.
    fn worse(self) -> Liveness {
        let errors = |rounds| HangEvidence::ServerErrors { rounds };
        match (self.liveness, self.inference) {
            (hung @ Liveness::Hung(_), _) => hung,
            (_, InferenceHealth::Broken { rounds }) => Liveness::Hung(errors(rounds)),
            (Liveness::Healthy, InferenceHealth::Suspect { rounds }) => {
                Liveness::Suspect(errors(rounds))
            }
            (liveness, _) => liveness,
        }
    }
}
