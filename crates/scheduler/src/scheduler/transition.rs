//! Changes a model's residency: its state, such as `Cold`, `Waiting` or `Warm`. No other code changes it.
//!
//! The scheduler keeps lists of models by residency, so that no event has to look at all models.
//! [`Scheduler::transition`] keeps the lists in step; `invariants.rs` checks them in debug builds.

use super::Scheduler;
use crate::model::Residency;
use crate::{Memory, ModelId};

/// The list that models of a residency are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResidencyList {
    /// `Scheduler::line`: waits for memory. Until the line is served again, also on `Scheduler::newcomers`.
    Line,
    /// `Scheduler::claims`: memory is reserved for the model, which is not started yet.
    Claims,
    /// `Scheduler::resident`: holds memory.
    Resident,
    /// `Scheduler::retries`: has failed, and is tried again after a time.
    Retries,
    /// No list.
    Unlisted,
}

impl Residency {
    /// Returns the list that models of this residency are on.
    pub(super) fn list(&self) -> ResidencyList {
        match self {
            Self::Waiting { .. } => ResidencyList::Line,
            Self::Claiming { .. } => ResidencyList::Claims,
            Self::Loading { .. }
            | Self::Warm { .. }
            | Self::Draining { .. }
            | Self::Stopping { .. } => ResidencyList::Resident,
            Self::Failed { until: Some(_) } => ResidencyList::Retries,
            Self::Cold | Self::Inspecting { .. } | Self::Failed { until: None } | Self::Removed => {
                ResidencyList::Unlisted
            }
        }
    }
}

impl Scheduler {
    /// Changes a model's residency and moves the model to the list of the new one.
    pub(super) fn transition(&mut self, model_id: ModelId, to: Residency) {
        let (from, list) = (self.models[model_id.0].residency.list(), to.list());
        // A model that starts to wait again takes its new place in the line.
        if from != list || list == ResidencyList::Line {
            self.remove_from_list(model_id, from);
            self.add_to_list(model_id, list, &to);
        }
        self.models[model_id.0].residency = to;
    }

    /// Removes a model from the list of its old residency.
    fn remove_from_list(&mut self, model_id: ModelId, list: ResidencyList) {
        match list {
            ResidencyList::Line => {
                self.line.retain(|other| *other != model_id);
                self.newcomers.retain(|other| *other != model_id);
            }
            ResidencyList::Claims => self.claims.retain(|other| *other != model_id),
            ResidencyList::Resident => {
                self.models[model_id.0].memory = Memory::NONE;
                self.resident.retain(|other| *other != model_id);
                self.stop_waiting_for(model_id);
                self.needs_settling = true;
            }
            ResidencyList::Retries => self.retries.retain(|other| *other != model_id),
            ResidencyList::Unlisted => {}
        }
    }

    /// Removes a model that has left memory from the claims that wait for it: it may be back before they start.
    fn stop_waiting_for(&mut self, model_id: ModelId) {
        for claiming in &self.claims {
            if let Residency::Claiming { after, .. } = &mut self.models[claiming.0].residency {
                after.retain(|victim| *victim != model_id);
            }
        }
    }

    fn add_to_list(&mut self, model_id: ModelId, list: ResidencyList, residency: &Residency) {
        match list {
            ResidencyList::Line => self.insert_in_line(model_id, residency),
            ResidencyList::Claims => self.claims.push(model_id),
            ResidencyList::Resident => self.resident.push(model_id),
            ResidencyList::Retries => self.retries.push(model_id),
            ResidencyList::Unlisted => {}
        }
    }

    /// Inserts a model into the line behind those that have waited longer.
    fn insert_in_line(&mut self, model_id: ModelId, residency: &Residency) {
        let Residency::Waiting { since, needs } = residency else {
            return;
        };
        self.smallest_need = match self.line.is_empty() {
            true => *needs,
            false => self.smallest_need.min_per_pool(needs),
        };
        let place = self.line.iter().position(|other| {
            matches!(&self.models[other.0].residency, Residency::Waiting { since: theirs, .. } if theirs > since)
        });
        self.line.insert(place.unwrap_or(self.line.len()), model_id);
        self.newcomers.push(model_id);
        self.needs_settling = true;
    }
}
