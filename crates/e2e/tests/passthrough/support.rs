//! What the tests of this folder look at besides answers.

use paddock_e2e::harness::{
    Address, Connection, HttpResponse, LIMIT, Paddock, PaddockBuilder, Pid, WATCH_TIME, get, now,
    wait_until,
};
use std::fs;

/// A paddock that listens on a TCP port and on a unix socket.
pub(crate) fn both_kinds(builder: PaddockBuilder) -> Paddock {
    let socket = builder.directory().join("public.sock");
    let unix = format!("unix:{}", socket.display());
    let paddock = builder.listen(["127.0.0.1:0".to_owned(), unix]).start();
    paddock.wait_ready();
    paddock
}

/// The child, asked past paddock on one connection, so that asking changes no count.
pub(crate) struct Child {
    address: Address,
    connection: Option<Connection>,
}

impl Child {
    pub(crate) fn of(paddock: &Paddock) -> Self {
        Self {
            address: paddock.child_address(),
            connection: None,
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> HttpResponse {
        // It may have been closed for having been idle.
        let kept = self.connection.take().and_then(|mut connection| {
            connection.try_send(get(path)).ok()?;
            let answer = connection.try_answer().ok()?;
            Some((connection, answer))
        });
        let (connection, answer) = kept.unwrap_or_else(|| {
            let mut connection = Connection::connect(&self.address);
            let answer = connection.ask(get(path));
            (connection, answer)
        });
        self.connection = (!answer.head.closes()).then_some(connection);
        answer
    }

    /// One of the counts of the stand-in.
    pub(crate) fn count(&mut self, name: &str) -> u64 {
        let state = self.get("/__fake/state").json();
        state[name].as_u64().expect("a count")
    }

    /// The connections that are open to it, the one that asks not counted.
    pub(crate) fn connections(&mut self) -> u64 {
        self.count("connections_open") - 1
    }
}

/// paddock's own process.
pub(crate) fn process(paddock: &Paddock) -> Pid {
    let processes = paddock.processes().into_iter();
    let mut serving = processes.filter(|(_, line)| line.contains(" serve --config "));
    serving.next().expect("paddock's process").0
}

/// The memory that a process occupies, in bytes.
pub(crate) fn memory(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.number()));
    let status = status.expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.expect("a size").trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().expect("a number") * 1024
}

/// How many threads of a paddock serve clients.
pub(crate) fn workers(process: Pid) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", process.number())).expect("a process");
    let names = threads
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("comm")));
    let workers = names.flatten().filter(|name| name.starts_with("worker-"));
    workers.map(|_| 1).sum()
}

/// How many sockets a process has open.
pub(crate) fn sockets(process: Pid) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fd", process.number())).expect("a process");
    let sockets = files.flatten().filter(|file| {
        let target = fs::read_link(file.path());
        target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    });
    sockets.count()
}

/// Bytes of every kind, different for each salt.
pub(crate) fn binary(len: usize, salt: u64) -> Vec<u8> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A body in chunks of these sizes, in turn.
pub(crate) fn chunked(mut body: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(body.len() + body.len() / 100);
    for size in sizes.iter().cycle() {
        let (chunk, rest) = body.split_at((*size).min(body.len()));
        framed.extend(format!("{:x}\r\n", chunk.len()).bytes());
        framed.extend(chunk);
        framed.extend(b"\r\n");
        if chunk.is_empty() {
            break;
        }
        body = rest;
    }
    framed
}

/// A request that is echoed, with nothing in its head that ends at a hop or is added at one.
pub(crate) fn echo(framing: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /__fake/echo HTTP/1.1\r\nHost: x\r\nX-Request-Id: t\r\n{framing}\r\n");
    [head.as_bytes(), body].concat()
}

/// The same with a counted body.
pub(crate) fn echo_counted(body: &[u8]) -> Vec<u8> {
    echo(&format!("Content-Length: {}\r\n", body.len()), body)
}

/// Waits until a number has not changed for a while, and returns it.
pub(crate) fn settled<T: Copy + PartialEq>(what: &str, mut number: impl FnMut() -> T) -> T {
    let mut last = (number(), now());
    wait_until(LIMIT, what, || {
        let seen = number();
        if seen != last.0 {
            last = (seen, now());
        }
        last.1.elapsed() > WATCH_TIME
    });
    last.0
}
