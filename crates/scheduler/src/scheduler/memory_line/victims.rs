//! Finds the models that may be evicted, and evicts them.

use std::time::{Duration, Instant};

use super::headroom::Headroom;
use crate::eviction::EvictionCandidate;
use crate::model::{Residency, ScheduledModel, UnloadReason};
use crate::scheduler::Scheduler;
use crate::{Memory, ModelId, Note};

/// The minimum load time in the worth of a model (recent uses times load time): even a fast reload has a cost.
const MIN_LOAD_TIME: Duration = Duration::from_millis(100);

impl Scheduler {
    /// Returns the models that may be evicted: idle ones that have been ready for their minimum residency, and
    /// loading ones that are no longer wanted. With `busy`, also models in use that have served for at least as
    /// long as their load took.
    pub(in crate::scheduler) fn candidates(
        &mut self,
        now: Instant,
        busy: bool,
    ) -> Vec<EvictionCandidate> {
        let mut found = Vec::new();
        for model_id in self.resident.clone() {
            let unused = self.is_unused(model_id, now);
            let model = &mut self.models[model_id.0];
            let is_evictable = match model.residency {
                Residency::Loading { .. } => unused,
                Residency::Warm { since, .. } => {
                    let min_residency = match unused {
                        true => self.policy.min_residency,
                        false => self.policy.min_residency.max(model.demand.load),
                    };
                    (unused || busy) && now >= since + min_residency
                }
                _ => false,
            };
            if is_evictable && !model.pinned {
                let last = self.epoch.moment(model.gate.last_release());
                let recent_uses = model
                    .recent_uses
                    .update(model.gate.release_count(), last, now);
                found.push(EvictionCandidate {
                    model: model_id,
                    memory: model.memory,
                    worth: recent_uses * model.demand.load.max(MIN_LOAD_TIME).as_secs_f64(),
                });
            }
        }
        found
    }

    /// Evicts idle models until the budget is kept again, after models were measured to hold more than
    /// expected.
    pub(super) fn evict_over_budget(&mut self, now: Instant) {
        let over = self
            .sum_memory(ScheduledModel::is_loaded_or_loading)
            .minus(&self.budget);
        if over == Memory::NONE {
            return;
        }
        let mut idle = self.candidates(now, false);
        idle.sort_by(|a, b| a.worth.total_cmp(&b.worth));
        let mut freed = Memory::NONE;
        for candidate in idle {
            let model_id = candidate.model;
            if over.fits(&freed) {
                break;
            }
            let idle = self.idle_time(model_id, now).unwrap_or_default();
            if candidate.memory.overlaps(&over) && self.models[model_id.0].gate.shut_if_idle() {
                freed = freed.plus(&candidate.memory);
                self.note(model_id, Note::OverBudget { idle, over });
                self.stop(model_id, UnloadReason::Evicted);
            }
        }
    }

    /// Evicts idle models. Returns false if one of them was in use after all: that one stays, and the choice
    /// must be made again.
    pub(super) fn evict(
        &mut self,
        by: ModelId,
        victims: &[EvictionCandidate],
        headroom: &mut Headroom,
        now: Instant,
    ) -> bool {
        for victim in victims {
            let model_id = victim.model;
            headroom.idle.retain(|idle| idle.model != model_id);
            let idle = self.idle_time(model_id, now).unwrap_or_default();
            if !self.models[model_id.0].gate.shut_if_idle() {
                return false;
            }
            self.note(
                model_id,
                Note::Evicted {
                    by,
                    idle,
                    worth: victim.worth,
                    frees: victim.memory,
                },
            );
            self.stop(model_id, UnloadReason::Evicted);
            headroom.taken = headroom.taken.minus(&victim.memory);
        }
        true
    }
}
