//! One child process: spawn, readiness, restart, stop.
//!
//! # Theory of operation
//!
//! An [`Instance`] is the handle of one actor task. The actor owns the child: nobody else knows its
//! pid for certain, signals it or reaps it. What the actor knows it publishes as a [`State`] on a
//! `watch` channel; what callers want of it (run, stop, kill) is a level that only ever rises, so a
//! wish is never queued behind another one and a kill takes effect within the grace of a stop.
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
//! Decisions are pure functions of an event and a time: `classify` (why it died), `oom` (who killed it), `restart` (whether
//! to try again), `startup` (whether it is ready), `vigil` (whether it hangs), `inference` (whether its inference is broken), `event` (what a line says), `throttle` (which lines the log repeats), `env` (what it may
//! see). Effects are thin: `spawner` forks, `ask` hears what a program says to a question, `process` signals and reaps, `output` drains the pipes,
//! `probe` asks, and `actor` connects them.
//!
//! # No process is left behind
//!
//! - The child leads a process group of its own; after it is reaped the rest of the group is killed, what
//!   descended from it, and what has its marker in its environment (`leftovers`).
//! - Where this process may adopt orphans ([`Adoption`]) they are reaped, and those that have emptied their
//!   environment are killed as soon as no child is left whose they could be (`orphans`).
//! - It is spawned through [`shim::exec`], which ties its life to the thread that forked it. That
//!   thread is the [`Spawner`]'s, which lives as long as any instance does: a SIGKILL of this process
//!   ends the child at once, even one that is busy loading. What the child has started a [`Watcher`] ends.
//! - An actor that is dropped or panics kills the group on its way out.
//!
//! # No child takes another one's place
//!
//! Each child's socket is in a directory of its own, and no connection is used before the kernel has said
//! that one of the child's processes listens at its other end (`peer`).
//!
//! # What a child may do
//!
//! Before it becomes the child the shim also shuts itself into the [`Sandbox`] of the child's [`Spec`]:
//! `sandbox` says what the rules are and which of them this kernel has, `shim` carries them out.

#![forbid(unsafe_code)]

mod actor;
pub mod blocking;
mod child_leftovers;
mod child_processes;
mod classify_failure;
mod cleanup_process;
mod deadline;
mod desired_state;
pub mod env;
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
mod restart;
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
pub use cleanup_process::CleanupProcess;
pub use failure::{ChildPhase, Exit, Failure, FailureClass};
pub use inference::{InferenceErrors, InferencePolicy};
pub use instance::Instance;
pub use instance_spec::{Address, InstanceSpec, LivenessPolicy, StopPolicy, Transport};
pub use leftovers::kill_marked;
pub use logs::{LogPage, LogReader, Logs};
pub use oom::{KernelCounter, OomCounters, OomGroup};
pub use orphans::Adoption;
pub use restart::RestartPolicy;
pub use run_program::{ProgramOutput, RunProgramError};
pub use sandbox::Sandbox;
pub use shim::Shim;
pub use spawner::{Launch, Spawner};
pub use stall_tracker::{StallGuard, StallTracker};
pub use state::{Listener, State};
