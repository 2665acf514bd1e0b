//! The temporary directory of a run.

use std::cell::Cell;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use paddock_gguf::builder::GgufBuilder;
use tempfile::TempDir;

use crate::child;

#[derive(Debug)]
pub(crate) struct RunDir {
    dir: TempDir,
    names: Cell<u32>,
}

impl RunDir {
    /// Creates the directory with the child and a model.
    pub(crate) fn new() -> Result<Self> {
        let run_dir = Self {
            dir: tempfile::Builder::new()
                .prefix("paddock-bench-")
                .tempdir()?,
            names: Cell::new(0),
        };
        let this = std::env::current_exe().context("cannot find the path of this program")?;
        symlink(this, run_dir.child())?;
        std::fs::write(run_dir.model(), GgufBuilder::stand_in().build())?;
        Ok(run_dir)
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the child's program.
    pub(crate) fn child(&self) -> PathBuf {
        self.path().join(child::CHILD_NAME)
    }

    pub(super) fn model(&self) -> PathBuf {
        self.path().join("model.gguf")
    }

    /// Returns a unique path.
    pub(crate) fn unique_path(&self, end: &str) -> PathBuf {
        let number = self.names.get();
        self.names.set(number + 1);
        self.path().join(format!("{number}-{end}"))
    }

    /// Returns a command whose temporary files stay in this directory.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.prepare(&mut command);
        command
    }

    /// Keeps a command's temporary files in this directory.
    pub(super) fn prepare(&self, command: &mut Command) {
        command
            .env("TMPDIR", self.path())
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("PADDOCK_LOG");
    }
}

/// Returns a free port of 127.0.0.1.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
