//! Checks of the models that wait for memory, after every event.

use super::*;
use crate::eviction::choose_victims;

impl World {
    /// Checks that no model waits for memory that it could have now.
    pub(super) fn check_line(&mut self) {
        if self.shut_down {
            return;
        }
        self.check_claims();
        let now = self.now;
        let headroom = self.scheduler.headroom(now);
        let busy = self.scheduler.candidates(now, true);
        for at in self.scheduler.line.clone() {
            let Residency::Waiting { since, needs } = self.scheduler.models[at.0].residency else {
                continue;
            };
            let missing = headroom.missing(&needs);
            let is_due = now >= since + self.scheduler.policy.max_wait;
            let victims = if is_due { &busy } else { &headroom.idle };
            assert!(
                missing != Memory::NONE && choose_victims(victims, &missing).is_none(),
                "{at:?} waits for {missing:?}, and could have it"
            );
            // No later model may overtake this one.
            if is_due {
                break;
            }
        }
    }

    /// Checks that every claim will be met: leaving models hold the memory that is missing for it.
    fn check_claims(&self) {
        let leaves = |at: &ModelId| !self.scheduler.models[at.0].is_loaded_or_loading();
        assert!(
            self.scheduler.claims.is_empty() || self.scheduler.resident.iter().any(leaves),
            "{:?} are to start, and nobody leaves for them",
            self.scheduler.claims
        );
    }
}
