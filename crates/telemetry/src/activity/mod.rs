//! The requests that have ended and what became of models, one by one: kept in `activity.sqlite` in the
//! state directory for as long as the configuration says, and in memory where there is no file.
//!
//! Nothing here slows a request down: rows come through bounded queues that drop what is too much, and one
//! thread writes them. A row holds what a request was like, never what was asked or answered.
//!
//! | file | holds |
//! |---|---|
//! | `listed.rs` | a request that has ended, an event in a model's life, and which of them are wanted |
//! | `paddock.rs` | paddock's own starts and ends, as such events |
//! | `recent.rs` | the last ones, in memory |
//! | `schema.rs` | the file's tables |
//! | `words.rs` | words that recur, as small numbers |
//! | `store.rs` | writing them to the file, reading pages of them; blocks |
//! | `tidy.rs` | deleting what is too old or too much, in small steps; blocks |
//! | `keeper.rs` | what is in memory and what is in the file, and what a failing disk changes |
//! | `owner.rs` | the thread that owns all of it, and the handles that async code holds |

mod keeper;
mod listed;
mod owner;
mod paddock;
mod recent;
mod schema;
mod store;
mod tidy;
mod words;

pub use listed::Listed;
pub(crate) use listed::Page;
use listed::Word;
pub use listed::{Lifecycle, Wanted};
pub use owner::{Asker, Biographer, Ended, Owner, Settings, start};
pub use paddock::stopped;
