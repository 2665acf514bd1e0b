//! The control plane: the runtime actor owns the scheduler, tells it what happened, and does what it says.
//!
//! Invariant: the state of models and children changes in this actor alone, and this crate speaks no HTTP: it
//! depends on neither hyper nor axum.
//!
//! A request that finds its model's gate open never comes here.
//!
//! | file | what happens there |
//! |---|---|
//! | `actor` | events in, one after the other |
//! | `act` | what the scheduler says is done |
//! | `waiting` | requests that wait: how they come, and are granted, refused or given up |
//! | `handle` | how others ask for something |
//! | `entry` | what the actor knows of a model besides |
//! | `inspect` | a model's files are looked at, before anything is done for it |
//! | `place` | where in memory a model will go, and what it will take there |
//! | `instance` | a child is started, and its states become events |
//! | `measure` | what a loaded model was seen to take |
//! | `prefetch` | a file is read ahead |
//! | `reload` | another configuration: what changed, and what that touches |
//! | `death` | a child's end, and what follows, in words |
//! | `command_end` | a wrapped command that has never served has ended |
//! | `retry` | when a refused request is worth sending again |
//! | `journal` | why everything was done |
//! | `lifecycle` | what happens to models, for the record that outlives paddock |
//! | `trial` | the engine begins to load files that nobody has seen loaded |
//! | `tally` | what has become of loads and children, counted |
//! | `view` | what people may see of all this |

mod act;
mod actor;
pub mod admin_record;
mod command_end;
mod death;
pub mod engine;
mod entry;
mod handle;
pub mod inference_probes;
mod inspect;
mod instance;
mod journal;
pub mod learned;
mod lifecycle;
mod measure;
pub mod memory;
mod place;
mod prefetch;
mod reload;
mod repeats;
mod retry;
pub mod rules;
pub mod runtime_dir;
pub mod sandbox;
pub mod state_dir;
pub mod sweep;
mod tally;
mod trial;
mod view;
mod waiting;

pub use actor::{News, Runtime, Setup};
pub use command_end::CommandEnd;
#[cfg(debug_assertions)]
pub use handle::Part;
pub use handle::RuntimeHandle;
pub use journal::{Explained, Told};
pub use view::{ModelView, View};
