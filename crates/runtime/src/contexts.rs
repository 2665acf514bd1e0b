//! Keeps conversations when their model is unloaded.
//!
//! Before a child stops, it saves the state of its slots to files. After the next load, before requests are admitted,
//! the new child restores them and keeps them in its prompt cache, where it finds them by their tokens. paddock neither
//! reads, holds nor changes a request for this.
//!
//! | file | contents |
//! |---|---|
//! | `support` | decides for which models contexts are kept |
//! | `child_contexts` | the staging directory and the context identity of a child |
//! | `experience` | costs and crashes of earlier children |
//! | `slots` | client of the child's routes that save and restore slots |
//! | `keeper` | the task that saves the conversations of one child; its directory has the choice of slots and the accounts |
//! | `keeper_handle` | ends that task after a last save |
//! | `save` | saves one slot |
//! | `next_token` | compares a restored state with the saved one |
//! | `state_size` | predicts the size of a conversation |
//! | `restore` | restores contexts in a child that has loaded |
//! | `store` | the files of contexts and their database |
//! | `schema` | the database schema |
//! | `transfer` | describes saves and restores as lifecycle events |
//! | `stats` | counters and results for the status, metrics and explanations |
//! | `thread` | the thread that owns the store |
//! | `difference` | finds the first place where a prompt differs from the restored contexts |
//! | `error` | errors of the store and of the child's slot routes |

mod child_contexts;
mod difference;
mod error;
mod experience;
mod keeper;
mod keeper_handle;
mod next_token;
mod restore;
mod save;
mod schema;
mod slots;
mod state_size;
mod stats;
mod store;
mod support;
mod thread;
mod transfer;

pub(crate) use child_contexts::{ChildContexts, context_identity};
pub(crate) use difference::DifferenceQuery;
pub use difference::{DifferenceError, PromptDifference};
pub(crate) use experience::{ContextExperience, ContextUse};
pub(crate) use keeper::{Keeper, ServingChild};
pub(crate) use keeper_handle::KeeperHandle;
pub(crate) use restore::{LoadedChild, RestoreReport, restore};
pub(crate) use state_size::predict_state_size;
pub use stats::{ContextCounters, ModelContexts, RestoreSummary};
pub use store::{StoreLimits, StorePlace, StoreUsage};
pub(crate) use support::{Unsupported, check_support};
pub use thread::{ContextsHandle, ContextsThread, start};
pub(crate) use transfer::{ContextTransfer, Direction};
