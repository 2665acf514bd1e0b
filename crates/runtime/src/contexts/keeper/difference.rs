//! Compares the prompt of an answered request with the contexts that the child had restored.

use std::fs;
use std::time::Duration;

use paddock_contexts::PromptComparison;
use tokio::time::Instant;

use super::Keeper;
use crate::contexts::difference::{
    DifferenceError, DifferenceQuery, PromptDifference, find_slot, format_excerpt,
};
use crate::contexts::slots::ANSWER_LIMIT;

/// Maximum time for which a save may block the child: an operator who asks accepts that a request of that moment waits as
/// long as behind a swap.
const SAVE_LIMIT: Duration = Duration::from_secs(1);

impl Keeper {
    /// Answers a question about a request.
    pub(super) async fn answer_query(&mut self, query: DifferenceQuery) {
        let found = self.find_difference(&query).await;
        // Sending fails if the asker has left.
        let _ = query.reply.send(found);
    }

    async fn find_difference(
        &mut self,
        query: &DifferenceQuery,
    ) -> Result<PromptDifference, DifferenceError> {
        let prompt = self.read_prompt(query).await?;
        let ids = self.restored_ids.clone();
        let compared = self.store.compare(ids, prompt).await?;
        self.describe(&compared.ok_or(DifferenceError::NotStored)?)
            .await
    }

    /// Reads the prompt's tokens from the slot that still holds them.
    async fn read_prompt(&mut self, query: &DifferenceQuery) -> Result<Vec<i32>, DifferenceError> {
        let is_busy = |keeper: &Self| keeper.child.model.gate.in_flight() > 0;
        if is_busy(self) {
            return Err(DifferenceError::Busy);
        }
        // The next round saves the conversations of these answers.
        self.has_unsaved |= self.child.model.answers.count() != self.seen;
        self.take_answers();
        let slots = self.released_slots().await?;
        let tokens = slots.iter().map(|slot| slot.tokens);
        let index = find_slot(query.answer, self.answers.iter().copied(), tokens)?;
        let slot = slots[index];
        let estimate = self.costs.save_time(slot.tokens);
        if estimate > SAVE_LIMIT {
            return Err(DifferenceError::TooLong(estimate));
        }
        if is_busy(self) {
            return Err(DifferenceError::Busy);
        }
        let save = self.next_save(slot.id, Instant::now() + SAVE_LIMIT);
        let saved = save.save().await?;
        // A leftover is removed with the directory.
        let _ = fs::remove_file(&saved.file.path);
        let mut prompt = saved.conversation;
        if prompt.len() != slot.tokens as usize {
            // A request took the slot just before the save.
            return Err(DifferenceError::SlotTaken);
        }
        prompt.truncate(query.answer.prompt as usize);
        Ok(prompt)
    }

    async fn describe(
        &self,
        compared: &PromptComparison,
    ) -> Result<PromptDifference, DifferenceError> {
        let [context, prompt] = [&compared.context, &compared.prompt];
        let client = &self.client;
        let context_text = client.detokenize(&context.excerpt, ANSWER_LIMIT).await?;
        let prompt_text = client.detokenize(&prompt.excerpt, ANSWER_LIMIT).await?;
        Ok(PromptDifference {
            shared: compared.shared,
            context_tokens: context.len,
            context_text: format_excerpt(context, &context_text),
            prompt_text: format_excerpt(prompt, &prompt_text),
        })
    }
}
