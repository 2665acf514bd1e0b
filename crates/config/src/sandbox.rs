//! Whether children run in a sandbox.

use std::str::FromStr;

use paddock_supervisor::sandbox::SandboxSupport;

use super::hint::did_you_mean;
use super::problem::Problem;
use super::section::At;

/// Says whether children run in a sandbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SandboxMode {
    /// In as much of it as this kernel has.
    #[default]
    Auto,
    /// In all of it, or not at all.
    On,
    /// In none.
    Off,
}

impl FromStr for SandboxMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

/// What a value may be.
pub(super) const EXPECTED: &str = "\"auto\", \"on\" or \"off\"";

/// Reads a value.
pub(super) fn parse(text: &str) -> Result<SandboxMode, String> {
    match text {
        "auto" => Ok(SandboxMode::Auto),
        "on" => Ok(SandboxMode::On),
        "off" => Ok(SandboxMode::Off),
        other => {
            let meant = did_you_mean(other, &["auto", "off", "on"]);
            Err(format!("expected {EXPECTED}, found `{other}`{meant}"))
        }
    }
}

/// Says what a kernel lacks of what is demanded.
pub(super) fn lacks(mode: &At<SandboxMode>, system: SandboxSupport) -> Option<Problem> {
    let missing = system.missing();
    if mode.value != SandboxMode::On || missing.is_empty() {
        return None;
    }
    let message = format!(
        "this kernel lacks parts of the sandbox: {}",
        missing.join(", ")
    );
    let help = "write \"auto\" to use what it has, or use Linux 6.12 or newer with Landlock among its \
        security modules";
    Some(mode.problem(message).help(help))
}
