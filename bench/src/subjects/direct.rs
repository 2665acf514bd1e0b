//! The child itself, by TCP: what a request costs without a proxy.

use anyhow::Result;

use super::place::{Place, free_port};
use super::{Name, Subject};
use crate::process::Process;

pub(super) fn start(place: &Place) -> Result<Subject> {
    let port = free_port()?;
    let mut command = place.command(&place.child());
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    Ok(Subject {
        name: Name::Direct,
        address: ([127, 0, 0, 1], port).into(),
        proxy: None,
        before_end: None,
        running: vec![Process::start(&mut command, &place.fresh("child.log"))?],
    })
}
