//! What the documents show is what happens: each command runs, each file is accepted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use paddock_e2e::harness;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let starts = text.split(&fence).skip(1);
    starts
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The commands of a document, without their prompt.
fn commands(text: &str) -> Vec<String> {
    let lines: Vec<String> = blocks(text, "console")
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| line.strip_prefix("$ "))
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty(), "no commands are shown");
    lines
}

/// A directory as a reader would have it: paddock and llama-server on the PATH, a model, a file.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new(configuration: &str, model: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_paddock-e2e"), bin.join("paddock")).unwrap();
        symlink(
            env!("CARGO_BIN_EXE_fake-llama-server"),
            bin.join("llama-server"),
        )
        .unwrap();
        fs::write(dir.path().join(model), harness::model()).unwrap();
        let desk = Self { dir };
        desk.write_configuration(configuration);
        desk
    }

    fn write_configuration(&self, text: &str) {
        fs::write(self.dir.path().join("paddock.toml"), text).unwrap();
    }

    fn command(&self, line: &str, model: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let bin = self.dir.path().join("bin");
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("exec {line}")])
            .current_dir(self.dir.path())
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("MODEL", model)
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("PADDOCK_LOG", "info")
            .stdin(Stdio::null());
        command
    }
}

/// Waits for the line that says where paddock is, stops it, and sees it end well.
fn serve_and_stop(mut child: Child) {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let serving = lines.map_while(Result::ok).any(|line| {
        said.push(line);
        said.last().is_some_and(|line| line.contains("\"serving\""))
    });
    assert!(serving, "it never served:\n{}", said.join("\n"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, harness::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_command_of_the_readme_runs() {
    let readme = document("README.md");
    let configuration = blocks(&readme, "toml").remove(0);
    let model = "gemma-3-270m-q4_k_m.gguf";
    let desk = Desk::new(&configuration, model);
    for line in commands(&readme) {
        // A command that names its model is shown to somebody who has no file yet.
        let names_model = line.contains("$MODEL");
        desk.write_configuration(if names_model { "" } else { &configuration });
        let word = line.split(' ').next().unwrap();
        if word.starts_with("scripts/") {
            // The checks before a change lands run these two whole.
            let mode = fs::metadata(root().join(word)).unwrap().permissions();
            assert!(mode.mode() & 0o111 != 0, "{word} cannot be run");
        } else if line.starts_with("paddock check") || line.starts_with("paddock inspect") {
            let status = desk.command(&line, model).status().unwrap();
            assert!(status.success(), "{line}");
        } else {
            // Any free port in the place of the shown ones: those may be taken here.
            let elsewhere = line
                .replace("paddock serve", "paddock serve --listen 127.0.0.1:0")
                .replace("--port 9000", "--port 0")
                .replacen("paddock serve", "paddock serve --admin 127.0.0.1:0", 1)
                .replacen("paddock wrap", "paddock wrap --admin 127.0.0.1:0", 1);
            let mut command = desk.command(&elsewhere, model);
            serve_and_stop(command.stderr(Stdio::piped()).spawn().unwrap());
        }
    }
}

#[test]
fn the_configuration_page_is_a_valid_file() {
    let text = blocks(&document("docs/configuration.md"), "toml").remove(0);
    let anywhere = text
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8081", "127.0.0.1:0");
    let desk = Desk::new(&anywhere, "model.gguf");
    let output = desk.command("paddock check", "").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_configuration_page_shows_the_example() {
    let shown = blocks(&document("docs/configuration.md"), "toml").remove(0);
    let desk = Desk::new("", "model.gguf");
    let output = desk.command("paddock config example", "").output().unwrap();
    assert_eq!(shown, String::from_utf8(output.stdout).unwrap());
}
