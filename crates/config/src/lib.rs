//! The configuration: read from TOML, flags or a wrapped command, then validated.
//!
//! Invariant: this crate reads files and parses addresses; it never writes, binds or starts anything. Every
//! [`Config`] is valid. One pass finds all problems, each with its source span.
//!
//! Path of a key: `key_reader.rs` reads TOML with spans, `raw.rs` reads each key, `resolve.rs` and `resolve/`
//! validate them and apply defaults and flags. `wrap.rs` and `wrap_config.rs` do the same for a wrapped command
//! (`paddock wrap -- llama-server …`). `key_descriptions/` describes every key for people: the example file and the
//! JSON Schema.

mod admin_hosts;
mod allowed_pages;
mod api_key;
mod api_key_edit;
mod child_command;
mod context_cache;
mod cross_checks;
mod discover;
mod encryption_key;
mod engine_cors;
mod engine_search;
mod event_receiver;
mod expiry;
mod file_fault;
mod home_dir;
pub mod host;
mod http_url;
mod key_descriptions;
mod key_reader;
mod listen;
mod log_filter;
mod missing_sources;
mod model;
mod model_files;
mod model_sources;
mod origins;
mod otlp;
mod otlp_headers;
mod owned_flags;
pub mod printable;
mod problem;
mod problem_report;
mod raw;
mod resolve;
mod sandbox;
mod shared_limits;
mod source_text;
mod suggestions;
mod units;
mod warnings;
mod wrap;
mod wrap_config;
mod wrap_env;

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use admin_hosts::HostName;
pub use api_key::{ApiKey, KeyHash, Scope, key_name_error};
pub use api_key_edit::{EditError, with_key, without_key};
pub use child_command::Command;
pub use context_cache::ContextCache;
pub use discover::SkippedFile;
pub use encryption_key::{EncryptionKey, EncryptionKeyError};
pub use engine_cors::EngineCors;
pub use event_receiver::EventReceiver;
pub use expiry::Expiry;
pub use file_fault::FileFault;
pub use http_url::HttpUrl;
pub use key_descriptions::{example, schema};
pub use listen::{Listen, ListenError};
pub use missing_sources::MissingSources;
pub use model::{GpuLayers, KeepAlive, Model};
pub use model_sources::{ConfiguredModel, configured_models};
pub use origins::split as split_origin;
pub use origins::{AllowedOrigin, AllowedOrigins};
pub use otlp::Collector;
pub use printable::{printable, printable_lines};
pub use problem::{ColouredProblems, Problem, Problems, SourceSpan};
pub use sandbox::SandboxMode;
pub use shared_limits::{Memory, Ram, Scheduler, Vram};
pub use warnings::{Warning, warnings};
pub use wrap_env::{may_name_files, wrapped_environment};

use paddock_engines::EngineDirs;
use paddock_models::StoreDirs;
use paddock_supervisor::sandbox::SandboxSupport;

/// A valid configuration, as far as validity can be checked without starting anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Source of the configuration.
    pub mode: Mode,
    /// Paddock's own listeners and limits.
    pub server: Server,
    /// The program that runs models.
    pub engine: Engine,
    /// Memory limits of all models together.
    pub memory: Memory,
    /// Limits of queues, waiting and residency.
    pub scheduler: Scheduler,
    /// The models: those of the file in its order, then those of flags, then those discovered, sorted by name. Names
    /// and aliases are unique. At least one model, unless directories of models are configured.
    pub models: Vec<Model>,
    /// Directories are searched for models (`discover.dirs`, `--models-dir`).
    pub discovers: bool,
    /// Files and directories that are unusable now; requests for their models are denied until that changes.
    pub faults: Vec<FileFault>,
    /// Files below the directories of `discover.dirs` that are not served.
    pub skipped: Vec<SkippedFile>,
    /// The API keys, in the order of the file; without any, clients need none.
    pub api_keys: Vec<ApiKey>,
    /// Settings of the context store.
    pub context_cache: ContextCache,
    /// Time for which finished requests are kept on disk; `None` to keep none.
    pub activity_retention: Option<Duration>,
    /// Receiver of traces and metrics, if any.
    pub otlp: Option<Collector>,
    /// Receiver of events, if any.
    pub events: Option<EventReceiver>,
    /// The log filter, such as `info` or `warn,paddock_server=debug`.
    pub log: String,
}

/// Source of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A file or flags that name models.
    Serve,
    /// A `llama-server` command line put behind paddock.
    Wrap {
        /// The command names no model, so `llama-server` is a router that serves many.
        router: bool,
        /// Another program starts `llama-server`: a script, `env`, `nice`.
        is_launched: bool,
    },
}

impl Mode {
    /// Returns whether the wrapped program is not llama-server itself, and so may not pass its arguments on.
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
    /// Addresses for clients; at least one, all different.
    pub listen: Vec<Listen>,
    /// Addresses for the operator; may be empty.
    pub admin: Vec<Listen>,
    /// Addresses may be open to every network without an API key.
    pub allow_public: bool,
    /// Maximum size of a request body, in bytes.
    pub body_limit: u64,
    /// Maximum number of client connections; 0 for as many as the limit of open files allows.
    pub max_connections: u32,
    /// Maximum number of connections per client address; 0 for any number.
    pub max_connections_per_address: u32,
    /// The admin address is a default: if it is in use, a free port replaces it.
    pub admin_may_move: bool,
    /// Time that in-flight requests have to finish when paddock stops.
    pub drain_timeout: Duration,
    /// Directory of the children's sockets; `None` for one chosen at start.
    pub runtime_dir: Option<PathBuf>,
    /// Directory of files that outlive the process; an absolute path that need not exist yet.
    pub state_dir: PathBuf,
    /// The `id` of the model for requests that name none. May be the name of no model while a directory of models is
    /// unreadable.
    pub default_model: Option<String>,
    /// The web pages that may use the public address; `None` for the default.
    pub allowed_origins: Option<AllowedOrigins>,
    /// Host names of the admin address, in addition to addresses and `localhost`.
    pub admin_hosts: Vec<HostName>,
}

/// The program that runs models.
#[derive(Debug, Clone, PartialEq)]
pub struct Engine {
    /// The program, found and executable.
    pub program: PathBuf,
    /// Arguments for every model.
    pub args: Vec<OsString>,
    /// Environment variables in addition to those that every child gets.
    pub env: BTreeMap<String, String>,
    /// Use of a sandbox for children.
    pub sandbox: SandboxMode,
}

/// Settings of the command line, which override the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--model`, each time it is given.
    pub models: Vec<ModelFlag>,
    /// `--models-dir`, each time it is given; added to the file's.
    pub models_dirs: Vec<PathBuf>,
    /// `--listen`; replaces the file's addresses if given.
    pub listen: Vec<Listen>,
    /// `--admin`; replaces the file's addresses if given.
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
    /// The name that clients send; `None` to name the model after its file.
    pub name: Option<String>,
    /// The model file.
    pub path: PathBuf,
}

impl From<&OsStr> for ModelFlag {
    /// Reads `PATH` or `NAME=PATH`; text before a `=` is a name if it has no slash.
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

/// Facts about the process and the system that a configuration depends on.
#[derive(Debug, Clone, Default)]
struct ProcessEnv {
    /// `PATH`.
    search_path: Option<OsString>,
    /// `HOME`.
    home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    state_home: Option<PathBuf>,
    /// The directories of model files; `None` if the environment does not tell them.
    store: Option<StoreDirs>,
    /// `OTEL_EXPORTER_OTLP_HEADERS`.
    otlp_headers: Option<OsString>,
    /// The kernel's support for sandboxes.
    parts: SandboxSupport,
    /// Directories of installed engines.
    engines: EngineDirs,
    /// Program directories of the system that a service's `PATH` may lack.
    installed: &'static [&'static str],
}

impl ProcessEnv {
    fn current() -> Self {
        Self {
            search_path: env::var_os("PATH"),
            home: env::var_os("HOME").map(PathBuf::from),
            state_home: env::var_os("XDG_STATE_HOME").map(PathBuf::from),
            store: StoreDirs::current(),
            otlp_headers: env::var_os(otlp_headers::HEADERS_VARIABLE),
            parts: SandboxSupport::detect(),
            engines: EngineDirs::from_env(
                |name| env::var_os(name),
                rustix::process::geteuid().is_root(),
            ),
            installed: &engine_search::INSTALL_PATHS,
        }
    }
}

impl Config {
    /// Reads a configuration file's text. Paths in it are relative to the file.
    ///
    /// # Errors
    ///
    /// All problems of the configuration.
    pub fn from_toml(text: &str, file: &Path, overrides: &Overrides) -> Result<Self, Problems> {
        resolve::from_toml(text, file, overrides, &ProcessEnv::current())
    }

    /// Creates a configuration from flags, with every other key at its default.
    ///
    /// # Errors
    ///
    /// All problems of the configuration.
    pub fn from_flags(overrides: &Overrides) -> Result<Self, Problems> {
        Self::from_toml("", Path::new(""), overrides)
    }

    /// Creates the configuration of `paddock wrap`: the command's address becomes paddock's, and the child gets the
    /// rest of the command line and the environment of this process.
    ///
    /// # Errors
    ///
    /// All problems of the configuration.
    pub fn from_wrap(command: &[OsString], overrides: &Overrides) -> Result<Self, Problems> {
        let process_env = ProcessEnv::current();
        wrap_config::config(command, env::vars_os(), overrides, &process_env)
    }

    /// Returns the model of a name or an alias.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.has_name(name))
    }

    /// Returns whether the public address may be open to every network: allowed explicitly, or protected by API keys.
    pub fn public_may_be_open(&self) -> bool {
        self.server.allow_public || !self.api_keys.is_empty()
    }

    /// Returns whether the admin address may be open to every network.
    pub fn admin_may_be_open(&self) -> bool {
        let mut keys = self.api_keys.iter();
        self.server.allow_public || keys.any(|key| key.allows(Scope::Admin))
    }

    /// Returns the command of a model's child, without the address to listen on.
    pub fn command(&self, model: &Model) -> Command {
        match self.mode {
            Mode::Serve => child_command::model_command(&self.engine, model),
            Mode::Wrap { .. } => child_command::wrapped_command(&self.engine),
        }
    }
}

/// Returns the engine that models use if no configuration names one: the installed one, else `llama-server` on the
/// `PATH`.
pub fn default_engine() -> Option<PathBuf> {
    engine_search::find_default(&ProcessEnv::current())
}

/// Normalizes a flag as `llama-server` does before it compares flags.
pub fn normalize_flag(arg: &str) -> String {
    owned_flags::normalize_flag(arg)
}

/// Returns whether a flag selects a model preset that `llama-server` downloads.
pub fn is_preset(flag: &str) -> bool {
    owned_flags::preset_port(flag).is_some()
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
