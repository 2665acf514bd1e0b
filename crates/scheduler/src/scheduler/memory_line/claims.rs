//! Makes, checks and fulfils claims: memory that is reserved for a model until the models evicted for it have left.

use std::time::Instant;

use super::headroom::Headroom;
use crate::eviction::EvictionCandidate;
use crate::model::{Residency, ScheduledModel};
use crate::scheduler::Scheduler;
use crate::{Action, ModelId, Note};

impl Scheduler {
    /// Reserves memory for a model until it can start, once `victims`, the models evicted for it, have left.
    pub(super) fn claim(
        &mut self,
        model_id: ModelId,
        victims: Vec<EvictionCandidate>,
        headroom: &mut Headroom,
    ) {
        let Residency::Waiting { since, needs } = self.models[model_id.0].residency else {
            return;
        };
        headroom.taken = headroom.taken.plus(&needs);
        let after: Vec<ModelId> = victims.into_iter().map(|victim| victim.model).collect();
        if !after.is_empty() {
            let victims = after.clone();
            self.note(model_id, Note::MakesRoom { needs, victims });
            self.actions.push(Action::Prefetch { model: model_id });
        }
        let claiming = Residency::Claiming {
            since,
            needs,
            after,
        };
        self.transition(model_id, claiming);
    }

    /// Returns true if a claim counts on memory that will not be free when every leaving model has left,
    /// because a model was measured to hold more or the budget shrank.
    pub(super) fn is_overpromised(&self) -> bool {
        let taken = self
            .sum_memory(ScheduledModel::is_loaded_or_loading)
            .plus(&self.claimed_memory());
        let over = taken.minus(&self.budget);
        self.claims
            .iter()
            .any(|model_id| match &self.models[model_id.0].residency {
                Residency::Claiming { needs, .. } => over.overlaps(needs),
                _ => false,
            })
    }

    /// Starts the models whose memory is free now, in the order of their claims. Returns true if one of them
    /// left part of its claim to others: after a load that ran out of memory the claim exceeds the expected
    /// need.
    pub(super) fn start_claims(&mut self, now: Instant) -> bool {
        let mut leaves_some = false;
        let mut free = self.budget.minus(&self.sum_memory(|_| true));
        for model_id in self.claims.clone() {
            let Residency::Claiming { needs, after, .. } = &self.models[model_id.0].residency
            else {
                continue;
            };
            let needs = *needs;
            let gone = !after.iter().any(|victim| self.resident.contains(victim));
            if gone && needs.fits(&free) {
                self.start(model_id, free, now);
                leaves_some |= !needs.fits(&self.models[model_id.0].memory);
            }
            free = free.minus(&needs);
        }
        leaves_some
    }
}
