//! Derives the sandbox of a model's child from the configuration.

mod flag_permissions;
mod named_paths;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use paddock_supervisor::Sandbox;
use paddock_supervisor::sandbox::{AccessRight, Network, PathGrant, SandboxSupport};

use flag_permissions::Exemption;
use paddock_config::{Config, Mode, Model, SandboxMode, may_name_files};

/// Compute device of AMD's GPUs.
const AMD_COMPUTE: &str = "/dev/kfd";

/// Restrictions that a model's configuration lifts, and the flags and variables that require it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxExemptions {
    files: bool,
    network: bool,
    scheduling: bool,
    /// Flags and variables that require it.
    pub by: Vec<String>,
}

impl SandboxExemptions {
    /// Derives the exemptions from the configuration:
    /// 1. With `on` there are no exemptions, and with `off` there is nothing to exempt.
    /// 2. A wrapped command that serves many models starts processes of its own, by flags in its files, and
    ///    downloads: everything is open.
    /// 3. Some flags and variables need the network, files that cannot be named beforehand, or CPU affinity.
    /// 4. A wrapped command with a projector fetches images that its clients name by URL, as it did before it was
    ///    wrapped: the network is open.
    /// 5. Some devices' drivers set the affinity of threads.
    pub(crate) fn from_config(config: &Config, model: &Model) -> Self {
        let mut exemptions = Self::default();
        if config.engine.sandbox != SandboxMode::Auto {
            return exemptions; // 1.
        }
        if matches!(config.mode, Mode::Wrap { router: true, .. }) {
            exemptions.add(Exemption::All, "no model is named"); // 2.
            exemptions.scheduling = true;
        }
        let command = config.command(model);
        let wrapped = config.mode != Mode::Serve;
        let env = flag_permissions::with_inherited(&command.env, |name| std::env::var(name).ok());
        for (what, word) in flag_permissions::required_exemptions(&command.args, &env, wrapped) {
            exemptions.add(what, word); // 3. and 4.
        }
        exemptions.add_devices(); // 5.
        exemptions
    }

    /// Adds the exemptions that this machine's device drivers need. AMD's runtime sets the affinity of its threads
    /// and fails to create them if denied (ROCR-Runtime, `os_linux.cpp`, `os_thread`; variable
    /// `HSA_OVERRIDE_CPU_AFFINITY_DEBUG`).
    fn add_devices(&mut self) {
        if Path::new(AMD_COMPUTE).exists() {
            self.add(Exemption::Scheduling, AMD_COMPUTE);
        }
    }

    fn add(&mut self, what: Exemption, word: &str) {
        match what {
            Exemption::All => (self.files, self.network) = (true, true),
            Exemption::Network => self.network = true,
            Exemption::Scheduling => self.scheduling = true,
        }
        self.by.push(word.to_owned());
    }
}

/// Returns the restrictions that apply to a model's child on this system.
pub(crate) fn effective_support(
    system: SandboxSupport,
    config: &Config,
    exemptions: &SandboxExemptions,
) -> SandboxSupport {
    let sandbox = base_sandbox(config, exemptions);
    system.for_child(sandbox.as_ref())
}

/// Returns the sandbox of a model's child. `files` are the model's own, `env` is the child's environment.
pub(crate) fn child_sandbox(
    config: &Config,
    model: &Model,
    files: &[PathBuf],
    env: &[(OsString, OsString)],
) -> Option<Sandbox> {
    let mut sandbox = base_sandbox(config, &SandboxExemptions::from_config(config, model))?;
    if let Some(grants) = &mut sandbox.files {
        grants.extend(engine_grants(&config.engine.program));
        grants.extend(files.iter().map(|file| AccessRight::Read.at(file)));
        let args = &config.command(model).args;
        let exists = |path: &Path| path.exists();
        // A wrapped command inherits its user's whole environment.
        let counts = |name: &OsStr| config.mode == Mode::Serve || may_name_files(name);
        let env = env.iter().filter(|(name, _)| counts(name));
        let env: Vec<_> = env.cloned().collect();
        let named = named_paths::in_args(args, exists)
            .into_iter()
            .chain(named_paths::in_env(&env, exists));
        grants.extend(named.map(|path| AccessRight::Read.at(path)));
        grants.extend(flag_permissions::write_grants(args, &env));
    }
    Some(sandbox)
}

/// Returns the sandbox for probing the engine, which sees a child's devices but no models.
pub(crate) fn engine_sandbox(config: &Config, env: &[(OsString, OsString)]) -> Option<Sandbox> {
    let mut exemptions = SandboxExemptions::default();
    if config.engine.sandbox != SandboxMode::On {
        exemptions.add_devices();
    }
    let mut sandbox = base_sandbox(config, &exemptions)?;
    if let Some(grants) = &mut sandbox.files {
        grants.extend(engine_grants(&config.engine.program));
        let named = named_paths::in_env(env, Path::exists);
        grants.extend(named.into_iter().map(|path| AccessRight::Read.at(path)));
    }
    Some(sandbox)
}

/// Returns the restrictions before any file is granted.
fn base_sandbox(config: &Config, exemptions: &SandboxExemptions) -> Option<Sandbox> {
    let strict = match config.engine.sandbox {
        SandboxMode::Off => return None,
        SandboxMode::Auto => false,
        SandboxMode::On => true,
    };
    Some(Sandbox {
        files: (!exemptions.files).then(Vec::new),
        network: match exemptions.network {
            true => Network::Open,
            false => Network::Closed,
        },
        scheduling: exemptions.scheduling,
        strict,
    })
}

/// Grants access to the engine: its directory, also behind links, and the libraries beside a `bin`.
fn engine_grants(program: &Path) -> Vec<PathGrant> {
    let real = program.canonicalize().ok();
    let mut grants = vec![AccessRight::Execute.at(program)];
    for program in [Some(program), real.as_deref()].into_iter().flatten() {
        grants.extend(directory_grants(program));
    }
    grants
}

fn directory_grants(program: &Path) -> Vec<PathGrant> {
    let Some(directory) = program.parent() else {
        return Vec::new();
    };
    let mut grants = vec![AccessRight::Execute.at(directory)];
    if directory.ends_with("bin")
        && let Some(prefix) = directory.parent()
    {
        let libraries = ["lib", "lib64", "libexec"].map(|name| prefix.join(name));
        grants.extend(libraries.map(|path| AccessRight::Execute.at(path)));
    }
    grants
}

/// Logs at startup which restrictions this system supports.
pub fn log_support(system: SandboxSupport, config: &Config) {
    let missing = system.missing().join(", ");
    match config.engine.sandbox {
        SandboxMode::Off if config.mode != Mode::Serve => {
            tracing::info!(
                "the command may do all that its user may; `--sandbox auto` confines it"
            );
        }
        SandboxMode::Off => {
            tracing::warn!("the sandbox is off: children may do all that their user may");
        }
        SandboxMode::Auto | SandboxMode::On if missing.is_empty() => {
            tracing::info!("children run in a sandbox; this kernel has every part of it");
        }
        SandboxMode::Auto | SandboxMode::On => {
            tracing::warn!(
                missing,
                "the sandbox of the children is partial: this system does not support all of it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_brings_its_directory_and_the_libraries_beside_a_bin() {
        let grants = |program: &str| {
            let grants = directory_grants(Path::new(program));
            let paths = grants.into_iter().map(|grant| {
                assert_eq!(grant.right, AccessRight::Execute);
                grant.path.display().to_string()
            });
            paths.collect::<Vec<_>>()
        };
        assert_eq!(grants("/srv/llama/llama-server"), ["/srv/llama"]);
        assert_eq!(
            grants("/c/env/bin/llama-server"),
            ["/c/env/bin", "/c/env/lib", "/c/env/lib64", "/c/env/libexec"]
        );
        assert!(grants("/").is_empty());
    }
}
