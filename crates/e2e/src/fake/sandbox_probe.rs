//! Attempts operations that paddock's sandbox may deny, for the route `/__fake/try`.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use rustix::process::{Pid, test_kill_process};

/// Attempts the operation in a query, such as `read=PATH`, and returns the result.
/// `ask=PROGRAM,ARG,…` returns the output of a program.
pub(super) fn json(query: &str) -> serde_json::Value {
    let (what, value) = query.split_once('=').unwrap_or((query, ""));
    if what == "ask" {
        return serde_json::json!({ "stdout": ask(value) });
    }
    let came = attempt(what, value);
    let errno = came.as_ref().err().and_then(io::Error::raw_os_error);
    let words = came.as_ref().err().map(ToString::to_string);
    serde_json::json!({ "errno": errno, "error": words })
}

/// Attempts an operation and returns the error of the system, if any.
fn attempt(what: &str, value: &str) -> io::Result<()> {
    match what {
        "read" => fs::read(value).map(drop),
        "write" => fs::write(value, "written"),
        "run" => Command::new(value).stdout(Stdio::null()).status().map(drop),
        "connect" => TcpStream::connect(value).map(drop),
        "bind" => TcpListener::bind(value).map(drop),
        "abstract" => connect_abstract(value),
        "signal" => {
            let pid = value.parse().ok().and_then(Pid::from_raw);
            test_kill_process(pid.ok_or(io::ErrorKind::InvalidInput)?).map_err(Into::into)
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Connects to a unix socket by its abstract name, which only Linux has.
#[cfg(target_os = "linux")]
fn connect_abstract(name: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};

    let address = SocketAddr::from_abstract_name(name)?;
    UnixStream::connect_addr(&address).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Runs a program with comma-separated arguments and returns its output.
fn ask(command: &str) -> String {
    let mut words = command.split(',');
    let program = words.next().unwrap_or_default();
    let mut command = Command::new(program);
    match command.args(words).stdin(Stdio::null()).output() {
        Ok(output) => {
            let streams = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&streams).into_owned()
        }
        Err(error) => error.to_string(),
    }
}
