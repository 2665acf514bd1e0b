//! Answers requests as the hub and its CDN do.

use std::io::{self, BufRead, Write as _};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::{Repo, Role, Server, State};

/// Bytes of one write without pauses.
const WRITE_BYTES: usize = 16 << 10;

/// Reads a request's head, as text.
///
/// # Errors
///
/// The client sends no complete head.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
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

impl Server {
    pub(super) fn answer(&self, stream: &TcpStream, head: &str) -> io::Result<()> {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match self.role {
            Role::Hub => match path.strip_prefix("/api/models/") {
                Some(rest) => self.describe(stream, head, rest),
                None => self.redirect(stream, head, path),
            },
            Role::Cdn => self.send_object(stream, head, path.trim_start_matches("/objects/")),
        }
    }

    /// Answers with a repository's description, or as if it did not exist.
    fn describe(&self, stream: &TcpStream, head: &str, path: &str) -> io::Result<()> {
        let name = path.split("/revision/").next().unwrap_or_default();
        let description = {
            let state = self.lock();
            let found = state.repos.get(name).filter(|_| may_read(&state, head));
            found.map(|repo| describe(repo, &state))
        };
        match description {
            Some(json) => respond(stream, "200 OK", "", &json.to_string()),
            None => not_found(stream),
        }
    }

    /// Answers `/USER/REPO/resolve/COMMIT/FILE` with a redirect to the CDN.
    fn redirect(&self, stream: &TcpStream, head: &str, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(location) = state.behaviour.locations.pop_front() {
            return found_at(stream, &location);
        }
        if !may_read(&state, head) {
            return not_found(stream);
        }
        if state.behaviour.is_gated {
            let fields = "X-Error-Code: GatedRepo\r\n";
            return respond(
                stream,
                "403 Forbidden",
                fields,
                r#"{"error":"Access is restricted"}"#,
            );
        }
        if let Some((status, retry_after)) = state.behaviour.next_refusal() {
            let field = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
            let line = format!("{status} Refused");
            return respond(stream, &line, &field.unwrap_or_default(), "{}");
        }
        let Some(digest) = find_digest(&state, path) else {
            return respond(
                stream,
                "404 Not Found",
                "X-Error-Code: EntryNotFound\r\n",
                "{}",
            );
        };
        drop(state);
        let location = format!("http://{}/objects/{digest}?Signature=secret", self.cdn);
        found_at(stream, &location)
    }

    /// Sends a file or a range of it.
    fn send_object(&self, mut stream: &TcpStream, head: &str, digest: &str) -> io::Result<()> {
        let (object, behaviour, cut, is_wrong) = {
            let mut state = self.lock();
            let mut files = state.repos.values().flat_map(|repo| repo.files.values());
            let Some(file) = files.find(|file| file.digest == digest) else {
                return respond(stream, "404 Not Found", "", "");
            };
            let object = Arc::clone(&file.content);
            let (cut, is_wrong) = (state.behaviour.next_cut(), state.behaviour.next_is_wrong());
            (object, state.behaviour.clone(), cut, is_wrong)
        };
        let object = match behaviour.sends_pointers {
            true => Arc::new(pointer_to(digest, object.len())),
            false => object,
        };
        let size = object.len();
        let range = requested_range(head, size).filter(|_| behaviour.has_ranges);
        let etag = &behaviour.etag;
        let (status, field) = match &range {
            Some(range) => {
                let (start, last) = (range.start, range.end - 1);
                (
                    "206 Partial Content",
                    format!("Content-Range: bytes {start}-{last}/{size}\r\n"),
                )
            }
            None => ("200 OK", String::new()),
        };
        let range = range.unwrap_or(0..size);
        let mut body = object[range.clone()].to_vec();
        if let Some(byte) = body.last_mut().filter(|_| is_wrong) {
            *byte ^= 1;
        }
        let length = match behaviour.has_length {
            true => format!("Content-Length: {}\r\n", body.len()),
            false => "Connection: close\r\n".to_owned(),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\n{field}{length}ETag: {etag}\r\n\r\n"
        )?;
        let sent = cut.map_or(body.len(), |cut| cut.min(body.len()));
        self.send_slowly(stream, &body[..sent])?;
        if cut.is_some() || !behaviour.has_length {
            stream.shutdown(Shutdown::Both)?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn send_slowly(&self, mut stream: &TcpStream, body: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while sent < body.len() {
            let pause = self.lock().behaviour.pause;
            let count = pause
                .map_or(WRITE_BYTES, |(bytes, _)| bytes)
                .min(body.len() - sent);
            stream.write_all(&body[sent..sent + count])?;
            sent += count;
            self.lock().bytes_sent += count as u64;
            if let Some((_, pause)) = pause {
                thread::park_timeout(pause);
            }
        }
        Ok(())
    }
}

/// Returns the Git LFS pointer to a content.
fn pointer_to(digest: &str, size: usize) -> Vec<u8> {
    let version = "version https://git-lfs.github.com/spec/v1";
    format!("{version}\noid sha256:{digest}\nsize {size}\n").into_bytes()
}

fn may_read(state: &State, head: &str) -> bool {
    let token = state.behaviour.token.as_ref();
    token.is_none_or(|token| {
        head.lines()
            .any(|line| line == format!("authorization: Bearer {token}"))
    })
}

fn describe(repo: &Repo, state: &State) -> Value {
    let files = repo.files.iter().map(|(path, file)| {
        let size = file.content.len();
        json!({
            "rfilename": path, "size": size, "blobId": "0".repeat(40),
            "lfs": {"sha256": file.digest, "size": size, "pointerSize": 130},
        })
    });
    let extra = state.behaviour.extra_names.iter();
    let extra = extra.map(|name| json!({"rfilename": name, "size": 1, "blobId": "0".repeat(40)}));
    json!({"sha": repo.commit, "siblings": files.chain(extra).collect::<Vec<_>>()})
}

fn find_digest(state: &State, path: &str) -> Option<String> {
    let (name, rest) = path.trim_start_matches('/').split_once("/resolve/")?;
    let (commit, file) = rest.split_once('/')?;
    let repo = state
        .repos
        .get(name)
        .filter(|repo| repo.commit == commit || commit == "main")?;
    Some(repo.files.get(file)?.digest.clone())
}

/// Parses `Range: bytes=START-[LAST]`.
fn requested_range(head: &str, size: usize) -> Option<Range<usize>> {
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))?;
    let (start, last) = range.trim().split_once('-')?;
    let start = start.parse().ok()?;
    let end = match last {
        "" => size,
        last => size.min(last.parse::<usize>().ok()? + 1),
    };
    (start < end).then_some(start..end)
}

/// Answers as the hub does for repositories that do not exist, and for those that the client may not see.
fn not_found(stream: &TcpStream) -> io::Result<()> {
    let fields = "X-Error-Code: RepoNotFound\r\n";
    respond(
        stream,
        "401 Unauthorized",
        fields,
        r#"{"error":"Invalid username or password."}"#,
    )
}

fn found_at(stream: &TcpStream, location: &str) -> io::Result<()> {
    let field = format!("Location: {location}\r\n");
    respond(stream, "302 Found", &field, "Found")
}

fn respond(mut stream: &TcpStream, status: &str, fields: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
}
