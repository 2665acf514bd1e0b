//! `HAProxy`, set up for this work as well as it can be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::place::{Place, free_port};
use super::{Name, Subject, debian};
use crate::process::Process;
use crate::usage::Processes;

/// The program; installed if it is missing and can be.
pub(super) fn find() -> Result<PathBuf> {
    debian::program("haproxy", "haproxy")
}

pub(super) fn version(program: &Path) -> Result<String> {
    let said = Command::new(program).arg("-v").output()?.stdout;
    let said = String::from_utf8_lossy(&said);
    let version = said.split_whitespace().nth(2).unwrap_or_default();
    Ok(version.split('-').next().unwrap_or_default().to_owned())
}

/// Starts it in front of a child of its own, which it reaches by TCP.
pub(super) fn start(place: &Place, program: &Path) -> Result<Subject> {
    let (port, child_port) = (free_port()?, free_port()?);
    let mut child = place.command(&place.child());
    child.args(["--host", "127.0.0.1", "--port", &child_port.to_string()]);
    let child = Process::start(&mut child, &place.fresh("child.log"))?;

    let config = place.fresh("haproxy.cfg");
    fs::write(&config, text(port, child_port))?;
    let mut command = place.command(program);
    command.arg("-db").arg("-f").arg(&config);
    let haproxy = Process::start(&mut command, &place.fresh("haproxy.log"))?;
    Ok(Subject {
        name: Name::Haproxy,
        address: ([127, 0, 0, 1], port).into(),
        proxy: Some(Processes(vec![haproxy.id()])),
        before_end: None,
        running: vec![haproxy, child],
    })
}

/// `http-no-delay`: without it an event waits for the next one.
fn text(port: u16, child: u16) -> String {
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
