//! What a model's child may do: the rules made of the configuration.

mod flags;
mod named;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use paddock_supervisor::Sandbox;
use paddock_supervisor::sandbox::{AccessRight, Network, PathGrant, SandboxSupport};

use flags::Opens;
use paddock_config::{Config, Mode, Model, SandboxMode, may_name_files};

/// The device by which AMD's GPUs compute.
const AMD_COMPUTE: &str = "/dev/kfd";

/// What a model's configuration leaves open to its child, and by which words of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    files: bool,
    network: bool,
    scheduling: bool,
    /// Flags and variables that require it.
    pub by: Vec<String>,
}

impl Opened {
    /// Reads the configuration:
    /// 1. with `on` nothing opens anything, and with `off` there is nothing to open;
    /// 2. a wrapped command that serves many models starts processes of its own, by flags that stand in its
    ///    files, and downloads: all;
    /// 3. flags and variables that need the network, files nobody can name beforehand, or processors of their own;
    /// 4. a wrapped command with a projector fetches the images that its clients name by URL, as it did
    ///    before it was wrapped: the network;
    /// 5. a device whose driver places threads.
    pub(crate) fn of(config: &Config, model: &Model) -> Self {
        let mut opened = Self::default();
        if config.engine.sandbox != SandboxMode::Auto {
            return opened; // 1.
        }
        if matches!(config.mode, Mode::Wrap { router: true, .. }) {
            opened.add(Opens::All, "no model is named"); // 2.
            opened.scheduling = true;
        }
        let command = config.command(model);
        let wrapped = config.mode != Mode::Serve;
        let env = flags::with_inherited(&command.env, |name| std::env::var(name).ok());
        for (what, word) in flags::opening(&command.args, &env, wrapped) {
            opened.add(what, word); // 3. and 4.
        }
        opened.add_devices(); // 5.
        opened
    }

    /// Opens what the drivers of this machine's devices need. Threads of AMD's runtime are created on all
    /// processors, or not at all where that is denied (ROCR-Runtime, `os_linux.cpp`, `os_thread`; variable
    /// `HSA_OVERRIDE_CPU_AFFINITY_DEBUG`).
    fn add_devices(&mut self) {
        if Path::new(AMD_COMPUTE).exists() {
            self.add(Opens::Scheduling, AMD_COMPUTE);
        }
    }

    fn add(&mut self, what: Opens, word: &str) {
        match what {
            Opens::All => (self.files, self.network) = (true, true),
            Opens::Network => self.network = true,
            Opens::Scheduling => self.scheduling = true,
        }
        self.by.push(word.to_owned());
    }
}

/// Returns which parts hold for a model's child on this system.
pub(crate) fn parts(system: SandboxSupport, config: &Config, opened: &Opened) -> SandboxSupport {
    let sandbox = shape(config, opened);
    system.for_child(sandbox.as_ref())
}

/// Returns the rules of a model's child. `files` are the model's own, `env` is the child's environment.
pub(crate) fn rules(
    config: &Config,
    model: &Model,
    files: &[PathBuf],
    env: &[(OsString, OsString)],
) -> Option<Sandbox> {
    let mut sandbox = shape(config, &Opened::of(config, model))?;
    if let Some(grants) = &mut sandbox.files {
        grants.extend(engine(&config.engine.program));
        grants.extend(files.iter().map(|file| AccessRight::Read.at(file)));
        let args = &config.command(model).args;
        let exists = |path: &Path| path.exists();
        // A wrapped command has its user's whole environment.
        let counts = |name: &OsStr| config.mode == Mode::Serve || may_name_files(name);
        let env = env.iter().filter(|(name, _)| counts(name));
        let env: Vec<_> = env.cloned().collect();
        let named = named::in_args(args, exists)
            .into_iter()
            .chain(named::in_env(&env, exists));
        grants.extend(named.map(|path| AccessRight::Read.at(path)));
        grants.extend(flags::written(args, &env));
    }
    Some(sandbox)
}

/// Returns the rules of an engine that is only asked what it is and can: it sees the devices that a child
/// sees, and no models.
pub(crate) fn of_engine(config: &Config, env: &[(OsString, OsString)]) -> Option<Sandbox> {
    let mut opened = Opened::default();
    if config.engine.sandbox != SandboxMode::On {
        opened.add_devices();
    }
    let mut sandbox = shape(config, &opened)?;
    if let Some(grants) = &mut sandbox.files {
        grants.extend(engine(&config.engine.program));
        let named = named::in_env(env, Path::exists);
        grants.extend(named.into_iter().map(|path| AccessRight::Read.at(path)));
    }
    Some(sandbox)
}

/// What the rules are about, before any file is granted.
fn shape(config: &Config, opened: &Opened) -> Option<Sandbox> {
    let strict = match config.engine.sandbox {
        SandboxMode::Off => return None,
        SandboxMode::Auto => false,
        SandboxMode::On => true,
    };
    Some(Sandbox {
        files: (!opened.files).then(Vec::new),
        network: match opened.network {
            true => Network::Open,
            false => Network::Closed,
        },
        scheduling: opened.scheduling,
        strict,
    })
}

/// The engine: its directory, by its name and behind links, and the libraries beside a `bin`.
fn engine(program: &Path) -> Vec<PathGrant> {
    let real = program.canonicalize().ok();
    let mut grants = vec![AccessRight::Execute.at(program)];
    for program in [Some(program), real.as_deref()].into_iter().flatten() {
        grants.extend(beside(program));
    }
    grants
}

fn beside(program: &Path) -> Vec<PathGrant> {
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

/// Says at the start which parts hold on this system.
pub fn announce(system: SandboxSupport, config: &Config) {
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
            let grants = beside(Path::new(program));
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
