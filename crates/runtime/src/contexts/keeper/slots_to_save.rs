//! Chooses the slots that the keeper saves.

use std::time::Duration;

use paddock_admission::recent_answers::AnswerTokens;
use paddock_contexts::{Occasion, SlotState, plan_saves};
use tokio::time::sleep;

use super::Keeper;
use crate::contexts::error::SlotsError;
use crate::contexts::slots::{ANSWER_LIMIT, Slot};

/// Time between two queries for slots that have sent their answers and are not idle yet.
const RELEASE_INTERVAL: Duration = Duration::from_millis(10);

/// Maximum number of such queries.
const MAX_RELEASE_QUERIES: u32 = 20;

impl Keeper {
    /// Asks the child for its idle slots, after a short wait for those that have just sent their answers.
    pub(super) async fn released_slots(&self) -> Result<Vec<Slot>, SlotsError> {
        let mut slots = self.client.slots(ANSWER_LIMIT).await?;
        for _ in 0..MAX_RELEASE_QUERIES {
            let is_busy = slots.iter().any(|slot| slot.cached.is_some());
            if !is_busy || self.child.model.gate.in_flight() > 0 {
                break;
            }
            sleep(RELEASE_INTERVAL).await;
            slots = self.client.slots(ANSWER_LIMIT).await?;
        }
        slots.retain(|slot| slot.cached.is_none());
        Ok(slots)
    }

    /// Asks the child for its slots and returns those to save, in order.
    pub(super) async fn plan(&self, occasion: Occasion) -> Vec<(Slot, SlotState)> {
        let slots = match self.released_slots().await {
            Ok(slots) => slots,
            Err(error) => {
                tracing::debug!(model = self.child.model.name, %error, "cannot list the child's slots; nothing is saved");
                return Vec::new();
            }
        };
        let newest = slots.iter().map(|slot| slot.last_task).max().unwrap_or(0);
        let states = slots.iter().map(|slot| SlotState {
            slot: slot.id,
            tokens: slot.tokens,
            saved_tokens: self.saved_tokens(slot, occasion),
            // The child reports no time of use. Only the order matters, and task numbers have the same order.
            idle: Duration::from_millis((newest - slot.last_task).unsigned_abs()),
        });
        let planned = plan_saves(&states.collect::<Vec<_>>(), &self.costs, occasion);
        let planned = planned.into_iter().filter_map(|state| {
            let slot = slots.iter().find(|slot| slot.id == state.slot)?;
            Some((*slot, state))
        });
        planned.collect()
    }

    fn saved_tokens(&self, slot: &Slot, occasion: Occasion) -> u32 {
        if self.partial.contains(&slot.id) && matches!(occasion, Occasion::Stopping(_)) {
            return 0;
        }
        let is_last = |answer: &&AnswerTokens| answer.prompt + answer.generated == slot.tokens + 1;
        let answer = self.answers.iter().rev().find(is_last);
        let cached = answer.map(|answer| answer.cached);
        self.saved.saved_tokens(slot.id, slot.last_task, cached)
    }
}
