//! The first place where the prompt of an answered request differs from the contexts that its child had restored.
//!
//! paddock keeps no prompts. The tokens of a prompt exist only in the child's slot, as long as no later request takes the
//! slot. The keeper lets the child save this slot and reads the tokens from the file.

use std::time::Duration;

use paddock_admission::recent_answers::AnswerTokens;
use paddock_contexts::ComparedTokens;
use tokio::sync::oneshot;

use super::error::{ContextsError, SlotsError};
use super::save::SaveError;

/// Maximum number of characters of an excerpt.
const MAX_EXCERPT_CHARS: usize = 80;

/// A question for the keeper of a child.
#[derive(Debug)]
pub(crate) struct DifferenceQuery {
    /// Token counts of the answer, by which the keeper finds the slot.
    pub(crate) answer: AnswerTokens,
    pub(crate) reply: oneshot::Sender<Result<PromptDifference, DifferenceError>>,
}

/// The first place where a prompt differs from the most similar restored context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptDifference {
    /// Number of tokens with which both begin.
    pub shared: usize,
    /// Number of tokens of the context.
    pub context_tokens: usize,
    /// Text of the context around the place, on one line; `None` if the context ends there.
    pub context_text: Option<String>,
    /// Text of the prompt around the place, on one line; `None` if the prompt ends there.
    pub prompt_text: Option<String>,
}

/// Reasons why the place cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum DifferenceError {
    /// No child of the model is ready, or the child is about to stop.
    #[error("the model is not loaded")]
    NotLoaded,
    /// A later child of the model has no slot of the request.
    #[error("the model was loaded again since")]
    LoadedAgain,
    /// The child keeps no contexts.
    #[error("the contexts of the model are not kept")]
    NotKept,
    /// Earlier questions have not been answered yet.
    #[error("other requests are being explained")]
    TooManyQueries,
    /// The child is answering.
    #[error("requests are in flight, which a look at the prompt would delay")]
    Busy,
    /// No slot holds the request's prompt.
    #[error("no slot of the model holds the prompt any more: later requests took it")]
    SlotTaken,
    /// Several answers or slots have the same token counts.
    #[error("another request had the same number of tokens")]
    Ambiguous,
    /// The save would block the child for too long.
    #[error("a look at the prompt would block the model for about {0:.1?}")]
    TooLong(Duration),
    /// The contexts that the child had restored were deleted or replaced.
    #[error("the contexts that had been restored are no longer stored")]
    NotStored,
    /// The child failed to save the slot.
    #[error("the slot cannot be read: {0}")]
    Save(String),
    /// The child failed to answer.
    #[error("{0}")]
    Child(String),
    /// The store failed to answer.
    #[error("{0}")]
    Store(String),
}

impl From<SaveError> for DifferenceError {
    fn from(error: SaveError) -> Self {
        Self::Save(error.to_string())
    }
}

impl From<SlotsError> for DifferenceError {
    fn from(error: SlotsError) -> Self {
        Self::Child(error.to_string())
    }
}

impl From<ContextsError> for DifferenceError {
    fn from(error: ContextsError) -> Self {
        Self::Store(error.to_string())
    }
}

/// Returns the index of the slot that holds an answered request, of which the child keeps prompt and answer without the
/// last token. `answers` are the child's latest answers, `slots` the numbers of tokens in its idle slots.
pub(super) fn find_slot(
    answer: AnswerTokens,
    answers: impl Iterator<Item = AnswerTokens>,
    slots: impl Iterator<Item = u32>,
) -> Result<usize, DifferenceError> {
    let total = |answer: AnswerTokens| answer.prompt.saturating_add(answer.generated);
    let same_length: Vec<AnswerTokens> = answers
        .filter(|other| total(*other) == total(answer))
        .collect();
    if !same_length.contains(&answer) {
        return Err(DifferenceError::SlotTaken);
    }
    let holders = slots
        .enumerate()
        .filter(|(_, tokens)| tokens + 1 == total(answer));
    let holders: Vec<usize> = holders.map(|(index, _)| index).collect();
    match (holders.as_slice(), same_length.len()) {
        ([], _) => Err(DifferenceError::SlotTaken),
        ([slot], 1) => Ok(*slot),
        _ => Err(DifferenceError::Ambiguous),
    }
}

/// Formats an excerpt as one line without control characters; `None` if it has no tokens.
pub(super) fn format_excerpt(tokens: &ComparedTokens, text: &str) -> Option<String> {
    if tokens.excerpt.is_empty() {
        return None;
    }
    let escaped = text.chars().flat_map(|character| {
        let is_plain = !character.is_control();
        let plain = is_plain.then_some(character);
        let escape = (!is_plain).then(|| character.escape_default());
        plain.into_iter().chain(escape.into_iter().flatten())
    });
    Some(escaped.take(MAX_EXCERPT_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(prompt: u32, cached: u32, generated: u32) -> AnswerTokens {
        AnswerTokens {
            prompt,
            cached,
            generated,
        }
    }

    #[test]
    fn the_slot_of_a_request_has_its_number_of_tokens() {
        let asked = answer(100, 5, 11);
        let twin = answer(101, 5, 10);
        let taken = "later requests took it";
        let cases = [
            ("the only slot", vec![asked], vec![110], "0"),
            (
                "one of several",
                vec![answer(50, 0, 1), asked],
                vec![50, 110, 7],
                "1",
            ),
            ("taken", vec![asked, answer(90, 0, 1)], vec![90], taken),
            ("of an earlier child", Vec::new(), vec![110], taken),
            (
                "two answers of this length",
                vec![asked, twin],
                vec![110],
                "same number",
            ),
            ("only another answer", vec![twin], vec![110], taken),
            ("two slots", vec![asked], vec![110, 110], "same number"),
        ];
        for (name, answers, slots, expected) in cases {
            let found = find_slot(asked, answers.into_iter(), slots.into_iter());
            let found = found.map_or_else(|error| error.to_string(), |slot| slot.to_string());
            assert!(found.contains(expected), "{name}: {found}");
        }
    }

    #[test]
    fn an_excerpt_is_a_short_line() {
        let tokens = |excerpt: Vec<i32>| ComparedTokens { len: 9, excerpt };
        let one = || tokens(vec![1]);
        assert_eq!(format_excerpt(&tokens(Vec::new()), ""), None);
        let found = format_excerpt(&one(), "a\n\u{1b}[31mé");
        assert_eq!(found.as_deref(), Some("a\\n\\u{1b}[31mé"));
        let found = format_excerpt(&one(), &"é".repeat(200));
        assert_eq!(found, Some("é".repeat(MAX_EXCERPT_CHARS)));
    }
}
