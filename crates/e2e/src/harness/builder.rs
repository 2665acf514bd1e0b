//! What paddock is started with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{LIMIT, Paddock, files, wait_for};

/// The file whose appearance lets an engine go on that was held back.
pub(super) const HELD: &str = "let-load";

/// The file whose appearance lets streams end that were held open.
pub(super) const HELD_OPEN: &str = "let-end";

/// What paddock is started with: a directory of its own with a configuration, a model file and a
/// stand-in engine, unless something else is asked for.
///
/// The model is called `m`. Settings are lines of TOML with dotted keys, such as
/// `server.drain_timeout = '1s'`.
#[derive(Debug)]
pub struct Builder {
    program: PathBuf,
    engine: PathBuf,
    engine_args: Vec<String>,
    model: PathBuf,
    listen: Vec<String>,
    admin: Vec<String>,
    settings: Vec<String>,
    wrap_options: Vec<String>,
    env: Vec<(String, String)>,
    directory: TempDir,
}

/// A command that has come to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
}

impl Builder {
    /// Begins with these two programs; see [`crate::paddock`].
    pub fn new(program: impl Into<PathBuf>, fake_llama_server: impl Into<PathBuf>) -> Self {
        // Short: a socket's path has 107 bytes.
        let directory = tempfile::Builder::new().prefix("pd-").tempdir();
        let directory = directory.expect("a directory");
        let model = directory.path().join("m.gguf");
        fs::write(&model, files::model()).expect("a model file");
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

    /// The directory that everything is in, gone at the end.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The engine.
    pub fn engine_path(&self) -> &Path {
        &self.engine
    }

    /// The model file.
    pub fn model_path(&self) -> &Path {
        &self.model
    }

    /// Uses another engine than the stand-in.
    #[must_use]
    pub fn engine(mut self, program: impl Into<PathBuf>) -> Self {
        self.engine = program.into();
        self
    }

    /// Adds arguments of the engine.
    #[must_use]
    pub fn engine_args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.engine_args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Holds the engine back, before its first step, until [`Paddock::let_load`] is called.
    #[must_use]
    pub fn held_back(self) -> Self {
        // What it is asked before there is a model to load it answers at once.
        let engine = self.beside("engine");
        let script = format!(
            "case \"$1\" in --help|--list-devices) exec '{0}' \"$@\";; esac\n\
             while [ ! -e {HELD} ]; do sleep 0.01; done\nexec '{0}' \"$@\"",
            engine.display()
        );
        let path = self.script("held-back", &script);
        self.engine(path)
    }

    /// Puts the engine into the directory as well, under this name: a script there may run what lies
    /// beside it.
    pub fn beside(&self, name: &str) -> PathBuf {
        let path = self.directory().join(name);
        if fs::hard_link(&self.engine, &path).is_err() {
            fs::copy(&self.engine, &path).expect("a copy of the engine");
        }
        path
    }

    /// Holds every stream open, before its last token, until [`Paddock::let_end`] is called.
    #[must_use]
    pub fn streams_held_open(self) -> Self {
        let file = self.directory().join(HELD_OPEN).display().to_string();
        self.engine_args(["--fake-hold".to_owned(), file])
    }

    /// Lets paddock, and what it starts, open at most so many files.
    #[must_use]
    pub fn open_files(mut self, limit: u32) -> Self {
        let script = format!(
            "ulimit -n {limit}\nexec '{}' \"$@\"",
            self.program.display()
        );
        self.program = self.script("few-files", &script);
        self
    }

    /// Lets paddock, and what it starts, ignore SIGHUP, as nohup(1) does.
    #[must_use]
    pub fn ignoring_hangups(mut self) -> Self {
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

    /// Writes a shell script into the directory; it runs there.
    pub fn script(&self, name: &str, lines: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.directory().join(name);
        let text = format!("#!/bin/sh\n{lines}\n");
        fs::write(&path, text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        path
    }

    /// Uses another model file.
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

    /// Listens for clients here, and not on a free port.
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

    /// Listens for the operator here, and not on a free port.
    #[must_use]
    pub fn admin<I: IntoIterator<Item: Into<String>>>(mut self, addresses: I) -> Self {
        self.admin = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable. There are no others but `PATH` and `TMPDIR`.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The configuration's text.
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

    /// Starts `paddock serve` and waits until it says where it is.
    pub fn start(self) -> Paddock {
        let command = self.serve();
        Paddock::spawn(command, self.directory)
    }

    /// Starts `paddock serve` by a command that this makes of the usual one.
    pub fn start_as(self, other: impl FnOnce(&Command) -> Command) -> Paddock {
        let command = other(&self.serve());
        Paddock::spawn(command, self.directory)
    }

    fn serve(&self) -> Command {
        let config = self.write_config();
        let mut command = self.command();
        command.arg("serve").arg("--config").arg(config);
        command
    }

    /// Starts `paddock wrap` in front of the engine with these arguments, and waits until it says
    /// where it is. The admin plane is where [`Self::admin`] says.
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

    /// Runs `paddock check` to its end.
    pub fn check(&self) -> Finished {
        let config = self.write_config();
        self.run(["check", "--config", &config.display().to_string()])
    }

    /// Runs `paddock serve` to an end that has to come by itself.
    pub fn serve_to_the_end(&self) -> Finished {
        self.finish(self.serve(), true)
    }

    /// Runs `paddock serve` to its end by a command that this makes of the usual one, whose
    /// standard output is its own.
    pub fn serve_to_the_end_as(&self, other: impl FnOnce(&Command) -> Command) -> Finished {
        self.finish(other(&self.serve()), false)
    }

    /// Runs a command of paddock to an end that has to come by itself.
    pub fn run<I: IntoIterator<Item: Into<String>>>(&self, args: I) -> Finished {
        let mut command = self.command();
        command.args(args.into_iter().map(Into::<String>::into));
        self.finish(command, true)
    }

    fn finish(&self, mut command: Command, keep_stdout: bool) -> Finished {
        let out = self.directory().join("stdout");
        let err = self.directory().join("stderr");
        let file = |path: &Path| fs::File::create(path).expect("a file");
        if keep_stdout {
            command.stdout(file(&out));
        }
        command.stderr(file(&err));
        let mut child = command.spawn().expect("paddock starts");
        let end = wait_for_end(&mut child);
        let finished = Finished {
            code: end.and_then(|status| status.code()),
            stdout: fs::read_to_string(&out).unwrap_or_default(),
            stderr: fs::read_to_string(&err).unwrap_or_default(),
        };
        assert!(end.is_some(), "it does not end: {finished:#?}");
        finished
    }

    /// The program, in its directory and with its few variables.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.directory())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", self.directory())
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Writes the configuration and returns where.
    pub fn write_config(&self) -> PathBuf {
        let path = self.directory().join("paddock.toml");
        fs::write(&path, self.config_text()).expect("a configuration");
        path
    }
}

/// Waits for an end that has to come; one that does not is made.
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
