//! What earlier loads taught: how much memory a model took, and how long it took to load.
//!
//! It is kept in `learned.sqlite` in the state directory, so that the first load after a restart is no
//! guess. Whatever is in it can be learned again: a file that is broken, or written by a later version,
//! is moved aside and never stops paddock.
//!
//! | file | holds |
//! |---|---|
//! | `key.rs` | which loads are alike |
//! | `lesson.rs` | what one load taught, and how two lessons become one |
//! | `schema.rs` | the file: its tables, and their versions |
//! | `store.rs` | [`Learned`]: recalling and learning; blocks |
//! | `owner.rs` | the thread that owns a [`Learned`], and the [`Handle`] that async code holds |

mod error;
mod key;
mod lesson;
mod owner;
mod schema;
mod store;

pub(crate) use error::LearnedError;
pub use key::{ArgumentsHash, FileIdentity, Key};
pub(crate) use lesson::{Lesson, Memory};
pub use owner::{Handle, Owner, start};
pub(crate) use store::Learned;
