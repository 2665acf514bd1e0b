//! Saves the conversation in one slot of a child.
//!
//! 1. The child saves the slot.
//! 2. A model with a sliding window or recurrent layers cannot roll a restored state back, so a prompt that differs in
//!    its last tokens would be read from the beginning. The child therefore steps back to its own checkpoint before the
//!    end of the last prompt, and saves again.
//! 3. For a sliding window, the store merges both files; for recurrent layers, only the second file is kept.
//!
//! Step 2 changes the slot, so only the save before a stop includes it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use paddock_admission::recent_answers::AnswerTokens;
use paddock_contexts::{MemoryPart, SlotFile};
use paddock_supervisor::blocking;
use tokio::time::Instant;

use super::error::{ContextsError, SlotsError};
use super::next_token::NextToken;
use super::slots::{Evaluation, SlotClient, Transfer};
use super::store::{SavedFile, open_regular};

/// Number of tokens before the end of the prompt to which the child steps back: the child has a checkpoint 4 tokens
/// before the end (llama.cpp b11434, tools/server/server-context.cpp, `checkpoint_offsets`), and must read at least one
/// token.
const STEP_BACK: usize = 3;

/// Time that the exchange of a save takes beside the save itself; a longer one may have been deferred.
const MAX_OVERHEAD: Duration = Duration::from_millis(20);

/// The parts of a model's state that decide which restored states the child can continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    /// Every layer attends to all tokens.
    Full,
    /// Some layers keep only a window of the latest tokens.
    Window,
    /// Some layers keep a state of fixed size.
    Recurrent,
}

/// A save in progress.
#[derive(Debug)]
pub(super) struct SlotSave<'a> {
    pub(super) client: &'a SlotClient,
    pub(super) staging: &'a Path,
    pub(super) slot: u32,
    /// File name, unique in the staging directory.
    pub(super) name: String,
    pub(super) deadline: Instant,
    /// The next token is recorded, so that a restored child can be compared with this one.
    pub(super) records_next: bool,
}

/// A slot that was saved.
#[derive(Debug)]
pub(super) struct SavedSlot {
    pub(super) file: SavedFile,
    /// File of the same conversation some tokens earlier, whose window extends that of `file`.
    pub(super) earlier: Option<SavedFile>,
    /// The most probable next token, for models with a sliding window.
    pub(super) next: Option<NextToken>,
    pub(super) structure: Structure,
    /// Tokens in the slot before any step back.
    pub(super) conversation: Vec<i32>,
    /// Time for which the child was blocked.
    pub(super) time: Duration,
}

/// A failure to save one slot.
#[derive(Debug, thiserror::Error)]
pub(super) enum SaveError {
    #[error(transparent)]
    Child(#[from] SlotsError),
    #[error(transparent)]
    File(#[from] ContextsError),
    #[error("reading the file was cancelled")]
    Cancelled,
    #[error(
        "the conversation is shorter than the model's sliding window, so the child could not continue it"
    )]
    ShorterThanWindow,
}

impl SavedSlot {
    /// Returns the number of tokens in the slot before any step back.
    pub(super) fn tokens(&self) -> u32 {
        u32::try_from(self.conversation.len()).unwrap_or(u32::MAX)
    }
}

impl SlotSave<'_> {
    /// Saves the slot as it is, while the child may get requests.
    ///
    /// The child defers a save until the slot is idle, and lets the end of each request start only one deferred task
    /// (llama.cpp b11434, tools/server/server-queue.cpp, `pop_deferred_task`). A request that waits behind a deferred save
    /// would wait until another one ends, so an evaluation follows a save that may have been deferred.
    pub(super) async fn save(&self) -> Result<SavedSlot, SaveError> {
        let began = Instant::now();
        let saving = self.save_file(&self.name).await?;
        let was_deferred = began.elapsed() > saving.1 + MAX_OVERHEAD;
        let walked = self.walk(saving).await;
        if was_deferred {
            let tokens = walked
                .as_ref()
                .map_or(&[0][..], |(_, walked)| &walked.tokens);
            self.evaluate(tokens).await?;
        }
        Ok(walked?.0)
    }

    /// Saves the slot so that a child can also continue it from before the end of its last prompt. Removes the last
    /// tokens from the slot.
    pub(super) async fn save_with_step_back(
        &self,
        answers: &[AnswerTokens],
    ) -> Result<SavedSlot, SaveError> {
        let (mut saved, walked) = self.walk(self.save_file(&self.name).await?).await?;
        let Some(len) = step_back_len(&walked, saved.structure, answers)? else {
            return Ok(saved);
        };
        match self.step_back(&mut saved, &walked, len).await {
            // The child can still continue the conversation from its end.
            Err(_) if saved.structure == Structure::Recurrent => Ok(saved),
            stepped => stepped.map(|()| saved),
        }
    }

    async fn step_back(
        &self,
        saved: &mut SavedSlot,
        walked: &SlotFile,
        len: usize,
    ) -> Result<(), SaveError> {
        if saved.structure == Structure::Window && self.records_next {
            let all = self.evaluate(&walked.tokens).await?;
            saved.next = Some(all.next);
        }
        self.evaluate(&walked.tokens[..len]).await?;
        let (earlier, time) = self.save_file(&format!("{}.earlier", self.name)).await?;
        saved.time += time;
        match saved.structure {
            Structure::Recurrent => {
                // A leftover is removed with the directory.
                let _ = fs::remove_file(&saved.file.path);
                saved.file = earlier;
            }
            Structure::Full | Structure::Window => saved.earlier = Some(earlier),
        }
        Ok(())
    }

    /// Walks a file to its last byte. A file that cannot be walked is removed.
    async fn walk(
        &self,
        (file, time): (SavedFile, Duration),
    ) -> Result<(SavedSlot, SlotFile), SaveError> {
        let (path, len) = (file.path.clone(), file.len);
        let walking = blocking::run(move || -> Result<SlotFile, ContextsError> {
            Ok(SlotFile::read(open_regular(&path)?, len)?)
        });
        let walked = walking.await.map_err(|_| SaveError::Cancelled)?;
        let walked = walked.inspect_err(|_| drop(fs::remove_file(&file.path)))?;
        let saved = SavedSlot {
            file,
            earlier: None,
            next: None,
            structure: structure(&walked),
            conversation: walked.tokens.clone(),
            time,
        };
        Ok((saved, walked))
    }

    /// Lets the child save the slot. A file that it does not complete is removed.
    async fn save_file(&self, name: &str) -> Result<(SavedFile, Duration), SaveError> {
        let path = self.staging.join(name);
        let saved = self.client.save(self.slot, name, self.time_left()).await;
        let Transfer { bytes, time } = saved.inspect_err(|_| drop(fs::remove_file(&path)))?;
        Ok((SavedFile { path, len: bytes }, time))
    }

    async fn evaluate(&self, tokens: &[i32]) -> Result<Evaluation, SlotsError> {
        self.client
            .evaluate(self.slot, tokens, self.time_left())
            .await
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Returns the structure of the model's state in a file. A model with a sliding window has one attention part for its
/// window layers and one for its other layers.
fn structure(file: &SlotFile) -> Structure {
    let attention_parts = file
        .parts
        .iter()
        .filter(|part| matches!(part, MemoryPart::Attention(_)));
    if file.has_recurrent_state() {
        Structure::Recurrent
    } else if attention_parts.count() > 1 {
        Structure::Window
    } else {
        Structure::Full
    }
}

/// Returns the number of tokens to which the child steps back; `None` if a step back would not help.
///
/// If the length of the last prompt is unknown, a child of a sliding-window model steps back from the end of the
/// conversation: a later child can then continue the conversation, but not answer the last prompt again.
///
/// # Errors
///
/// The conversation is shorter than the window.
fn step_back_len(
    file: &SlotFile,
    structure: Structure,
    answers: &[AnswerTokens],
) -> Result<Option<usize>, SaveError> {
    // llama-server continues a window that begins at the first token only from a checkpoint, and a file has none
    // (llama.cpp b11434, tools/server/server-context.cpp, `pos_min_thold`).
    if structure == Structure::Window && file.window_parts().next().is_none() {
        return Err(SaveError::ShorterThanWindow);
    }
    let len = file.tokens.len();
    // The last generated token is not in the slot: the child has not evaluated it.
    let is_last = |answer: &&AnswerTokens| (answer.prompt + answer.generated) as usize == len + 1;
    let prompt = answers.iter().rev().find(is_last);
    let prompt = prompt.map(|answer| answer.prompt as usize);
    let before = match structure {
        Structure::Full => None,
        Structure::Window => prompt.or(Some(len)),
        Structure::Recurrent => prompt,
    };
    let len = before.and_then(|before| before.checked_sub(STEP_BACK));
    Ok(len.filter(|len| *len > 0))
}

#[cfg(test)]
mod tests {
    use std::io;

    use paddock_contexts::builder::{Conversation, Shape};

    use super::*;

    const ANSWERS: [AnswerTokens; 2] = [
        AnswerTokens {
            prompt: 50,
            cached: 0,
            generated: 51,
        },
        AnswerTokens {
            prompt: 90,
            cached: 50,
            generated: 11,
        },
    ];

    fn walked(conversation: &Conversation) -> SlotFile {
        let bytes = conversation.write();
        let len = bytes.len() as u64;
        SlotFile::read(io::Cursor::new(bytes), len).unwrap()
    }

    #[test]
    fn the_child_steps_back_to_before_the_end_of_the_last_prompt() {
        let full = || Conversation::new(100).attention(0, 2, Shape::default());
        let cases = [
            ("full attention", full(), Structure::Full, Ok(None)),
            (
                "recurrent",
                full().recurrent(4, 2),
                Structure::Recurrent,
                Ok(Some(87)),
            ),
            (
                "window",
                full().attention(60, 2, Shape::default()),
                Structure::Window,
                Ok(Some(87)),
            ),
            (
                "shorter than the window",
                full().attention(0, 2, Shape::default()),
                Structure::Window,
                Err(()),
            ),
        ];
        for (name, conversation, expected_structure, expected) in cases {
            let file = walked(&conversation);
            assert_eq!(structure(&file), expected_structure, "{name}");
            let found = step_back_len(&file, expected_structure, &ANSWERS);
            assert_eq!(found.map_err(|_| ()), expected, "{name}");
        }
    }

    #[test]
    fn without_a_known_prompt_only_a_window_steps_back() {
        let full = || Conversation::new(99).attention(0, 2, Shape::default());
        let recurrent = walked(&full().recurrent(4, 2));
        let found = step_back_len(&recurrent, Structure::Recurrent, &ANSWERS);
        assert_eq!(found.unwrap(), None);
        let window = walked(&full().attention(60, 2, Shape::default()));
        let found = step_back_len(&window, Structure::Window, &ANSWERS);
        assert_eq!(found.unwrap(), Some(96));
    }
}
