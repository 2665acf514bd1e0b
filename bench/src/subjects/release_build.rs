//! Builds paddock in release mode.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Returns the workspace that this program was built in.
pub(crate) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Builds paddock if necessary and returns the path of the executable.
pub(super) fn build_paddock() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--release", "--package", "paddock"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace())
        .stderr(Stdio::inherit());
    // `cargo run` describes this package to the program it runs. Build scripts that read such variables (ring's) would
    // see them change, and cargo would compile again all that depends on them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let done = build.output().context("cannot run cargo")?;
    if !done.status.success() {
        bail!("building paddock failed");
    }
    let messages = String::from_utf8_lossy(&done.stdout);
    let executable = messages.lines().find_map(executable);
    executable.context("cargo reported no executable for paddock")
}

/// Returns the path in cargo's message about the executable `paddock`.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    (message["target"]["name"] == "paddock")
        .then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let library = r#"{"target":{"name":"paddock"},"executable":null}"#;
        let program = r#"{"target":{"name":"paddock"},"executable":"/t/paddock"}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable(program), Some("/t/paddock".into()));
        assert_eq!(executable("no JSON"), None);
    }
}
