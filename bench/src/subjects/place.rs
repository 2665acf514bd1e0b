//! A directory for the time of a run.

use std::cell::Cell;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use paddock_gguf::write::Builder;
use tempfile::TempDir;

use crate::child;

#[derive(Debug)]
pub(crate) struct Place {
    dir: TempDir,
    names: Cell<u32>,
}

impl Place {
    /// A directory with the child and a model in it.
    pub(crate) fn new() -> Result<Self> {
        let place = Self {
            dir: tempfile::Builder::new()
                .prefix("paddock-bench-")
                .tempdir()?,
            names: Cell::new(0),
        };
        let this = std::env::current_exe().context("where is this program?")?;
        symlink(this, place.child())?;
        std::fs::write(place.model(), Builder::stand_in().build())?;
        Ok(place)
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The child's program.
    pub(crate) fn child(&self) -> PathBuf {
        self.path().join(child::NAME)
    }

    pub(super) fn model(&self) -> PathBuf {
        self.path().join("model.gguf")
    }

    /// A path that nothing else has.
    pub(crate) fn fresh(&self, end: &str) -> PathBuf {
        let number = self.names.get();
        self.names.set(number + 1);
        self.path().join(format!("{number}-{end}"))
    }

    /// A program that keeps what it leaves behind in here.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.prepare(&mut command);
        command
    }

    /// Lets a command keep what it leaves behind in here.
    pub(super) fn prepare(&self, command: &mut Command) {
        command
            .env("TMPDIR", self.path())
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("PADDOCK_LOG");
    }
}

/// A port of 127.0.0.1 that nobody listens on.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
