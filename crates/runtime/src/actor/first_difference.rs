//! Passes questions about the prompts of answered requests on to the keepers of the models' children.

use paddock_scheduler::ModelId;

use super::Runtime;
use crate::contexts::{DifferenceError, DifferenceQuery};

impl Runtime {
    /// Passes a question about an answered request to the keeper of the model's child.
    pub(super) fn find_difference(&self, id: ModelId, query: DifferenceQuery) {
        let running = self
            .entries
            .get(id.0)
            .and_then(|entry| entry.running.as_ref());
        let ready = running.filter(|running| running.ready.is_some());
        let refusal = match ready.map(|running| &running.keeper) {
            Some(Some(keeper)) => match keeper.ask(query) {
                Ok(()) => return,
                Err(refused) => refused,
            },
            Some(None) => (query, DifferenceError::NotKept),
            None => (query, DifferenceError::NotLoaded),
        };
        let (query, error) = refusal;
        // Sending fails if the asker has left.
        let _ = query.reply.send(Err(error));
    }
}
