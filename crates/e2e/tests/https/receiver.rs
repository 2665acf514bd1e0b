//! Who takes posts by https.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use paddock_e2e::harness::LIMIT;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A post that has come.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// The request's line and its fields.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Takes every post until it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    port: u16,
    posts: Arc<Mutex<Vec<Post>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn start(server: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let posts = Arc::<Mutex<Vec<Post>>>::default();
        let ends = Arc::<AtomicBool>::default();
        let (kept, end) = (Arc::clone(&posts), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                // Who does not trust it leaves in the handshake.
                if let Ok(post) = take(stream, &server) {
                    kept.lock().expect("posts").push(post);
                }
            }
        });
        Self {
            port,
            posts,
            ends,
            thread: Some(thread),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("posts").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

fn take(stream: TcpStream, server: &Arc<ServerConfig>) -> io::Result<Post> {
    stream.set_read_timeout(Some(LIMIT))?;
    let tls = ServerConnection::new(Arc::clone(server)).map_err(io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(tls, stream));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| {
        let length = line.strip_prefix("content-length: ")?;
        length.parse().ok()
    });
    let mut body = vec![0; length.expect("a length")];
    reader.read_exact(&mut body)?;
    let mut stream = reader.into_inner();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    stream.flush()?;
    Ok(Post { head, body })
}
