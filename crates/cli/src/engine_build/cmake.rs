//! Runs cmake, with a log file and the progress in percent.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine_install::EngineInstallError;

/// Directory of the programs and libraries in a build directory.
const BINARIES: &str = "bin";

/// Number of the log's last lines in an error.
const MAX_ERROR_LINES: usize = 8;

/// A build of llama.cpp.
#[derive(Debug)]
pub(super) struct CmakeBuild<'a> {
    pub(super) source: &'a Path,
    pub(super) directory: PathBuf,
    pub(super) log: PathBuf,
    pub(super) backend: &'static str,
    pub(super) jobs: Option<usize>,
}

/// Checks that cmake can be run.
pub(super) fn check_installed() -> Result<(), EngineInstallError> {
    let version = Command::new("cmake").arg("--version").output();
    version
        .map(|_| ())
        .map_err(|source| EngineInstallError::NoCmake { source })
}

impl CmakeBuild<'_> {
    /// Compiles llama-server, and returns the directory of the program and its libraries.
    pub(super) fn run(&self) -> Result<PathBuf, EngineInstallError> {
        let fail = |source| EngineInstallError::Io {
            path: self.log.clone(),
            source,
        };
        fs::create_dir_all(&self.directory).map_err(fail)?;
        let mut log = File::create(&self.log).map_err(fail)?;
        self.step(self.configure_command(), &mut log)?;
        self.step(self.build_command(), &mut log)?;
        Ok(self.directory.join(BINARIES))
    }

    fn configure_command(&self) -> Command {
        let mut command = Command::new("cmake");
        command
            .arg("-S")
            .arg(self.source)
            .arg("-B")
            .arg(&self.directory);
        // Programs find their libraries in their own directory, which is renamed after the build.
        command.args([
            "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_INSTALL_RPATH=$ORIGIN",
            "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
            "-DLLAMA_BUILD_TESTS=OFF",
            "-DLLAMA_BUILD_EXAMPLES=OFF",
            "-DLLAMA_BUILD_APP=OFF",
            // The web interface would be built with packages from npm, or downloaded.
            "-DLLAMA_BUILD_UI=OFF",
            "-DLLAMA_USE_PREBUILT_UI=OFF",
            // paddock downloads models itself and talks to the engine over a unix socket.
            "-DLLAMA_OPENSSL=OFF",
        ]);
        if Command::new("ninja").arg("--version").output().is_ok() {
            command.args(["-G", "Ninja"]);
        }
        match self.backend {
            "cuda" => command.arg("-DGGML_CUDA=ON"),
            "vulkan" => command.arg("-DGGML_VULKAN=ON"),
            _ => &mut command,
        };
        command
    }

    fn build_command(&self) -> Command {
        let processors = || thread::available_parallelism().map_or(1, Into::into);
        let jobs = self.jobs.unwrap_or_else(processors).to_string();
        let mut command = Command::new("cmake");
        command.arg("--build").arg(&self.directory);
        command.args([
            "--config",
            "Release",
            "--target",
            "llama-server",
            "--parallel",
            &jobs,
        ]);
        command
    }

    /// Runs a command, copies its output to the log, and shows the percentage that it prints.
    fn step(&self, mut command: Command, log: &mut File) -> Result<(), EngineInstallError> {
        let fail = |source| EngineInstallError::Io {
            path: self.log.clone(),
            source,
        };
        let errors = log.try_clone().map_err(fail)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut child = command
            .spawn()
            .map_err(|source| EngineInstallError::NoCmake { source })?;
        let bar = build_bar();
        for line in child
            .stdout
            .take()
            .into_iter()
            .flat_map(|out| BufReader::new(out).split(b'\n'))
        {
            let line = line.map_err(fail)?;
            log.write_all(&line)
                .and_then(|()| log.write_all(b"\n"))
                .map_err(fail)?;
            if let Some(percent) = parse_percent(&String::from_utf8_lossy(&line)) {
                bar.set_position(percent);
            }
        }
        bar.finish_and_clear();
        let status = child.wait().map_err(fail)?;
        if status.success() {
            return Ok(());
        }
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let start = lines.len().saturating_sub(MAX_ERROR_LINES);
        Err(EngineInstallError::BuildFailed {
            log: self.log.clone(),
            output: lines.get(start..).unwrap_or_default().join("\n"),
        })
    }
}

fn build_bar() -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(100)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("compiling {bar:40} {percent} % {elapsed}") {
        bar.set_style(style);
    }
    bar
}

/// Reads the progress in a line of makefiles, `[ 12%] Building …`, or of Ninja, `[12/345] Building …`.
fn parse_percent(line: &str) -> Option<u64> {
    let (inside, _) = line.strip_prefix('[')?.split_once(']')?;
    if let Some(percent) = inside.strip_suffix('%') {
        return percent.trim().parse().ok();
    }
    let (done, all) = inside.split_once('/')?;
    let (done, all): (u64, u64) = (done.parse().ok()?, all.parse().ok()?);
    (done.saturating_mul(100)).checked_div(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_of_makefiles_and_ninja_is_read() {
        for (line, percent) in [
            ("[  5%] Building CXX object x.o", Some(5)),
            ("[100%] Built target llama-server", Some(100)),
            ("[12/48] Building", Some(25)),
            ("[1/0] x", None),
            ("-- Configuring done", None),
            ("[x] y", None),
        ] {
            assert_eq!(parse_percent(line), percent, "{line}");
        }
    }
}
