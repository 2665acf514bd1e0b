//! Pins and unpins models. A pinned model is neither evicted nor unloaded for being idle.

use super::Scheduler;
use crate::model::{Residency, UnloadReason};
use crate::{ModelId, Note, PinnedBy};

impl Scheduler {
    /// Pins or unpins a model. Pinning does not load it. Unpinning takes effect at once, also for models in
    /// line.
    pub(super) fn pin(&mut self, model_id: ModelId, pinned: bool, by: PinnedBy) {
        let Some(model) = self.models.get_mut(model_id.0) else {
            return;
        };
        if model.pinned == pinned || model.residency == Residency::Removed {
            return;
        }
        model.pinned = pinned;
        self.needs_settling = true;
        if !pinned {
            return self.note(model_id, Note::Unpinned { by });
        }
        self.note(model_id, Note::Pinned { by });
        if let Residency::Draining {
            reason: UnloadReason::MakesRoom { .. },
            ..
        } = self.models[model_id.0].residency
        {
            self.revoke_claims();
        }
        if self.models[model_id.0].is_loaded_or_loading() {
            // Less memory is available for the models in line, and those that need more are refused at once.
            self.newcomers = self.line.iter().copied().collect();
        }
    }
}
