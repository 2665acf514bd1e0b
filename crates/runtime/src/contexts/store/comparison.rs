//! Compares a prompt with stored contexts.

use paddock_contexts::{ContextRef, PromptComparison, compare_prompt};
use rusqlite::OptionalExtension as _;

use super::super::error::ContextsError;
use super::ContextStore;

impl ContextStore {
    /// Compares a prompt with these contexts and returns the comparison with the one that shares most tokens. Returns
    /// `None` if the store has none of them.
    pub(crate) fn compare(
        &self,
        ids: &[i64],
        prompt: &[i32],
    ) -> Result<Option<PromptComparison>, ContextsError> {
        let mut nearest: Option<PromptComparison> = None;
        for &id in ids {
            let Some(tokens) = self.tokens(id)? else {
                continue;
            };
            let compared = compare_prompt(&tokens, prompt);
            if nearest
                .as_ref()
                .is_none_or(|nearest| nearest.shared < compared.shared)
            {
                nearest = Some(compared);
            }
        }
        Ok(nearest)
    }

    fn tokens(&self, id: i64) -> Result<Option<Vec<i32>>, ContextsError> {
        let found = self
            .connection
            .query_row(
                "SELECT identity, tokens FROM contexts WHERE id = ?1",
                [id],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)),
            )
            .optional()?;
        let Some((identity, tokens)) = found else {
            return Ok(None);
        };
        let identity = identity.as_str();
        Ok(self.files.open_tokens(ContextRef { id, identity }, &tokens))
    }
}
