//! `HAProxy`, configured as well as possible for this load.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::run_dir::{RunDir, free_port};
use super::{Subject, SubjectName, debian_packages};
use crate::process::Process;
use crate::process_usage::Processes;

/// Finds the program, or installs it if possible.
pub(super) fn find() -> Result<PathBuf> {
    debian_packages::find_program("haproxy", "haproxy")
}

pub(super) fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("-v").output()?.stdout;
    let output = String::from_utf8_lossy(&output);
    let version = output.split_whitespace().nth(2).unwrap_or_default();
    Ok(version.split('-').next().unwrap_or_default().to_owned())
}

/// Starts `HAProxy` in front of its own child, connected over TCP.
pub(super) fn start(run_dir: &RunDir, program: &Path) -> Result<Subject> {
    let (port, child_port) = (free_port()?, free_port()?);
    let mut child = run_dir.command(&run_dir.child());
    child.args(["--host", "127.0.0.1", "--port", &child_port.to_string()]);
    let child = Process::start(&mut child, &run_dir.unique_path("child.log"))?;

    let config = run_dir.unique_path("haproxy.cfg");
    fs::write(&config, config_text(port, child_port))?;
    let mut command = run_dir.command(program);
    command.arg("-db").arg("-f").arg(&config);
    let haproxy = Process::start(&mut command, &run_dir.unique_path("haproxy.log"))?;
    Ok(Subject {
        name: SubjectName::Haproxy,
        address: ([127, 0, 0, 1], port).into(),
        proxy: Some(Processes(vec![haproxy.id()])),
        before_end: None,
        running: vec![haproxy, child],
    })
}

/// Returns the configuration. Without `http-no-delay` an event waits for the next one.
fn config_text(port: u16, child: u16) -> String {
    format!(
        "global
    nbthread 2
    maxconn 4000
defaults
    mode http
    option http-no-delay
    http-reuse always
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend clients
    bind 127.0.0.1:{port}
    default_backend children
backend children
    server child 127.0.0.1:{child} pool-max-conn 64
"
    )
}
