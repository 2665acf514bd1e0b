//! Specifies an instance: the program to run, its environment and address, and the limits on it.

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    InferenceErrors, InferencePolicy, Logs, OomCounters, RestartPolicy, Sandbox, StallTracker,
};

/// The address on which an instance listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket at this path.
    Unix(PathBuf),
    /// A TCP socket; always on loopback.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "http://{address}"),
        }
    }
}

/// The kind of socket an instance listens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket in the runtime directory: no port to race for, no exposure to other users.
    #[default]
    Unix,
    /// A free port of 127.0.0.1, chosen anew for each child. Any process can answer on a port, so only the ready
    /// event, which the child writes to stdout, shows that the child is ready:
    /// [`InstanceSpec::ready_event`] must be on.
    ///
    /// Another process may take the port between the choice and the child's bind. The child then fails with
    /// [`FailureClass::AddressInUse`](crate::FailureClass::AddressInUse), which is retried.
    Tcp,
}

/// Limits of a graceful stop: SIGTERM, `first_grace`, SIGTERM, `second_grace`, SIGKILL.
///
/// Two SIGTERMs because llama-server waits for open requests after the first one, without limit, and
/// exits at once on the second (llama.cpp b11434, tools/server/server.cpp `signal_handler`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopPolicy {
    /// Time between the first SIGTERM and the second.
    pub first_grace: Duration,
    /// Time between the second SIGTERM and SIGKILL.
    pub second_grace: Duration,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self {
            first_grace: Duration::from_secs(2),
            second_grace: Duration::from_secs(2),
        }
    }
}

/// Limits after which a child that serves counts as hung, once requests wait for it.
///
/// No probe is sent while no request waits. A probe is a `/health`, which llama-server answers on its HTTP
/// threads however busy its inference thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessPolicy {
    /// Time that a probe waits for its answer, and time between an answer and the next probe. Long, because a
    /// machine that swaps or lacks processors is slow without its children being hung.
    pub probe_timeout: Duration,
    /// Unanswered probes in a row after which the child counts as hung.
    pub max_missed_probes: u32,
}

impl Default for LivenessPolicy {
    fn default() -> Self {
        Self {
            probe_timeout: Duration::from_secs(10),
            max_missed_probes: 3,
        }
    }
}

/// The specification of one instance.
#[derive(Clone)]
pub struct InstanceSpec {
    /// The instance's name. It appears on each log line and, made safe, in the name of the child's
    /// directory, so it is unique among the instances that live in one `runtime_dir`.
    pub name: String,
    /// The child's program; without a slash it is looked up in the `PATH` of `env`.
    pub program: PathBuf,
    /// The child's arguments without `--host` and `--port`, which the instance appends.
    pub args: Vec<OsString>,
    /// The child's whole environment, except for `PADDOCK_INSTANCE`; see
    /// [`env::build_child_env`](crate::env::build_child_env).
    pub env: Vec<(OsString, OsString)>,
    /// An existing directory of mode 0700, in which each child has a directory of its own for its socket. Its
    /// path must be short: a socket's path has a limit of 107 bytes.
    pub runtime_dir: PathBuf,
    /// The child's sandbox; `None` to allow everything that its user may do.
    pub sandbox: Option<Sandbox>,
    /// The kind of socket the child listens on.
    pub transport: Transport,
    /// True to pass the unix socket in `LLAMA_ARG_HOST` as well: a start script may not pass its arguments on.
    pub address_variable: bool,
    /// True to ask the child, with `LLAMA_SERVER_ROUTER_PORT`, to write its state to stdout. Off for
    /// llama-server's own router mode; readiness is then found by probing alone.
    pub ready_event: bool,
    /// The longest silence (no event, no output) of a child that is starting.
    pub startup_timeout: Duration,
    /// Limits of restarting a failed child.
    pub restart: RestartPolicy,
    /// Restarts of the budget that an earlier instance in this one's place has used.
    pub restarts_used: u32,
    /// The number of earlier children in this one's place: generations count on from here.
    pub generations: u64,
    /// Limits of a graceful stop.
    pub stop: StopPolicy,
    /// Limits after which a child that serves counts as hung.
    pub liveness: LivenessPolicy,
    /// The stalled requests, as the senders of requests see them.
    pub stalls: StallTracker,
    /// Limits after which a child whose inference routes answer with server errors counts as broken.
    pub inference: InferencePolicy,
    /// The server errors, as the senders of requests see them.
    pub inference_errors: InferenceErrors,
    /// The kernel's counters of processes killed for lack of memory.
    pub oom: OomCounters,
    /// The destination of the child's output.
    pub logs: Logs,
}

/// Shows only the number of arguments and environment variables, which may hold secrets (API keys, tokens).
impl fmt::Debug for InstanceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceSpec")
            .field("name", &self.name)
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.len())
            .field("runtime_dir", &self.runtime_dir)
            .field("sandbox", &self.sandbox)
            .field("transport", &self.transport)
            .field("address_variable", &self.address_variable)
            .field("ready_event", &self.ready_event)
            .field("startup_timeout", &self.startup_timeout)
            .field("restart", &self.restart)
            .field("restarts_used", &self.restarts_used)
            .field("generations", &self.generations)
            .field("stop", &self.stop)
            .field("liveness", &self.liveness)
            .field("stalls", &self.stalls)
            .field("oom", &self.oom)
            .finish_non_exhaustive()
    }
}
