//! Decides which conversations to save and to restore when their model is unloaded and loaded, and reads, merges and
//! encrypts the slot files that hold them.
//!
//! Invariant: no input causes a panic, memory is bounded by [`limits`] whatever a file claims, and cell data is copied,
//! never interpreted. The crate uses no network, no clock and no tokio.
//!
//! llama-server aborts after restoring a damaged slot file: at once if the file is truncated, at the next request if
//! tokens lack their cells (measured with llama.cpp b11434). paddock therefore walks each file to its last byte
//! with [`SlotFile::read`] before the child sees it. [`mod@builder`] creates small files for tests.

pub mod builder;
mod cipher;
mod comparison;
mod costs;
mod hits;
pub mod limits;
mod merge;
mod quota;
mod restore_plan;
mod save_plan;
mod saved_slots;
mod slot_file;

pub use cipher::{
    CipherError, ContextCipher, ContextRef, FILE_NONCE_BYTES, KEY_BYTES, TOKENS_NONCE_BYTES,
};
pub use comparison::{ComparedTokens, PromptComparison, compare_prompt};
pub use costs::{Costs, StateSize};
pub use hits::RestoredContexts;
pub use merge::{MergeError, merge};
pub use quota::{QuotaEntry, choose_deletions};
pub use restore_plan::{RestorePlan, StoredContext, restore_limit};
pub use save_plan::{Occasion, SlotState, plan_saves};
pub use saved_slots::SavedSlots;
pub use slot_file::{
    AttentionCells, CellRecord, MemoryPart, RecurrentState, SlotFile, SlotFileError, TensorRows,
};
