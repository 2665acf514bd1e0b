//! Pins: whom nobody may send away.

use super::Scheduler;
use crate::model::{Residency, UnloadReason};
use crate::{ModelId, Note, PinnedBy};

impl Scheduler {
    /// Pinned, a model goes for no other one, nor for being idle; it is not loaded for that. Unpinned,
    /// it is like any other at once, for those who wait as well.
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
            // There is less now for those in line. Who needs more is told so at once.
            self.newcomers = self.line.iter().copied().collect();
        }
    }
}
