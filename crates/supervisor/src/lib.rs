//! Supervises one child process: spawn, readiness, restart, stop.
//!
//! Invariant: no process is left behind, and requests go only to the child's own processes. The crate knows
//! nothing of models, memory or HTTP routes.
//!
//! # Theory of operation
//!
//! An [`Instance`] is the handle of one actor task. The actor owns the child: no other task signals or reaps it, or
//! relies on its process id. The actor publishes a [`State`] on a `watch` channel. The state that callers desire
//! (running, stopped, killed) is a level that only ever rises, so no request waits behind another one, and a kill
//! takes effect during the grace of a stop.
//!
//! ```text
//!             ┌────────────────────────────── retry ◄──────────────┐
//!             ▼                                                    │
//!   start ─► Starting ── ready event / probe ─► Ready ── exit ─► Backoff ── budget spent ─► Failed
//!             │  │ exit, startup timeout                           ▲                          │
//!             │  └─────────────────────────────────────────────────┘   half-open: one try ◄───┘
//!             └── stop, in every state ─► Stopping ── reaped ─► Stopped
//! ```
//!
//! Decisions are pure functions of an event and a time: `classify_failure` (the cause of a failure), `oom` (the
//! sender of a SIGKILL), `restart_policy` (the next try), `readiness`, `liveness` (hung or not), `inference` (broken
//! or not), `state_report` (the meaning of a line), `log_throttle` (the lines that the log repeats), `env` (the
//! environment). Effects are thin: `spawner` forks, `run_program` runs a program to its end, `process` signals and
//! reaps, `output` reads the pipes, `probe` sends requests, and `actor` connects them.
//!
//! # No process is left behind
//!
//! - The child leads a process group of its own. After it is reaped, the rest of the group is killed, then its
//!   descendants, and every process with its marker in the environment (`leftovers`).
//! - If this process may adopt orphans ([`Adoption`]) they are reaped. Orphans that have emptied their environment
//!   are killed as soon as no child is left that may have started them (`orphans`).
//! - The child is spawned through [`shim::exec`], which ties its life to the thread that forked it: the
//!   [`Spawner`]'s, which lives as long as any instance. A SIGKILL of this process ends the child at once, even one
//!   that is busy loading. A [`CleanupProcess`] ends what the child has started.
//! - An actor that is dropped or panics kills the group on its way out.
//!
//! # No child takes another one's place
//!
//! Each child's socket is in a directory of its own, and a connection is used only after the kernel has confirmed
//! that one of the child's processes listens at its other end (`child_processes`).
//!
//! # Sandbox
//!
//! Before it becomes the child, the shim confines itself to the [`Sandbox`] of the child's [`InstanceSpec`]:
//! `sandbox` holds the rules and the kernel's support for them, and `shim` applies them.

#![forbid(unsafe_code)]

mod actor;
pub mod blocking;
mod child_leftovers;
mod child_processes;
mod child_request;
mod classify_failure;
mod cleanup_process;
mod deadline;
mod desired_state;
pub mod env;
mod failpoint;
mod failure;
mod inference;
mod instance;
mod instance_spec;
mod leftovers;
mod line_ring;
mod line_splitter;
mod liveness;
mod log_throttle;
mod logs;
mod marker;
mod oom;
mod orphans;
mod output;
mod probe;
mod process;
mod procfs;
mod publisher;
mod readiness;
mod restart_policy;
mod run_program;
pub mod sandbox;
pub mod shim;
mod socket;
mod spawner;
mod stall_tracker;
mod state;
mod state_report;
mod stdin_end;

pub use child_processes::ChildProcesses;
pub use child_request::{ChildAnswer, ask_child};
pub use cleanup_process::CleanupProcess;
pub use failpoint::Failpoint;
pub use failure::{ChildPhase, Exit, Failure, FailureClass};
pub use inference::{InferenceErrors, InferencePolicy};
pub use instance::Instance;
pub use instance_spec::{Address, InstanceSpec, LivenessPolicy, StopPolicy, Transport};
pub use leftovers::kill_marked;
pub use logs::{LogPage, LogReader, Logs};
pub use marker::InstanceMarker;
pub use oom::{KernelCounter, OomCounters, OomGroup};
pub use orphans::Adoption;
pub use restart_policy::RestartPolicy;
pub use run_program::{ProgramOutput, RunProgramError};
pub use sandbox::Sandbox;
pub use shim::Shim;
pub use spawner::{Launch, Spawner};
pub use stall_tracker::{StallGuard, StallTracker};
pub use state::{Listener, State};
