//! Who is told what has happened: a server that answers as a test says.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use paddock_e2e::harness::{LIMIT, wait_for};
use serde_json::Value;

/// What a post is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A status, and a field or none.
    Status(u16, &'static str),
    /// Nothing, for as long as the receiver is there.
    Hang,
}

pub(crate) const OK: Reply = Reply::Status(200, "");

/// A post that has come.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// The request's line and its fields.
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) reply: Reply,
}

impl Post {
    /// A field's value; the name in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut named = fields.filter(|(is, _)| is.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }

    pub(crate) fn key(&self) -> &str {
        self.field("idempotency-key").expect("a key")
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        let body: Value = serde_json::from_str(&self.body).expect("JSON");
        body.as_array().expect("an array").clone()
    }
}

/// Takes posts until it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Answers each post as this says of its number, from 0.
    pub(crate) fn start(reply: impl Fn(usize) -> Reply + Send + 'static) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::at(address, reply)
    }

    pub(crate) fn at(address: SocketAddr, reply: impl Fn(usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("an address");
        let address = listener.local_addr().expect("an address");
        let posts = Arc::<Mutex<Vec<Post>>>::default();
        let ends = Arc::<AtomicBool>::default();
        let (kept, end) = (Arc::clone(&posts), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let number = kept.lock().expect("posts").len();
                let reply = reply(number);
                let Ok((head, body)) = read(&stream) else {
                    continue;
                };
                kept.lock().expect("posts").push(Post { head, body, reply });
                match reply {
                    Reply::Status(status, field) => drop(answer(&stream, status, field)),
                    Reply::Hang => hung.push(stream),
                }
            }
        });
        Self {
            address,
            posts,
            ends,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events?from=here", self.address)
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("posts").clone()
    }

    /// The events of the posts that were taken.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let posts = self.posts();
        let taken = posts.iter().filter(|post| post.reply == OK);
        taken.flat_map(Post::events).collect()
    }

    /// Waits until so many requests were taken, and returns them.
    pub(crate) fn wait_requests(&self, count: usize) -> Vec<Value> {
        wait_for(LIMIT, &format!("{count} requests to be told of"), || {
            let mut requests = self.taken();
            requests.retain(|event| event["type"] == "request");
            (requests.len() >= count).then_some(requests)
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

fn read(stream: &TcpStream) -> io::Result<(String, String)> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is = name.eq_ignore_ascii_case("content-length");
        is.then(|| value.parse().expect("a length"))
    });
    let mut body = vec![0; length.expect("a length")];
    reader.read_exact(&mut body)?;
    Ok((head, String::from_utf8(body).expect("text")))
}

fn answer(mut stream: &TcpStream, status: u16, field: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} So\r\nContent-Length: 0\r\n{field}\r\n"
    )
}

/// The ids of requests; none is there twice.
pub(crate) fn ids(requests: &[Value]) -> BTreeSet<String> {
    let id = |event: &Value| event["id"].as_str().expect("an id").to_owned();
    let ids: BTreeSet<String> = requests.iter().map(id).collect();
    assert_eq!(ids.len(), requests.len(), "a request was told of twice");
    ids
}
