//! A server like GitHub's API for releases, and like the other host that it redirects downloads to.
//!
//! `FEED`, `FEED/latest` and `FEED/tags/TAG` answer with JSON. A download is redirected to
//! `localhost`, another origin than `127.0.0.1`, and answers ranges of bytes there.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::archives::sha256;

/// Path of the feed.
const FEED: &str = "/repos/ggml-org/llama.cpp/releases";

/// A release of the mirror.
#[derive(Debug, Clone, Default)]
pub struct MirrorRelease {
    /// The tag.
    pub tag: String,
    /// The files, by name.
    pub assets: BTreeMap<String, Vec<u8>>,
    /// The source archive.
    pub source: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct MirrorState {
    /// The newest first.
    releases: Vec<MirrorRelease>,
    /// Digests that the feed states in place of the true ones, by file.
    stated_digests: BTreeMap<String, Option<String>>,
    /// Downloads that are still to be cut, and the number of bytes sent before.
    cuts: usize,
    cut_after: usize,
    /// The heads of all requests.
    requests: Vec<String>,
    is_stopped: bool,
}

/// A running server, until dropped.
#[derive(Debug)]
pub struct ReleasesMirror {
    address: SocketAddr,
    state: Arc<Mutex<MirrorState>>,
    thread: Option<JoinHandle<()>>,
}

impl ReleasesMirror {
    /// Starts a server without releases.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(MirrorState::default()));
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&shared).is_stopped {
                    break;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &shared, address));
            }
        });
        Self {
            address,
            state,
            thread: Some(thread),
        }
    }

    /// Returns the feed's address.
    pub fn feed(&self) -> String {
        format!("http://{}{FEED}", self.address)
    }

    /// Adds a release, which becomes the latest.
    pub fn add(&self, release: MirrorRelease) {
        lock(&self.state).releases.insert(0, release);
    }

    /// Replaces a file of a release.
    pub fn replace(&self, asset: &str, contents: Vec<u8>) {
        let mut state = lock(&self.state);
        let mut releases = state.releases.iter_mut();
        let found = releases.find_map(|release| release.assets.get_mut(asset));
        *found.unwrap() = contents;
    }

    /// Makes the feed state this digest of a file, or none.
    pub fn state_digest(&self, asset: &str, digest: Option<&str>) {
        let digest = digest.map(str::to_owned);
        lock(&self.state)
            .stated_digests
            .insert(asset.to_owned(), digest);
    }

    /// Cuts the next downloads after this number of bytes.
    pub fn cut(&self, downloads: usize, after: usize) {
        let mut state = lock(&self.state);
        (state.cuts, state.cut_after) = (downloads, after);
    }

    /// Returns the heads of all requests.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }
}

impl Drop for ReleasesMirror {
    fn drop(&mut self) {
        lock(&self.state).is_stopped = true;
        let _wakes = TcpStream::connect(self.address);
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

fn lock(state: &Mutex<MirrorState>) -> std::sync::MutexGuard<'_, MirrorState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers requests until the client closes the connection or a download is cut.
fn serve(stream: &TcpStream, state: &Mutex<MirrorState>, address: SocketAddr) {
    let mut reader = BufReader::new(stream);
    while let Ok(head) = read_head(&mut reader) {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        lock(state).requests.push(head.clone());
        if answer(stream, state, address, &path, &head).is_err() {
            return;
        }
    }
}

fn read_head(reader: &mut impl io::BufRead) -> io::Result<String> {
    let mut head = String::new();
    loop {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head[start..].trim_end().is_empty() {
            return Ok(head);
        }
    }
}

fn answer(
    stream: &TcpStream,
    state: &Mutex<MirrorState>,
    address: SocketAddr,
    target: &str,
    head: &str,
) -> io::Result<()> {
    let path = target.split('?').next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/download/") {
        let port = address.port();
        let location = format!("Location: http://localhost:{port}/objects/{rest}\r\n");
        return respond(stream, "302 Found", &location, b"");
    }
    if let Some(rest) = path.strip_prefix("/objects/") {
        return match find_object(state, rest) {
            Some(source) if rest.ends_with("/source") => send_chunked(stream, &source),
            Some(object) => send_object(stream, state, head, &object),
            None => respond(stream, "404 Not Found", "", b"{}"),
        };
    }
    let found = feed_json(state, address, path.strip_prefix(FEED));
    let (status, json) = match found {
        Some(json) => ("200 OK", json),
        None => ("404 Not Found", json!({ "message": "Not Found" })),
    };
    let kind = "Content-Type: application/json\r\n";
    respond(stream, status, kind, json.to_string().as_bytes())
}

fn feed_json(state: &Mutex<MirrorState>, address: SocketAddr, path: Option<&str>) -> Option<Value> {
    let state = lock(state);
    let shown = |release: &MirrorRelease| release_json(release, &state, address);
    match path? {
        "" => Some(state.releases.iter().map(shown).collect()),
        "/latest" => state.releases.first().map(shown),
        path => {
            let tag = path.strip_prefix("/tags/")?;
            let release = state.releases.iter().find(|release| release.tag == tag);
            release.map(shown)
        }
    }
}

fn release_json(release: &MirrorRelease, state: &MirrorState, address: SocketAddr) -> Value {
    let tag = &release.tag;
    let assets = release.assets.iter().map(|(name, contents)| {
        let stated = state.stated_digests.get(name).cloned();
        let digest = stated.unwrap_or_else(|| Some(format!("sha256:{}", sha256(contents))));
        json!({
            "name": name,
            "size": contents.len(),
            "digest": digest,
            "browser_download_url": format!("http://{address}/download/{tag}/{name}"),
        })
    });
    let source = release.source.as_ref();
    json!({
        "tag_name": tag,
        "published_at": "2026-11-01T10:00:00Z",
        "tarball_url": source.map(|_| format!("http://{address}/download/{tag}/source")),
        "assets": assets.collect::<Vec<_>>(),
    })
}

fn find_object(state: &Mutex<MirrorState>, path: &str) -> Option<Vec<u8>> {
    let (tag, name) = path.split_once('/')?;
    let state = lock(state);
    let release = state.releases.iter().find(|release| release.tag == tag)?;
    match name {
        "source" => release.source.clone(),
        name => release.assets.get(name).cloned(),
    }
}

/// Sends an object or a range of it, or cuts the connection.
fn send_object(
    mut stream: &TcpStream,
    state: &Mutex<MirrorState>,
    head: &str,
    object: &[u8],
) -> io::Result<()> {
    let range = requested_range(head, object.len());
    let (start, end) = range.unwrap_or((0, object.len()));
    let body = &object[start..end];
    let cut_after = {
        let mut state = lock(state);
        let cuts = state.cuts > 0 && body.len() > state.cut_after;
        state.cuts -= usize::from(cuts);
        cuts.then_some(state.cut_after)
    };
    let (status, field) = match range {
        Some(_) => {
            let (last, all) = (end.saturating_sub(1), object.len());
            (
                "206 Partial Content",
                format!("Content-Range: bytes {start}-{last}/{all}\r\n"),
            )
        }
        None => ("200 OK", String::new()),
    };
    let length = body.len();
    let field = format!(
        "{field}Accept-Ranges: bytes\r\nETag: \"{}\"\r\n",
        object.len()
    );
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{field}Content-Length: {length}\r\n\r\n"
    )?;
    match cut_after {
        None => stream.write_all(body),
        Some(length) => {
            stream.write_all(&body[..length])?;
            stream.shutdown(std::net::Shutdown::Both)?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}

/// Sends a source archive as GitHub does: without its length.
fn send_chunked(mut stream: &TcpStream, object: &[u8]) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    )?;
    for chunk in object.chunks(1000) {
        write!(stream, "{:x}\r\n", chunk.len())?;
        stream.write_all(chunk)?;
        stream.write_all(b"\r\n")?;
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Parses `Range: bytes=START-[END]`.
fn requested_range(head: &str, length: usize) -> Option<(usize, usize)> {
    let mut lines = head.lines().map(str::to_ascii_lowercase);
    let range = lines.find_map(|line| Some(line.strip_prefix("range: bytes=")?.to_owned()))?;
    let (start, last) = range.trim().split_once('-')?;
    let end = match last {
        "" => length,
        last => length.min(last.parse::<usize>().ok()? + 1),
    };
    let start = start.parse().ok()?;
    (start < end).then_some((start, end))
}

fn respond(mut stream: &TcpStream, status: &str, fields: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)
}
