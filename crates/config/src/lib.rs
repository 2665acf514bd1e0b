//! The configuration: read from TOML, flags or a wrapped command, and valid once it exists.
//!
//! Invariant: this crate reads files and parses addresses; it never writes, binds or starts anything. A
//! [`Config`] exists only valid. All problems are found in one pass, each with its source span.

mod api_key;
mod argv;
mod browsers;
mod build;
mod checks;
mod discover;
mod edit;
mod engine;
mod engine_cors;
mod events;
mod expiry;
mod file_fault;
mod files;
mod hint;
mod home;
pub mod host;
mod host_names;
mod http_url;
mod keys;
mod limits;
mod listen;
mod log_filter;
mod model;
mod origins;
mod otlp;
mod otlp_headers;
mod owned;
pub mod printable;
mod problem;
mod raw;
mod report;
mod sandbox;
mod section;
mod source;
mod units;
mod warnings;
mod wrap;
mod wrap_env;
mod wrapped;

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use api_key::{ApiKey, KeyHash, Scope, bad_key_name};
pub use argv::Command;
pub use discover::Skipped;
pub use edit::{EditError, with_key, without_key};
pub use engine_cors::EngineCors;
pub use events::Events;
pub use expiry::Expiry;
pub use file_fault::FileFault;
pub use host_names::HostName;
pub use http_url::HttpUrl;
pub use keys::{example, schema};
pub use limits::{Memory, Ram, Scheduler, Vram};
pub use listen::{Listen, ListenError};
pub use model::{GpuLayers, KeepAlive, Model};
pub use origins::split as split_origin;
pub use origins::{AllowedOrigin, AllowedOrigins};
pub use otlp::Collector;
pub use printable::{printable, printable_lines};
pub use problem::{Coloured, Place, Problem, Problems};
pub use sandbox::SandboxMode;
pub use warnings::{Warning, warnings};
pub use wrap_env::{may_name_files, wrapped_environment};

use paddock_supervisor::sandbox::SandboxSupport;

/// A configuration that can be carried out, as far as can be told without starting anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the configuration came from.
    pub mode: Mode,
    /// Paddock's own listeners and limits.
    pub server: Server,
    /// The program that runs models.
    pub engine: Engine,
    /// How much memory models may take.
    pub memory: Memory,
    /// Who waits, for how long, and when one model makes room for another.
    pub scheduler: Scheduler,
    /// The models: those of the file in its order, those of flags, those found below the directories of
    /// `discover.dirs` by name. No name or alias is there twice. At least one unless there are such directories.
    pub models: Vec<Model>,
    /// Models are looked for in directories too (`discover.dirs`, `--models-dir`).
    pub discovers: bool,
    /// The files and directories that cannot be used as they are; their models are refused until that changes.
    pub faults: Vec<FileFault>,
    /// The files below the directories of `discover.dirs` that are not served.
    pub skipped: Vec<Skipped>,
    /// The API keys, in the order of the file; without any, nobody has to show one.
    pub api_keys: Vec<ApiKey>,
    /// For how long requests that have ended are kept on disk; `None` where they are not.
    pub activity_retention: Option<Duration>,
    /// Where traces and metrics are sent; `None` where they are not.
    pub otlp: Option<Collector>,
    /// Where events are posted to; `None` where they are not.
    pub events: Option<Events>,
    /// The log filter, such as `info` or `warn,paddock_server=debug`.
    pub log: String,
}

/// Where a configuration came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A file or flags that name models.
    Serve,
    /// A `llama-server` command line put behind paddock.
    Wrap {
        /// Whether that command names no model, so that `llama-server` serves many by itself.
        router: bool,
        /// Whether the program is something else than `llama-server`, which starts it: a script, `env`, `nice`.
        is_launched: bool,
    },
}

impl Mode {
    /// Returns whether something else than llama-server is wrapped, which may not hand its arguments on.
    pub const fn is_launched(self) -> bool {
        let Self::Wrap { is_launched, .. } = self else {
            return false;
        };
        is_launched
    }
}

/// Paddock's own listeners and limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where clients connect; at least one address, no two alike.
    pub listen: Vec<Listen>,
    /// Where the operator connects; may be empty.
    pub admin: Vec<Listen>,
    /// Addresses may be open to every network.
    pub allow_public: bool,
    /// The largest request body, in bytes.
    pub body_limit: u64,
    /// The most connections of clients; 0: as many as the limit of open files has room for.
    pub max_connections: u32,
    /// The most connections of one client address; 0: any number.
    pub max_connections_per_address: u32,
    /// Whether the admin address is a default that gives way: where it is taken, a free port is.
    pub admin_may_move: bool,
    /// How long work in flight may go on when paddock stops.
    pub drain_timeout: Duration,
    /// Where the children's sockets go; `None` for a place chosen at start.
    pub runtime_dir: Option<PathBuf>,
    /// Where paddock keeps what outlives it; an absolute path that need not exist yet.
    pub state_dir: PathBuf,
    /// The model for requests that name none, as its `id`; a name that no model has while directories of models
    /// cannot be read.
    pub default_model: Option<String>,
    /// The web pages that may use the public address; `None` for the default.
    pub allowed_origins: Option<AllowedOrigins>,
    /// The names, besides addresses and `localhost`, under which operators reach the admin address.
    pub admin_hosts: Vec<HostName>,
}

/// The program that runs models.
#[derive(Debug, Clone, PartialEq)]
pub struct Engine {
    /// The program, found and executable.
    pub program: PathBuf,
    /// Arguments for every model.
    pub args: Vec<OsString>,
    /// Environment variables beyond those that every child gets.
    pub env: BTreeMap<String, String>,
    /// Whether children run in a sandbox.
    pub sandbox: SandboxMode,
}

/// What the command line says; it wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--model`, each time it is given.
    pub models: Vec<ModelFlag>,
    /// `--models-dir`, each time it is given; they are added to the file's.
    pub models_dirs: Vec<PathBuf>,
    /// `--listen`; the file's addresses are not used when there is one.
    pub listen: Vec<Listen>,
    /// `--admin`; the file's addresses are not used when there is one.
    pub admin: Vec<Listen>,
    /// `--allow-public`.
    pub allow_public: bool,
    /// `--log`.
    pub log: Option<String>,
    /// `--sandbox` of `wrap`.
    pub sandbox: Option<SandboxMode>,
}

/// A model given as `PATH` or `NAME=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFlag {
    /// The name clients send; without one, the file's name is it.
    pub name: Option<String>,
    /// The model file.
    pub path: PathBuf,
}

impl From<&OsStr> for ModelFlag {
    /// Reads `PATH` or `NAME=PATH`; what stands before a `=` is a name if it has no slash.
    fn from(text: &OsStr) -> Self {
        let named = text.to_str().and_then(|text| text.split_once('='));
        match named.filter(|(name, _)| !name.contains('/')) {
            Some((name, path)) => Self {
                name: Some(name.to_owned()),
                path: path.into(),
            },
            None => Self {
                name: None,
                path: text.into(),
            },
        }
    }
}

/// What reading a configuration takes from the process.
#[derive(Debug, Clone, Default)]
struct Surroundings {
    /// `PATH`.
    search_path: Option<OsString>,
    /// `HOME`.
    home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    state_home: Option<PathBuf>,
    /// `OTEL_EXPORTER_OTLP_HEADERS`.
    otlp_headers: Option<OsString>,
    /// What of a sandbox the kernel has.
    parts: SandboxSupport,
    /// The system and the processor, such as `linux-x86_64`.
    machine: &'static str,
    /// Where the system keeps programs that a service's `PATH` may lack.
    installed: &'static [&'static str],
}

impl Surroundings {
    fn current() -> Self {
        Self {
            search_path: env::var_os("PATH"),
            home: env::var_os("HOME").map(PathBuf::from),
            state_home: env::var_os("XDG_STATE_HOME").map(PathBuf::from),
            otlp_headers: env::var_os(otlp_headers::VARIABLE),
            parts: SandboxSupport::detect(),
            machine: engine::MACHINE,
            installed: &engine::INSTALLED,
        }
    }
}

impl Config {
    /// Reads a configuration file's text. Paths in it are relative to the file.
    ///
    /// # Errors
    ///
    /// Every problem there is.
    pub fn from_toml(text: &str, file: &Path, overrides: &Overrides) -> Result<Self, Problems> {
        build::from_toml(text, file, overrides, &Surroundings::current())
    }

    /// Makes a configuration of flags alone, with every other key at its default.
    ///
    /// # Errors
    ///
    /// Every problem there is.
    pub fn from_flags(overrides: &Overrides) -> Result<Self, Problems> {
        Self::from_toml("", Path::new(""), overrides)
    }

    /// Puts a `llama-server` command line behind paddock: its address becomes paddock's, the rest of
    /// it is the child's.
    ///
    /// The command has the environment of this process.
    ///
    /// # Errors
    ///
    /// Every problem there is.
    pub fn from_wrap(command: &[OsString], overrides: &Overrides) -> Result<Self, Problems> {
        let around = Surroundings::current();
        wrapped::config(command, env::vars_os(), overrides, &around)
    }

    /// Returns the model of a name or an alias.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.is_called(name))
    }

    /// Returns whether clients may come from every network: someone has allowed it, or they show a key.
    pub fn public_may_be_open(&self) -> bool {
        self.server.allow_public || !self.api_keys.is_empty()
    }

    /// Returns whether operators may.
    pub fn admin_may_be_open(&self) -> bool {
        let mut keys = self.api_keys.iter();
        self.server.allow_public || keys.any(|key| key.allows(Scope::Admin))
    }

    /// Returns how the child of a model is started, but for where it listens.
    pub fn command(&self, model: &Model) -> Command {
        match self.mode {
            Mode::Serve => argv::command(&self.engine, model),
            Mode::Wrap { .. } => argv::wrapped(&self.engine),
        }
    }
}

/// Writes a flag as `llama-server` compares it.
pub fn normal_flag(arg: &str) -> String {
    owned::normal(arg)
}

/// Whether a flag stands for a model that is downloaded.
pub fn is_preset(flag: &str) -> bool {
    owned::preset_port(flag).is_some()
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
