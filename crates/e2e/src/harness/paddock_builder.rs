//! Configures and starts a paddock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{LIMIT, Paddock, model_file, wait_for};

/// The file for which a script waits before it starts an engine that is held back.
pub(super) const RELEASE_LOAD_FILE: &str = "let-load";

/// The file whose creation lets held streams send their last token (`--fake-hold`).
pub(super) const RELEASE_STREAMS_FILE: &str = "let-end";

/// Configures a paddock: a temporary directory with a configuration and a model file, and the fake
/// llama-server as the engine. Each of these can be replaced.
///
/// The model is named `m`. Settings are lines of TOML with dotted keys, such as
/// `server.drain_timeout = '1s'`.
#[derive(Debug)]
pub struct PaddockBuilder {
    program: PathBuf,
    engine: PathBuf,
    engine_args: Vec<String>,
    model: PathBuf,
    listen: Vec<String>,
    admin: Vec<String>,
    settings: Vec<String>,
    /// Options of the command `paddock wrap`.
    wrap_options: Vec<String>,
    env: Vec<(String, String)>,
    directory: TempDir,
}

/// The result of a finished command.
#[derive(Debug)]
pub struct CommandOutput {
    /// The exit code; `None` if a signal ended the command.
    pub code: Option<i32>,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
}

impl PaddockBuilder {
    /// Creates a builder with these two programs; see [`crate::paddock`].
    pub fn new(program: impl Into<PathBuf>, fake_llama_server: impl Into<PathBuf>) -> Self {
        // Short, because a socket path has at most 107 bytes.
        let directory = tempfile::Builder::new().prefix("pd-").tempdir();
        let directory = directory.expect("a directory");
        let model = directory.path().join("m.gguf");
        fs::write(&model, model_file::model()).expect("a model file");
        Self {
            program: program.into(),
            engine: fake_llama_server.into(),
            engine_args: Vec::new(),
            model,
            listen: vec!["127.0.0.1:0".into()],
            admin: vec!["127.0.0.1:0".into()],
            settings: Vec::new(),
            wrap_options: Vec::new(),
            env: Vec::new(),
            directory,
        }
    }

    /// Returns the directory of all files, which is removed at the end.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the engine's path.
    pub fn engine_path(&self) -> &Path {
        &self.engine
    }

    /// Returns the model file's path.
    pub fn model_path(&self) -> &Path {
        &self.model
    }

    /// Replaces the stand-in engine.
    #[must_use]
    pub fn engine(mut self, program: impl Into<PathBuf>) -> Self {
        self.engine = program.into();
        self
    }

    /// Adds engine arguments.
    #[must_use]
    pub fn engine_args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.engine_args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Holds the engine back before its first step, until [`Paddock::release_load`] is called.
    #[must_use]
    pub fn hold_load(self) -> Self {
        // Questions before the load are answered at once.
        let engine = self.link_engine("engine");
        let script = format!(
            "case \"$1\" in --help|--list-devices) exec '{0}' \"$@\";; esac\n\
             while [ ! -e {RELEASE_LOAD_FILE} ]; do sleep 0.01; done\nexec '{0}' \"$@\"",
            engine.display()
        );
        let path = self.script("held-back", &script);
        self.engine(path)
    }

    /// Links the engine into the directory under this name, for scripts that run it.
    pub fn link_engine(&self, name: &str) -> PathBuf {
        let path = self.directory().join(name);
        if fs::hard_link(&self.engine, &path).is_err() {
            fs::copy(&self.engine, &path).expect("a copy of the engine");
        }
        path
    }

    /// Holds every stream open before its last token, until [`Paddock::release_streams`] is called.
    #[must_use]
    pub fn hold_streams(self) -> Self {
        let file = self
            .directory()
            .join(RELEASE_STREAMS_FILE)
            .display()
            .to_string();
        self.engine_args(["--fake-hold".to_owned(), file])
    }

    /// Limits the open files of paddock and of its children.
    #[must_use]
    pub fn open_files(mut self, limit: u32) -> Self {
        let script = format!(
            "ulimit -n {limit}\nexec '{}' \"$@\"",
            self.program.display()
        );
        self.program = self.script("few-files", &script);
        self
    }

    /// Makes paddock and its children ignore SIGHUP, like nohup(1).
    #[must_use]
    pub fn ignore_hangups(mut self) -> Self {
        let script = format!("trap '' HUP\nexec '{}' \"$@\"", self.program.display());
        self.program = self.script("nohup", &script);
        self
    }

    /// Adds options of `paddock wrap` itself.
    #[must_use]
    pub fn wrap_options<I: IntoIterator<Item: Into<String>>>(mut self, options: I) -> Self {
        self.wrap_options
            .extend(options.into_iter().map(Into::into));
        self
    }

    /// Writes a shell script into the directory, which is also its working directory.
    pub fn script(&self, name: &str, lines: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.directory().join(name);
        let text = format!("#!/bin/sh\n{lines}\n");
        fs::write(&path, text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        path
    }

    /// Replaces the model file.
    #[must_use]
    pub fn model(mut self, path: impl Into<PathBuf>) -> Self {
        self.model = path.into();
        self
    }

    /// Adds lines to the configuration.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.settings.push(lines.to_owned());
        self
    }

    /// Listens for clients on these addresses instead of a free port.
    #[must_use]
    pub fn listen<I: IntoIterator<Item: Into<String>>>(mut self, addresses: I) -> Self {
        self.listen = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// Listens for clients on a unix socket in the directory.
    #[must_use]
    pub fn listen_unix(self) -> Self {
        let path = self.directory().join("public.sock");
        self.listen([format!("unix:{}", path.display())])
    }

    /// Listens for the operator on these addresses instead of a free port.
    #[must_use]
    pub fn admin<I: IntoIterator<Item: Into<String>>>(mut self, addresses: I) -> Self {
        self.admin = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// Sets an environment variable. By default only `PATH`, `TMPDIR` and `PADDOCK_ENGINES`
    /// (the directory `engines`) are set.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Returns the text of the configuration.
    pub fn config_text(&self) -> String {
        let list = |items: &[String]| {
            let items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
            format!("[{}]", items.join(", "))
        };
        let mut lines = vec![
            format!("server.listen = {}", list(&self.listen)),
            format!("server.admin = {}", list(&self.admin)),
            format!("engine.command = {:?}", self.engine),
            format!("engine.args = {}", list(&self.engine_args)),
            format!("models.m.path = {:?}", self.model),
        ];
        if !self.settings.iter().any(|line| line.contains("state_dir")) {
            let state = self.directory().join("state").display().to_string();
            lines.push(format!("server.state_dir = {state:?}"));
        }
        lines.extend(self.settings.iter().cloned());
        lines.join("\n") + "\n"
    }

    /// Starts `paddock serve` and waits until it reports its addresses.
    pub fn start(self) -> Paddock {
        let command = self.serve_command();
        Paddock::spawn(command, self.directory)
    }

    /// Starts `paddock serve` by a command that `other` derives from the usual one.
    pub fn start_as(self, other: impl FnOnce(&Command) -> Command) -> Paddock {
        let command = other(&self.serve_command());
        Paddock::spawn(command, self.directory)
    }

    fn serve_command(&self) -> Command {
        let config = self.write_config();
        let mut command = self.command();
        command.arg("serve").arg("--config").arg(config);
        command
    }

    /// Starts `paddock wrap` in front of the engine with these arguments, and waits until it
    /// reports its addresses. [`Self::admin`] sets the admin address.
    pub fn wrap<I: IntoIterator<Item: Into<String>>>(self, args: I) -> Paddock {
        let mut command = self.command();
        command.arg("wrap");
        for address in &self.admin {
            command.arg("--admin").arg(address);
        }
        command.args(&self.wrap_options);
        command.arg("--").arg(&self.engine);
        command.args(args.into_iter().map(Into::<String>::into));
        Paddock::spawn(command, self.directory)
    }

    /// Runs `paddock check`.
    pub fn check(&self) -> CommandOutput {
        let config = self.write_config();
        self.run(["check", "--config", &config.display().to_string()])
    }

    /// Runs `paddock serve`, which must exit by itself.
    pub fn run_serve(&self) -> CommandOutput {
        self.run_command(self.serve_command(), true)
    }

    /// Runs `paddock serve` by a command that `other` derives from the usual one and whose standard
    /// output is not captured.
    pub fn run_serve_as(&self, other: impl FnOnce(&Command) -> Command) -> CommandOutput {
        self.run_command(other(&self.serve_command()), false)
    }

    /// Runs a paddock command, which must exit by itself.
    pub fn run<I: IntoIterator<Item: Into<String>>>(&self, args: I) -> CommandOutput {
        let mut command = self.command();
        command.args(args.into_iter().map(Into::<String>::into));
        self.run_command(command, true)
    }

    fn run_command(&self, mut command: Command, keep_stdout: bool) -> CommandOutput {
        let out = self.directory().join("stdout");
        let err = self.directory().join("stderr");
        let file = |path: &Path| fs::File::create(path).expect("a file");
        if keep_stdout {
            command.stdout(file(&out));
        }
        command.stderr(file(&err));
        let mut child = command.spawn().expect("paddock starts");
        let end = wait_for_end(&mut child);
        let finished = CommandOutput {
            code: end.and_then(|status| status.code()),
            stdout: fs::read_to_string(&out).unwrap_or_default(),
            stderr: fs::read_to_string(&err).unwrap_or_default(),
        };
        assert!(end.is_some(), "it does not end: {finished:#?}");
        finished
    }

    /// Returns the program as a command, with the directory and the environment set.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.directory())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", self.directory())
            .env("PADDOCK_ENGINES", self.directory().join("engines"))
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Writes the configuration and returns its path.
    pub fn write_config(&self) -> PathBuf {
        let path = self.directory().join("paddock.toml");
        fs::write(&path, self.config_text()).expect("a configuration");
        path
    }
}

/// Waits for a process to exit; kills it and returns `None` if it does not.
fn wait_for_end(child: &mut std::process::Child) -> Option<std::process::ExitStatus> {
    let start = super::now();
    wait_for(2 * LIMIT, "the end of a killed process", || {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(Some(status));
        }
        if start.elapsed() < LIMIT {
            return None;
        }
        let _ended = child.kill();
        let _reaped = child.wait();
        Some(None)
    })
}
