//! The one place where a model changes its residency.
//!
//! The scheduler lists models by residency, so that no event has to look at all of them. [`Scheduler::transition`]
//! keeps these lists in step; `invariants.rs` checks them in debug builds.

use super::Scheduler;
use crate::model::Residency;
use crate::{Memory, ModelId};

/// The list that models of a residency are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// `Scheduler::line`, and `Scheduler::newcomers` at first.
    Line,
    /// `Scheduler::claims`.
    Claims,
    /// `Scheduler::resident`.
    Resident,
    /// `Scheduler::retries`.
    Retries,
    /// No list.
    Unlisted,
}

impl Residency {
    pub(super) fn list(&self) -> List {
        match self {
            Self::Waiting { .. } => List::Line,
            Self::Claiming { .. } => List::Claims,
            Self::Loading { .. }
            | Self::Warm { .. }
            | Self::Draining { .. }
            | Self::Stopping { .. } => List::Resident,
            Self::Failed { until: Some(_) } => List::Retries,
            Self::Cold | Self::Inspecting { .. } | Self::Failed { until: None } | Self::Gone => {
                List::Unlisted
            }
        }
    }
}

impl Scheduler {
    /// Changes a model's residency and moves the model to the list of the new one.
    pub(super) fn transition(&mut self, at: ModelId, to: Residency) {
        let (from, list) = (self.models[at.0].residency.list(), to.list());
        // A model that begins to wait anew takes its new place in the line.
        if from != list || list == List::Line {
            self.take_off(at, from);
            self.put_on(at, list, &to);
        }
        self.models[at.0].residency = to;
    }

    fn take_off(&mut self, at: ModelId, list: List) {
        match list {
            List::Line => {
                self.line.retain(|other| *other != at);
                self.newcomers.retain(|other| *other != at);
            }
            List::Claims => self.claims.retain(|other| *other != at),
            List::Resident => {
                self.models[at.0].holds = Memory::NONE;
                self.resident.retain(|other| *other != at);
                self.stop_waiting_for(at);
                self.unsettled = true;
            }
            List::Retries => self.retries.retain(|other| *other != at),
            List::Unlisted => {}
        }
    }

    /// Removes a model that has left memory from the claims that wait for it: it may be back before they start.
    fn stop_waiting_for(&mut self, at: ModelId) {
        for claiming in &self.claims {
            if let Residency::Claiming { after, .. } = &mut self.models[claiming.0].residency {
                after.retain(|victim| *victim != at);
            }
        }
    }

    fn put_on(&mut self, at: ModelId, list: List, residency: &Residency) {
        match list {
            List::Line => self.queue_up(at, residency),
            List::Claims => self.claims.push(at),
            List::Resident => self.resident.push(at),
            List::Retries => self.retries.push(at),
            List::Unlisted => {}
        }
    }

    /// Inserts a model into the line behind those that have waited longer.
    fn queue_up(&mut self, at: ModelId, residency: &Residency) {
        let Residency::Waiting { since, needs } = residency else {
            return;
        };
        self.least = match self.line.is_empty() {
            true => *needs,
            false => self.least.least(needs),
        };
        let place = self.line.iter().position(|other| {
            matches!(&self.models[other.0].residency, Residency::Waiting { since: theirs, .. } if theirs > since)
        });
        self.line.insert(place.unwrap_or(self.line.len()), at);
        self.newcomers.push(at);
        self.unsettled = true;
    }
}
