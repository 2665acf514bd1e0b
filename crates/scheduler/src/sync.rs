//! Re-exports the atomics that `gate.rs` uses: the standard library's, or with `--cfg loom` those of loom, which tests
//! every interleaving of threads.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
