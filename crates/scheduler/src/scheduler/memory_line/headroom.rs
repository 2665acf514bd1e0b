//! Computes the memory that models in line, those that wait for memory, can get.

use std::time::Instant;

use crate::Memory;
use crate::eviction::EvictionCandidate;
use crate::model::ScheduledModel;
use crate::scheduler::Scheduler;

/// The memory that can be given to models in line, kept up to date while one after the other is considered.
pub(in crate::scheduler) struct Headroom {
    pub(super) budget: Memory,
    /// The memory that is held or reserved, without models that are leaving.
    pub(super) taken: Memory,
    /// The budget without the memory of pinned models.
    pub(super) ceiling: Memory,
    /// The models that may be evicted at once.
    pub(in crate::scheduler) idle: Vec<EvictionCandidate>,
}

impl Headroom {
    /// Returns the memory that is neither held nor reserved.
    pub(super) fn unclaimed(&self) -> Memory {
        self.budget.minus(&self.taken)
    }

    /// Returns the memory that must be freed for a model that needs `needs`, including any excess over the budget in
    /// the pools that the model uses.
    pub(in crate::scheduler) fn missing(&self, needs: &Memory) -> Memory {
        let over = self.taken.plus(needs).minus(&self.budget);
        over.masked_by(needs)
    }

    /// Returns the memory that is free, or that idle models would free.
    pub(super) fn available_now(&self) -> Memory {
        let idle = self.idle.iter();
        idle.fold(self.unclaimed(), |sum, candidate| {
            sum.plus(&candidate.memory)
        })
    }
}

impl Scheduler {
    /// Returns the memory that can be given to models in line now.
    pub(in crate::scheduler) fn headroom(&mut self, now: Instant) -> Headroom {
        let kept = self.sum_memory(ScheduledModel::is_loaded_or_loading);
        let pinned = self.sum_memory(ScheduledModel::is_pinned_in_memory);
        Headroom {
            budget: self.budget,
            taken: kept.plus(&self.claimed_memory()),
            ceiling: self.budget.minus(&pinned),
            idle: self.candidates(now, false),
        }
    }
}
