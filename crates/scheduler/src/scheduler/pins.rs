//! Pins: whom nobody may send away.

use super::Scheduler;
use crate::model::{Leaving, Residency};
use crate::{ModelId, Note, PinnedBy};

impl Scheduler {
    /// Pinned, a model goes for no other one, nor for being idle; it is not loaded for that. Unpinned,
    /// it is like any other at once, for those who wait as well.
    pub(super) fn pin(&mut self, at: ModelId, pinned: bool, by: PinnedBy) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        if model.pinned == pinned || model.residency == Residency::Gone {
            return;
        }
        model.pinned = pinned;
        self.unsettled = true;
        if !pinned {
            return self.note(at, Note::Unpinned { by });
        }
        self.note(at, Note::Pinned { by });
        if let Residency::Draining {
            why: Leaving::Yields { .. },
            ..
        } = self.models[at.0].residency
        {
            self.take_claims_back();
        }
        if self.models[at.0].stays() {
            // There is less now for those in line. Who needs more is told so at once.
            self.newcomers = self.line.iter().copied().collect();
        }
    }
}
