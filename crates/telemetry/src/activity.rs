//! Logs ended requests and lifecycle events (such as a model's load or crash) in `activity.sqlite` in the state
//! directory for the configured retention, or only in memory if there is no file.
//!
//! No request waits for this: records arrive through bounded queues that drop the excess, and one thread
//! writes them. An entry describes a request, never its prompt or answer.
//!
//! | file | holds |
//! |---|---|
//! | `entries.rs` | a logged request, a lifecycle event, and the query that selects them |
//! | `paddock_events.rs` | paddock's own starts and stops, as lifecycle events |
//! | `recent_entries.rs` | the newest entries, in memory |
//! | `schema.rs` | the file's tables |
//! | `interned_words.rs` | recurring words, stored as small numbers |
//! | `store.rs` | writing entries to the file and reading pages of them (blocking I/O) |
//! | `prune.rs` | deleting old or excess entries in small steps (blocking I/O) |
//! | `activity_log.rs` | presents memory and file as one list, and handles disk errors |
//! | `thread.rs` | the thread that owns the log, and the handles for async code |

mod activity_log;
mod entries;
mod interned_words;
mod paddock_events;
mod prune;
mod recent_entries;
mod schema;
mod store;
mod thread;

use entries::Keyword;
pub use entries::LoggedRequest;
pub(crate) use entries::Page;
pub use entries::{ActivityQuery, LifecycleEvent};
pub use paddock_events::stopped_event;
pub use thread::{
    ActivityHandle, ActivityRetention, ActivityThread, LifecycleSender, NumberedRequest,
    start_activity_thread,
};
