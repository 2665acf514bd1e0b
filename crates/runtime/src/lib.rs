//! The control plane: the runtime actor feeds events to the scheduler and performs the actions it returns.
//!
//! Invariant: only this actor changes the state of models and children. This crate speaks no HTTP: it depends on
//! neither hyper nor axum.
//!
//! A child is a llama-server process, the engine of one model; an instance supervises the children of one model, one
//! after the other. A loaded model admits requests through its gate, an atomic counter: a request that finds the gate
//! open never reaches the actor.
//!
//! Decisions are pure functions, each in a file of its own; `actor` and the tasks it starts have all effects.
//!
//! | effects | |
//! |---|---|
//! | `actor` | the event loop; its submodules perform actions and handle messages |
//! | `handle`, `message` | how other tasks reach the actor |
//! | `inspection` | reads a model's files before a load |
//! | `trial_load` | lets the engine begin to load files that were never loaded before |
//! | `prefetch` | asks the kernel to read a model's file into the page cache |
//! | `measure` | measures a loaded model's memory |
//! | `engine_probe` | the engine's identity, devices and flags |
//! | `load_history` | stores measurements of earlier loads |
//! | `memory` | memory of the machine, of processes and of devices |
//! | `state_dir`, `runtime_dir`, `dir_lock` | paddock's directories, and their locks |
//! | `stale_cleanup` | removes what a killed paddock left behind |
//! | `admin_record` | admin addresses of running `paddock wrap` commands |
//!
//! | decisions and facts | |
//! |---|---|
//! | `scheduler_policy` | the configuration in the scheduler's terms |
//! | `model_entry`, `model_knowledge` | the actor's record of a model, and what is known about its files and failures |
//! | `inspection/load_plan` | the load that follows from a placement and from earlier loads |
//! | `placement` | where in memory a model goes, and how much it needs there |
//! | `child_spec` | describes a model's next child to the supervisor |
//! | `sandbox` | a child's sandbox, derived from the configuration |
//! | `instance_state` | what an instance's new state means |
//! | `child_failure` | a child's failure and the restart decision, described for people |
//! | `failure_dedup` | suppresses repeated refusals in log, journal and counters |
//! | `command_end` | the end of a wrapped command that has never served |
//! | `refusal_error`, `retry_after` | the error for a refused request, and when it is worth sending again |
//! | `config_changes` | the differences between two configurations |
//! | `journal` | recent decisions, for `explain` |
//! | `lifecycle_events` | names of lifecycle events in the activity database |
//! | `model_counters` | counts of loads, evictions, failures and restarts |
//! | `snapshot` | the read model for people |
//! | `inference_probes` | requests that test whether a child still computes |

mod actor;
pub mod admin_record;
mod child_failure;
mod child_spec;
mod clock;
mod command_end;
mod config_changes;
pub mod contexts;
mod dir_lock;
mod engine_probe;
mod failure_dedup;
#[cfg(test)]
mod fixture;
mod handle;
mod inference_probes;
mod inspection;
mod instance_state;
mod journal;
mod lifecycle_events;
pub mod load_history;
mod machine_memory;
mod measure;
mod memory;
mod message;
mod model_counters;
mod model_entry;
mod model_knowledge;
mod placement;
mod prefetch;
mod refusal_error;
mod retry_after;
pub mod runtime_dir;
pub mod sandbox;
mod scheduler_policy;
mod snapshot;
pub mod stale_cleanup;
pub mod state_dir;
mod trial_load;

pub use actor::{Runtime, RuntimeSetup};
pub use command_end::CommandEnd;
pub use config_changes::ReloadReport;
pub use handle::RuntimeHandle;
pub use journal::{JournalEntry, RequestExplanation};
pub use machine_memory::{GpuMemory, MachineMemory};
pub use snapshot::{ModelDetails, RuntimeSnapshot};
