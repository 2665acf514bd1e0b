//! The invariants of the scheduler between two events, checked in debug builds.
//!
//! A model is on one list at most: in *line* while it waits for memory; among the *claims* while memory is reserved for
//! it, until the models evicted for it have left; *resident* while it holds memory; among the *retries* after a failed
//! load. *Newcomers* are models that joined the line since it was last served, and `smallest_need` is a lower bound of
//! what any model in line needs, so that the line is not searched for less.

use super::transition::ResidencyList;
use super::{Scheduler, ServicePhase};
use crate::model::{Residency, ScheduledModel, UnloadReason};
use crate::{Memory, ModelId};
use std::collections::HashSet;

impl Scheduler {
    /// Panics if an invariant is broken. Takes time proportional to the number of models, not of requests.
    pub(super) fn check_invariants(&self) {
        self.check_lists();
        for (at, model) in self.models.iter().enumerate() {
            check_model(at, model);
        }
        let queued: usize = self.models.iter().map(|model| model.queue.len()).sum();
        assert_eq!(self.queued.len(), queued, "queued requests in all queues");
        assert!(self.timeouts.len() >= queued, "each has a timeout");
        if self.phase != ServicePhase::Serving {
            assert_eq!((queued, self.line.len(), self.claims.len()), (0, 0, 0));
        }
    }

    /// Checks that each model is on the list of its residency, once, and on no other list.
    fn check_lists(&self) {
        let lists = [
            (ResidencyList::Line, self.line.iter().copied().collect()),
            (ResidencyList::Claims, self.claims.clone()),
            (ResidencyList::Resident, self.resident.clone()),
            (ResidencyList::Retries, self.retries.clone()),
        ];
        for (list, listed) in lists {
            let set: HashSet<ModelId> = listed.iter().copied().collect();
            assert_eq!(set.len(), listed.len(), "{list:?} lists a model twice");
            for (at, model) in self.models.iter().enumerate() {
                let belongs = model.residency.list() == list;
                assert_eq!(
                    set.contains(&ModelId(at)),
                    belongs,
                    "{list:?} and {at}: {:?}",
                    model.residency
                );
            }
        }
        let waiting = self.line.iter().map(|at| &self.models[at.0].residency);
        let since = waiting.filter_map(|residency| match residency {
            Residency::Waiting { since, needs } => {
                assert!(
                    self.smallest_need.fits(needs),
                    "{:?} is more than {needs:?}",
                    self.smallest_need
                );
                Some(since)
            }
            _ => None,
        });
        assert!(since.is_sorted(), "the line is in order");
        assert!(
            self.newcomers.iter().all(|at| self.line.contains(at)),
            "newcomers are in line"
        );
    }
}

fn check_model(at: usize, model: &ScheduledModel) {
    let is_resident = model.residency.list() == ResidencyList::Resident;
    assert!(
        is_resident || model.memory == Memory::NONE,
        "{at} holds memory and is not resident: {:?}",
        model.residency
    );
    assert!(
        !model.gate.is_open() || (model.routable_generation().is_some() && model.queue.is_empty()),
        "the gate of {at} is open: {:?}",
        model.residency
    );
    let yields = matches!(
        model.residency,
        Residency::Draining {
            reason: UnloadReason::MakesRoom { .. },
            ..
        }
    );
    assert!(!model.pinned || !yields, "{at} is pinned and yields");
}
