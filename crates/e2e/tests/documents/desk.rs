//! Where a reader sits: a home with a clone's scripts, an engine, models, and terminals.

use crate::page::{Shown, root};
use paddock_e2e::harness::{self, LIMIT, Lines, Signal, wait_for};
use paddock_e2e::mirror::hub::HubMirror;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// Directories of the system. A reader's own are in the desk.
const ELSEWHERE: [&str; 4] = ["/etc/", "/run/", "/srv/", "/usr/"];

/// Runs what is typed in a document, one line after the other.
///
/// What would change the machine happens in the desk: paths such as `/etc/paddock` are below it, and so
/// are the units that are enabled. Addresses are any that are free, for those shown may be taken here.
pub(crate) struct Desk {
    home: TempDir,
    /// Variables of the commands, in addition to the usual ones.
    variables: Vec<(String, String)>,
    /// In place of Hugging Face, and of any other server with model files.
    hub: HubMirror,
    serving: Option<Serving>,
}

/// A paddock in a terminal of its own.
struct Serving {
    process: Child,
    public: String,
    admin: String,
}

impl Desk {
    /// A desk with this engine and this model.
    pub(crate) fn new(engine: &Path, model: &Path) -> Self {
        let home = tempfile::Builder::new().prefix("pd-").tempdir().unwrap();
        let hub = HubMirror::start();
        let file = |name| (name, harness::model());
        hub.add_repo(
            "ggml-org/gemma-3-4b-it-GGUF",
            &["m-Q4_K_M.gguf", "m-Q8_0.gguf"].map(file),
        );
        hub.add_repo("any/server", &[file("model.gguf")]);
        let engines = home.path().join("engines").display().to_string();
        let desk = Self {
            home,
            variables: vec![("PADDOCK_ENGINES".to_owned(), engines)],
            hub,
            serving: None,
        };
        for directory in [
            "bin",
            "usr/local/bin",
            "etc/paddock",
            "etc/systemd/system",
            "run/paddock",
        ] {
            fs::create_dir_all(desk.at(directory)).unwrap();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_paddock-e2e"));
        for name in [".cargo/bin/paddock", "target/release/paddock"] {
            desk.link(name, program);
        }
        desk.link("bin/llama-server", engine);
        desk.link("dist", &root().join("dist"));
        desk.script("scripts/engine", &format!("echo '{}'", engine.display()));
        desk.script("scripts/model", &format!("echo '{}'", model.display()));
        desk.script("bin/sudo", "exec \"$@\"");
        // No system runs here that could start them; what is enabled is, below the desk.
        let root = desk.at("").display().to_string();
        let systemctl = format!(
            "case $1 in enable) shift 2; exec /usr/bin/systemctl --root='{root}' enable \"$@\";; esac"
        );
        desk.script("bin/systemctl", &systemctl);
        desk
    }

    /// Sets a variable for the commands.
    pub(crate) fn sets(&mut self, name: &str, value: String) {
        self.variables.push((name.to_owned(), value));
    }

    /// A path in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file, with paths of the system below the desk.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.inside(text)).unwrap();
    }

    /// Makes a file be found under this name.
    pub(crate) fn link(&self, name: &str, to: &Path) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, path).unwrap();
    }

    fn script(&self, name: &str, lines: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Paths of the system as those of the desk.
    fn inside(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let home = self.home.path().display();
        for before in [" ", "\"", ":", "="] {
            for path in ELSEWHERE {
                let from = format!("{before}{path}");
                text = text.replace(&from, &format!("{before}{home}{path}"));
            }
        }
        text
    }

    /// Types all that a document shows, and leaves.
    pub(crate) fn types_all(&mut self, shown: &[Shown]) {
        for shown in shown {
            self.types(shown);
        }
        self.stops();
    }

    /// Types a line, and sees it do well, or fail as it is shown.
    pub(crate) fn types(&mut self, shown: &Shown) {
        let line = shown.line.as_str();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["cargo", ..] => is_of_the_workspace(&words),
            ["paddock", "serve" | "wrap", ..] => self.serves(line),
            ["paddock", "top", ..] => self.sits_at_a_terminal(line, "q"),
            ["paddock", "chat" | "run", _] => self.sits_at_a_terminal(line, "\\004"),
            _ if words.contains(&"--follow") => self.follows(line),
            _ => self.runs(shown),
        }
    }

    /// A line as it is typed here.
    fn here(&self, line: &str) -> String {
        let server = format!("{}/any/server/resolve/main", self.hub.endpoint());
        let line = self.inside(line).replace("https://example.com", &server);
        let Some(serving) = &self.serving else {
            return line;
        };
        line.replace("127.0.0.1:8080", &serving.public)
            .replace("127.0.0.1:8081", &serving.admin)
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let home = self.home.path().display();
        let path = format!("{home}/.cargo/bin:{home}/bin:{home}/usr/local/bin:/usr/bin:/bin");
        let admin = self.serving.as_ref().map_or("", |it| it.admin.as_str());
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            .env("TERM", "xterm")
            .env("MODEL", "model.gguf")
            .envs(self.variables.iter().cloned())
            .env("HF_ENDPOINT", self.hub.endpoint())
            .stdin(Stdio::null());
        if !admin.is_empty() {
            command.env("PADDOCK_ADMIN", admin);
        }
        command
    }

    /// Runs a command to its end. It does well, unless an error is shown.
    fn runs(&self, shown: &Shown) {
        let line = &shown.line;
        // It would look at whether the addresses are free.
        let anywhere = "paddock check --listen 127.0.0.1:0 --admin 127.0.0.1:0";
        let here = self.here(line).replace("paddock check", anywhere);
        let output = self
            .command("timeout", &["240", "sh", "-c", &here])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        println!("$ {line}\n{out}{error}");
        let fails = shown.says.iter().any(|line| line.starts_with("error: "));
        assert_eq!(output.status.code(), Some(i32::from(fails)), "{line}");
        let said = if fails { error } else { out };
        let parts = shown.says.iter().flat_map(|line| line.split('…'));
        for part in parts.map(str::trim) {
            assert!(said.contains(part), "{line} does not say {part:?}: {said}");
        }
    }

    /// Serves until something else is served, or the reader leaves.
    fn serves(&mut self, line: &str) {
        self.stops();
        let admin = self.at("run/paddock/admin.sock").display().to_string();
        let anywhere = format!("--admin 127.0.0.1:0 --admin unix:{admin}");
        let listens = line.contains("--listen");
        let serve = format!(
            "serve {}{anywhere}",
            if listens { "" } else { "--listen 127.0.0.1:0 " }
        );
        let line = self
            .inside(line)
            .replace(":9000", ":0")
            .replace("--port 9000", "--port 0")
            .replace("--admin 127.0.0.1:9001 ", "")
            .replace("paddock serve", &format!("paddock {serve}"))
            .replace("paddock wrap", &format!("paddock wrap {anywhere}"));
        let mut command = self.command("sh", &["-c", &format!("exec {line}")]);
        let command = command.env("PADDOCK_LOG", "info").stderr(Stdio::piped());
        let mut process = command.stdout(Stdio::null()).spawn().unwrap();
        let lines = Lines::of(process.stderr.take().unwrap());
        let said = wait_for(LIMIT, "paddock to serve", || {
            let said = lines
                .all()
                .into_iter()
                .find(|said| said.contains("\"serving\""));
            let ended = process.try_wait().unwrap();
            assert!(
                said.is_some() || ended.is_none(),
                "{line}: {:#?}",
                lines.all()
            );
            said
        });
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let first = |name: &str| {
            let listed = said[name].as_str().unwrap_or_default();
            let first = listed.split(", ").next().unwrap_or_default();
            first.trim_start_matches("http://").to_owned()
        };
        self.serving = Some(Serving {
            public: first("listen"),
            admin: first("admin"),
            process,
        });
    }

    /// Stops what is served, which ends well.
    pub(crate) fn stops(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            let end = ends(&mut serving.process, Signal::TERM);
            assert!(end.success(), "{end}");
        }
    }

    /// Reads a first line, and no more.
    fn follows(&self, line: &str) {
        let here = format!("exec {}", self.here(line));
        let mut command = self.command("sh", &["-c", &here]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "{line} says nothing");
        assert!(ends(&mut process, Signal::INT).success(), "{line}");
    }

    /// Runs a command at a terminal, and types this.
    fn sits_at_a_terminal(&self, line: &str, keys: &str) {
        let here = self.here(line);
        let at = format!("printf '{keys}' | timeout 60 script -qefc \"{here}\" /dev/null");
        let output = self.command("sh", &["-c", &at]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{line}: {said}");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(serving) = &mut self.serving {
            let _ended = serving.process.kill();
            let _reaped = serving.process.wait();
        }
    }
}

/// Signals a process that ends by that.
fn ends(process: &mut Child, signal: Signal) -> ExitStatus {
    let pid = rustix::process::Pid::from_child(process);
    rustix::process::kill_process(pid, signal).unwrap();
    wait_for(LIMIT, "the end", || process.try_wait().unwrap())
}

/// What cargo is asked for takes too long to do it here: it names a package of the workspace.
fn is_of_the_workspace(words: &[&str]) {
    let places = words.windows(2).filter_map(|pair| match pair {
        ["--path", path] => Some(root().join(path)),
        ["-p", "paddock-bench"] => Some(root().join("bench")),
        _ => None,
    });
    let places: Vec<_> = places.collect();
    assert!(!places.is_empty(), "{words:?}");
    for place in places {
        assert!(place.join("Cargo.toml").is_file(), "{words:?}");
    }
}
