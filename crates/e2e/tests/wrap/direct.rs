//! The same command without paddock.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio, id};
use std::sync::atomic::{AtomicU16, Ordering};

use paddock_e2e::harness::{Address, Connection, LIMIT, wait_for};

/// A command that runs by itself.
pub(crate) struct Direct(Child);

impl Direct {
    /// Starts a command, and waits until it listens there.
    pub(crate) fn start(program: &Path, args: &[String], address: &Address) -> Self {
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let direct = Self(child.unwrap());
        wait_for(LIMIT, "a listener", || {
            Connection::try_connect(address).ok()
        });
        direct
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A port that is free and stays it: the system gives none of this range out by itself.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test runs beside this one begin elsewhere.
    let begin = u16::try_from(id() * 37 % u32::from(COUNT)).unwrap();
    wait_for(LIMIT, "a free port", || {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (begin + next) % COUNT;
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    })
}
