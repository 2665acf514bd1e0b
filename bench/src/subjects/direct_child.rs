//! The child itself over TCP: the cost of a request without a proxy.

use anyhow::Result;

use super::run_dir::{RunDir, free_port};
use super::{Subject, SubjectName};
use crate::process::Process;

pub(super) fn start(run_dir: &RunDir) -> Result<Subject> {
    let port = free_port()?;
    let mut command = run_dir.command(&run_dir.child());
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    Ok(Subject {
        name: SubjectName::Direct,
        address: ([127, 0, 0, 1], port).into(),
        proxy: None,
        before_end: None,
        running: vec![Process::start(
            &mut command,
            &run_dir.unique_path("child.log"),
        )?],
    })
}
