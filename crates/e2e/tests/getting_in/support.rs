//! A home directory without anything, and commands in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use paddock_e2e::harness::{CommandOutput, Paddock, PaddockBuilder};
use paddock_e2e::mirror::hub::HubMirror;
use paddock_e2e::paddock;

/// The answer of the stand-in begins like this.
pub(crate) const ANSWER: &str = "token 1 token 2 ";

/// Returns an environment with an empty home, a `llama-server` on the `PATH`, and `endpoint` as the hub. No paddock
/// runs.
pub(crate) fn home(endpoint: &str) -> PaddockBuilder {
    let builder = paddock!();
    let home = builder.directory().join("home");
    let bin = builder.directory().join("bin");
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(builder.engine_path(), bin.join("llama-server")).unwrap();
    let text = |path: &PathBuf| path.display().to_string();
    let path = format!("{}:/usr/bin:/bin", text(&bin));
    builder
        .env("HOME", &text(&home))
        .env("PATH", &path)
        .env("HF_ENDPOINT", endpoint)
}

/// Returns the bytes of a model that differs from others by its padding.
pub(crate) fn model(padding: usize) -> Vec<u8> {
    let mut bytes = paddock_e2e::harness::model();
    bytes.extend(std::iter::repeat_n(0, padding));
    bytes
}

/// Starts a hub with a repository of two quantisations.
pub(crate) fn hub() -> HubMirror {
    let hub = HubMirror::start();
    hub.add_repo(
        "u/r",
        &[
            ("README.md", b"A model.".to_vec()),
            ("m-Q4_K_M.gguf", model(1000)),
            ("m-Q8_0.gguf", model(2000)),
        ],
    );
    hub
}

/// Runs commands in a home beside a paddock that has been started there.
pub(crate) struct Commands {
    pattern: Command,
    admin: String,
}

impl Commands {
    /// Starts the paddock.
    pub(crate) fn start(builder: PaddockBuilder) -> (Paddock, Self) {
        let pattern = builder.command();
        let paddock = builder.start();
        let admin = paddock.admin().to_string();
        (paddock, Self { pattern, admin })
    }

    /// Runs a command that asks this paddock, to its end.
    pub(crate) fn run(&self, args: &[&str]) -> CommandOutput {
        let pattern = &self.pattern;
        let mut command = Command::new(pattern.get_program());
        command.args(args).env_clear();
        let set = pattern.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        command.env("PADDOCK_ADMIN", &self.admin);
        let directory = pattern.get_current_dir().unwrap();
        let output = command.current_dir(directory).stdin(Stdio::null()).output();
        let output = output.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        CommandOutput {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
