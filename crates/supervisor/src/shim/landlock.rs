//! Applies the rules of a sandbox that the kernel enforces by Landlock.

use std::{fs, io, path::Path};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, Scope, make_bitflags,
};

use super::system_grants;
use crate::sandbox::{AccessRight, Network, PathGrant, Sandbox};

/// The newest version of Landlock's ABI whose rules are used. Version 7 adds no restriction.
const LEVEL: ABI = ABI::V6;

/// Restricts this process irrevocably: by the rules that the kernel supports, or by all of them for a strict
/// sandbox. Returns true if the process is in a Landlock domain now: the kernel creates none if it supports
/// none of the rules.
pub(super) fn restrict(sandbox: &Sandbox) -> Result<bool, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(match sandbox.strict {
            true => CompatLevel::HardRequirement,
            false => CompatLevel::BestEffort,
        })
        .scope(Scope::from_all(LEVEL))?;
    if sandbox.files.is_some() {
        rules = rules.handle_access(AccessFs::from_all(LEVEL))?;
    }
    if sandbox.network != Network::Open {
        rules = rules.handle_access(AccessNet::from_all(LEVEL))?;
    }
    let mut rules = rules.create()?;
    for grant in sandbox.files.iter().flatten() {
        rules = add(rules, grant)?;
    }
    if sandbox.files.is_some() {
        for grant in system_grants::list_grants() {
            rules = add(rules, &grant)?;
        }
    }
    if let Network::Listen(port) = sandbox.network {
        rules = rules.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
    }
    // The shim has set no_new_privs before, as a separate part of the sandbox.
    let restricted = rules.no_new_privs(false).restrict_self()?;
    Ok(restricted.ruleset != RulesetStatus::NotEnforced)
}

/// Adds a grant; a missing path grants nothing.
fn add(rules: RulesetCreated, grant: &PathGrant) -> Result<RulesetCreated, RulesetError> {
    if let Err(error) = make(grant) {
        // The path may exist already, or the child may not need it.
        let path = grant.path.display();
        tracing::debug!(%path, %error, "cannot create the path");
    }
    let Ok(metadata) = fs::metadata(&grant.path) else {
        return Ok(rules);
    };
    let Ok(place) = PathFd::new(&grant.path) else {
        return Ok(rules);
    };
    let mut access = access(grant.right);
    if !metadata.is_dir() {
        access &= AccessFs::from_file(LEVEL);
    }
    if access.is_empty() {
        return Ok(rules);
    }
    rules.add_rule(PathBeneath::new(place, access))
}

/// Creates paths that must exist before the child is restricted.
fn make(grant: &PathGrant) -> io::Result<()> {
    let path: &Path = &grant.path;
    match grant.right {
        AccessRight::Keep => fs::create_dir_all(path),
        AccessRight::Log => fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map(drop),
        AccessRight::Execute
        | AccessRight::Read
        | AccessRight::Write
        | AccessRight::Change
        | AccessRight::Device
        | AccessRight::Listen => Ok(()),
    }
}

fn access(right: AccessRight) -> BitFlags<AccessFs> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    match right {
        AccessRight::Execute => read | AccessFs::Execute,
        AccessRight::Read => read,
        AccessRight::Change | AccessRight::Log => read | AccessFs::WriteFile | AccessFs::Truncate,
        AccessRight::Write | AccessRight::Keep => {
            read | make_bitflags!(AccessFs::{
                WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
            })
        }
        AccessRight::Device => read | make_bitflags!(AccessFs::{WriteFile | IoctlDev}),
        AccessRight::Listen => AccessFs::MakeSock.into(),
    }
}

/// Returns the relevant Landlock level of this kernel; 0 if it has none, or none enabled. Creates rules to find
/// out, and applies them to no process.
pub(crate) fn level() -> u8 {
    let levels = [(6, ABI::V6), (4, ABI::V4), (3, ABI::V3), (1, ABI::V1)];
    let has = |abi: ABI| {
        let mut rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        rules = rules.handle_access(AccessFs::from_all(abi))?;
        if abi >= ABI::V4 {
            rules = rules.handle_access(AccessNet::from_all(abi))?;
        }
        if abi >= ABI::V6 {
            rules = rules.scope(Scope::from_all(abi))?;
        }
        rules.create()
    };
    let found = levels.into_iter().find(|(_, abi)| has(*abi).is_ok());
    found.map_or(0, |(level, _)| level)
}
