//! The control plane: the runtime actor feeds events to the scheduler and performs the actions it returns.
//!
//! Invariant: only this actor changes the state of models and children. This crate speaks no HTTP: it depends on
//! neither hyper nor axum.
//!
//! A request whose model's gate is open never reaches the actor.
//!
//! | file | contents |
//! |---|---|
//! | `actor` | the event loop |
//! | `scheduler_actions` | performs the scheduler's actions |
//! | `scheduler_policy` | the configuration in the scheduler's terms |
//! | `waiting_requests` | queued requests: arrival, grant, refusal, cancellation |
//! | `handle` | the handle through which other tasks reach the actor |
//! | `model_entry` | the actor's record of a model |
//! | `inspection` | reads a model's files before a load |
//! | `placement` | where in memory a model goes, and how much it needs there |
//! | `trial_load` | has the engine begin to load files that were never loaded before |
//! | `prefetch` | reads a model's file ahead |
//! | `instance` | starts children and turns their states into events |
//! | `measure` | measures a loaded model's memory |
//! | `load_history` | stores measurements of earlier loads |
//! | `memory` | memory of the machine, of processes and of devices |
//! | `engine` | the engine's identity, devices and flags |
//! | `reload` | applies another configuration |
//! | `child_failure` | describes a child's failure and the restart decision |
//! | `failure_dedup` | suppresses repeated refusals in log, journal and counters |
//! | `command_end` | the end of a wrapped command that has never served |
//! | `retry_after` | when a refused request is worth sending again |
//! | `journal` | recent decisions, for `explain` |
//! | `lifecycle_events` | lifecycle events for the activity database |
//! | `model_counters` | counts of loads, evictions, failures and restarts |
//! | `snapshot` | the read model for people |
//! | `sandbox` | a child's sandbox, derived from the configuration |
//! | `state_dir`, `runtime_dir` | paddock's directories |
//! | `stale_cleanup` | removes what a killed paddock left behind |
//! | `admin_record` | admin addresses of running `paddock wrap` commands |
//! | `inference_probes` | requests that test whether a child still computes |

mod actor;
pub mod admin_record;
mod child_failure;
mod command_end;
mod engine_probe;
mod failure_dedup;
mod handle;
mod inference_probes;
mod inspection;
mod instance;
mod journal;
mod lifecycle_events;
pub mod load_history;
mod measure;
mod memory;
mod model_counters;
mod model_entry;
mod placement;
mod prefetch;
mod reload;
mod retry_after;
pub mod runtime_dir;
pub mod sandbox;
mod scheduler_actions;
mod scheduler_policy;
mod snapshot;
pub mod stale_cleanup;
pub mod state_dir;
mod trial_load;
mod waiting_requests;

pub use actor::{Runtime, RuntimeMessage, RuntimeSetup};
pub use command_end::CommandEnd;
#[cfg(debug_assertions)]
pub use handle::PanicTarget;
pub use handle::RuntimeHandle;
pub use journal::{JournalEntry, RequestExplanation};
pub use reload::ReloadReport;
pub use snapshot::{ModelDetails, RuntimeSnapshot};
