//! Parses the `sandbox` mode of children (the `llama-server` processes that paddock starts).

use std::str::FromStr;

use paddock_supervisor::sandbox::SandboxSupport;

use super::key_reader::Sourced;
use super::problem::Problem;
use super::suggestions::did_you_mean;

/// Use of a sandbox for children.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SandboxMode {
    /// As much of the sandbox as this kernel supports.
    #[default]
    Auto,
    /// The complete sandbox; children do not start without it.
    On,
    /// No sandbox.
    Off,
}

impl FromStr for SandboxMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

/// Accepted values, for error messages.
pub(super) const EXPECTED: &str = "\"auto\", \"on\" or \"off\"";

/// Parses a mode.
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

/// Reports missing kernel support if the sandbox is required.
pub(super) fn missing_support(
    mode: &Sourced<SandboxMode>,
    system: SandboxSupport,
) -> Option<Problem> {
    let missing = system.missing();
    if mode.value != SandboxMode::On || missing.is_empty() {
        return None;
    }
    let message = format!(
        "this kernel does not support parts of the sandbox: {}",
        missing.join(", ")
    );
    let help = "write \"auto\" to use the supported parts, or use Linux 6.12 or newer with the Landlock security \
        module";
    Some(mode.problem(message).help(help))
}
