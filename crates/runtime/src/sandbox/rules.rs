//! Derives the rules of a sandbox: the files that a child (a llama-server process) may use, and the restrictions that
//! apply to the process.

use super::{Machine, SandboxExemptions, flag_permissions, named_paths};
use paddock_config::{Config, Mode, Model, SandboxMode, may_name_files};
use paddock_supervisor::Sandbox;
use paddock_supervisor::sandbox::{AccessRight, Network, PathGrant, SandboxSupport};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Returns the restrictions that apply to a model's child on this system.
pub(crate) fn effective_support(
    system: SandboxSupport,
    config: &Config,
    exemptions: &SandboxExemptions,
) -> SandboxSupport {
    let sandbox = base_sandbox(config, exemptions);
    system.for_child(sandbox.as_ref())
}

/// Returns the sandbox of a model's child. `files` are the model's files, and `env` is the child's environment.
pub(crate) fn child_sandbox(
    config: &Config,
    model: &Model,
    exemptions: &SandboxExemptions,
    files: &[PathBuf],
    env: &[(OsString, OsString)],
    machine: Machine,
) -> Option<Sandbox> {
    let mut sandbox = base_sandbox(config, exemptions)?;
    if let Some(grants) = &mut sandbox.files {
        grants.extend(engine_grants(&config.engine.program, machine));
        grants.extend(files.iter().map(|file| AccessRight::Read.at(file)));
        let args = &config.command(model).args;
        // A wrapped command inherits its user's whole environment.
        let counts = |name: &OsStr| config.mode == Mode::Serve || may_name_files(name);
        let env = env.iter().filter(|(name, _)| counts(name));
        let env: Vec<_> = env.cloned().collect();
        let named = named_paths::in_args(args, machine.exists)
            .into_iter()
            .chain(named_paths::in_env(&env, machine.exists));
        grants.extend(named.map(|path| AccessRight::Read.at(path)));
        grants.extend(flag_permissions::write_grants(args, &env));
    }
    Some(sandbox)
}

/// Returns the sandbox for probing the engine, which sees a child's devices but no models.
pub(crate) fn engine_sandbox(
    config: &Config,
    env: &[(OsString, OsString)],
    machine: Machine,
) -> Option<Sandbox> {
    let mut exemptions = SandboxExemptions::default();
    if config.engine.sandbox != SandboxMode::On {
        exemptions.add_devices(machine);
    }
    let mut sandbox = base_sandbox(config, &exemptions)?;
    if let Some(grants) = &mut sandbox.files {
        grants.extend(engine_grants(&config.engine.program, machine));
        let named = named_paths::in_env(env, machine.exists);
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
fn engine_grants(program: &Path, machine: Machine) -> Vec<PathGrant> {
    let real = (machine.resolve)(program);
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

#[cfg(test)]
mod tests;
