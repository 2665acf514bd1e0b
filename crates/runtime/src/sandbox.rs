//! Derives the sandbox of a model's child (a llama-server process) from the configuration: the files, network access
//! and system calls that the child may use.

mod exemptions;
mod flag_permissions;
mod named_paths;
mod rules;

pub use exemptions::SandboxExemptions;
use paddock_config::{Config, Mode, SandboxMode};
use paddock_supervisor::sandbox::SandboxSupport;
pub(crate) use rules::{child_sandbox, effective_support, engine_sandbox};
use std::path::{Path, PathBuf};

/// The facts about the machine that the rules follow from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// Returns an environment variable of this process.
    pub(crate) variable: fn(&str) -> Option<String>,
    /// Returns true if a path exists.
    pub(crate) exists: fn(&Path) -> bool,
    /// Follows the links in a path.
    pub(crate) resolve: fn(&Path) -> Option<PathBuf>,
}

impl Machine {
    /// The machine that paddock runs on.
    pub(crate) const THIS: Self = Self {
        variable: |name| std::env::var(name).ok(),
        exists: |path| path.exists(),
        resolve: |path| path.canonicalize().ok(),
    };
}

/// Logs at startup which restrictions this system supports.
pub fn log_support(system: SandboxSupport, config: &Config) {
    let missing = system.missing().join(", ");
    match config.engine.sandbox {
        SandboxMode::Off if config.mode != Mode::Serve => {
            tracing::info!(
                "the sandbox is off: the command can do everything that its user can; `--sandbox auto` restricts it"
            );
        }
        SandboxMode::Off => {
            tracing::warn!("the sandbox is off: children can do everything that their user can");
        }
        SandboxMode::Auto | SandboxMode::On if missing.is_empty() => {
            tracing::info!("children run in a sandbox; this kernel supports all of it");
        }
        SandboxMode::Auto | SandboxMode::On => {
            tracing::warn!(
                missing,
                "children run in a partial sandbox: this system does not support every restriction"
            );
        }
    }
}
