//! What to run, and by which rules.

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    InferenceErrors, InferencePolicy, Logs, OomCounters, RestartPolicy, Sandbox, StallTracker,
};

/// Says where an instance listens.
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

/// Selects the kind of socket an instance listens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket in the runtime directory: no port to race for, no exposure to other users.
    #[default]
    Unix,
    /// A free port of 127.0.0.1, chosen anew for each generation. The child is ready by its event alone, so
    /// [`Spec::ready_event`] must be on: any process can answer on a port.
    ///
    /// Another process may take the port between the choice and the child's bind. The child then
    /// fails with [`FailureClass::AddressInUse`](crate::FailureClass::AddressInUse), which is retried.
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

/// When a child that serves counts as hung, once requests wait for it.
///
/// While none waits nothing is probed. A probe is a `/health`, which llama-server answers on its HTTP
/// threads however busy its inference thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessPolicy {
    /// How long a probe waits for its answer, and the time between an answer and the next probe. Long:
    /// a machine that swaps or is starved of processors is slow, and its children are not hung.
    pub probe_timeout: Duration,
    /// Probes in a row without an answer that make a hang.
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

/// Describes one instance: the program, its surroundings, and the rules it is kept by.
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
    /// An existing directory of mode 0700, in which each child has a directory of its own for its socket.
    /// Short: a socket's path has a limit of 107 bytes.
    pub runtime_dir: PathBuf,
    /// What the child may do; `None` for all that its user may.
    pub sandbox: Option<Sandbox>,
    /// The kind of socket the child listens on.
    pub transport: Transport,
    /// Whether the child learns its unix socket from `LLAMA_ARG_HOST` as well: a start script may not hand its
    /// arguments on.
    pub address_variable: bool,
    /// Whether the child is told, by `LLAMA_SERVER_ROUTER_PORT`, to write its state on stdout. Off for
    /// llama-server's own router mode; readiness is then found by probing alone.
    pub ready_event: bool,
    /// The longest silence (no event, no output) of a child that is starting.
    pub startup_timeout: Duration,
    /// When a failed child is started again.
    pub restart: RestartPolicy,
    /// How many restarts of the budget an earlier instance in this one's place has used.
    pub restarts_used: u32,
    /// How many children there have been in this one's place: generations count on from here.
    pub generations: u64,
    /// How long a stop waits before it becomes forceful.
    pub stop: StopPolicy,
    /// When a child that serves counts as hung.
    pub liveness: LivenessPolicy,
    /// What those who send requests to the child see of it.
    pub stalls: StallTracker,
    /// When a child whose inference routes answer with server errors counts as broken.
    pub inference: InferencePolicy,
    /// The server errors that those who send requests to the child see.
    pub inference_errors: InferenceErrors,
    /// Where the kernel counts the processes that it kills for want of memory.
    pub oom: OomCounters,
    /// Where the child's output goes.
    pub logs: Logs,
}

/// Arguments and environment values may hold secrets (API keys, tokens): only their number is shown.
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
