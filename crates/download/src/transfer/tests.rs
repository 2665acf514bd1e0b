//! Transfers from a server whose every answer is scripted. The tests of the command are in crates/e2e/tests/pull.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::ops::Range;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Longest silence in these tests.
const STALL: Duration = Duration::from_secs(30);

/// The answer to one request.
struct Answer {
    bytes: Vec<u8>,
    /// True if the server then says nothing more, and keeps the connection open.
    stalls: bool,
}

fn answer(bytes: impl Into<Vec<u8>>) -> Answer {
    let (bytes, stalls) = (bytes.into(), false);
    Answer { bytes, stalls }
}

/// Returns the range that a request asks for.
fn range_of(head: &str) -> Range<usize> {
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))
        .unwrap();
    let (start, last) = range.split_once('-').unwrap();
    start.parse().unwrap()..last.parse::<usize>().unwrap() + 1
}

/// Returns a right answer to a request for a range.
fn partial(head: &str, content: &[u8]) -> Vec<u8> {
    let range = range_of(head);
    let range = range.start..range.end.min(content.len());
    let (start, last, size, len) = (range.start, range.end - 1, content.len(), range.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{last}/{size}\r\nContent-Length: {len}\r\n\r\n"
    );
    [head.as_bytes(), &content[range]].concat()
}

/// Answers every request by `script`, which gets the request's number and head.
async fn serve(listener: &TcpListener, script: &impl Fn(usize, &str) -> Answer) -> Infallible {
    let count = RefCell::new(0);
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => connections.push(serve_one(accepted.unwrap().0, script, &count)),
            Some(()) = connections.next() => {}
        }
    }
}

async fn serve_one(
    mut stream: TcpStream,
    script: &impl Fn(usize, &str) -> Answer,
    count: &RefCell<usize>,
) {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let mut head = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.is_empty() {
            head += &line;
            head.push('\n');
            continue;
        }
        let number = count.replace_with(|count| *count + 1);
        let answer = script(number, &head);
        // The client may have left.
        let _gone = write.write_all(&answer.bytes).await;
        if answer.stalls {
            pending::<()>().await;
        }
        head.clear();
    }
}

/// Fetches `content` from a scripted server, and returns the outcome and all steps.
async fn fetch(
    content: &[u8],
    script: impl Fn(usize, &str) -> Answer,
) -> (Result<Vec<u8>, TransferError>, Vec<Progress>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/m.gguf", listener.local_addr().unwrap());
    let client = HttpClient::new("test").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("m.gguf");
    let sha256 = Some(Sha256::digest(content).into());
    let request = FileRequest {
        sha256,
        ..FileRequest::new(url)
    };
    let steps = RefCell::new(Vec::new());
    let show = |step| steps.borrow_mut().push(step);
    let fetched = tokio::select! {
        fetched = fetch_with_stall_limit(&client, &request, &target, STALL, &show) => fetched,
        never = serve(&listener, &script) => match never {},
    };
    (
        fetched.map(|_| fs::read(target).unwrap()),
        steps.into_inner(),
    )
}

fn content(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(3).fill(&mut bytes);
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_replaced_and_its_bytes_are_kept() {
    let content = content(100_000);
    let start = tokio::time::Instant::now();
    let (fetched, steps) = fetch(&content, |number, head| match number {
        0 => Answer {
            bytes: partial(head, &content)[..50_000].to_vec(),
            stalls: true,
        },
        1 => Answer {
            bytes: Vec::new(),
            stalls: true,
        },
        _ => {
            assert!(range_of(head).start > 40_000, "{head}");
            answer(partial(head, &content))
        }
    })
    .await;
    assert!(fetched.unwrap() == content);
    let stalls = steps.iter().filter(|step| matches!(step, Progress::Retrying { reason, .. } if reason.contains("no byte for 30 s")));
    assert_eq!(stalls.count(), 2);
    // Two silences and two pauses.
    assert!(start.elapsed() < 2 * STALL + Duration::from_secs(2));
}

#[tokio::test]
async fn a_server_that_allows_one_connection_is_read_with_one() {
    let content = content(5 << 20);
    let busy = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let (fetched, _) = fetch(&content, |number, head| match number {
        1..=3 => answer(busy),
        _ => answer(partial(head, &content)),
    })
    .await;
    assert!(fetched.unwrap() == content);
}

#[tokio::test]
async fn an_answer_with_another_range_is_not_used() {
    let content = content(1000);
    let (fetched, _) = fetch(&content, |_, _| {
        answer("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/1000\r\nContent-Length: 5\r\n\r\nabcde")
    })
    .await;
    let error = fetched.unwrap_err().to_string();
    assert!(error.contains("another range than requested"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_longer_than_requested_is_cut_off() {
    let content = content(3 << 20);
    let (fetched, _) = fetch(&content, |_, head| {
        let range = range_of(head);
        let all = format!("range: bytes={}-{}", range.start, content.len());
        // All bytes to the end, although a piece was requested; those after it are wrong.
        let mut bytes = content.clone();
        bytes[range.end.min(content.len())..].fill(0);
        answer(partial(&all, &bytes))
    })
    .await;
    assert!(fetched.unwrap() == content);
}

#[tokio::test]
async fn gits_own_digest_is_compared_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/m.gguf", listener.local_addr().unwrap());
    let client = HttpClient::new("test").unwrap();
    let directory = tempfile::tempdir().unwrap();
    // git hash-object of a file with `hello` and a newline.
    let right = [
        0xce, 0x01, 0x36, 0x25, 0x03, 0x0b, 0xa8, 0xdb, 0xa9, 0x06, 0xf7, 0x56, 0x96, 0x7f, 0x9e,
        0x9c, 0xa3, 0x94, 0x46, 0x4a,
    ];
    for (name, digest, is_right) in [("right", right, true), ("wrong", [0; 20], false)] {
        let target = directory.path().join(name);
        let request = FileRequest {
            git_blob: Some(digest),
            ..FileRequest::new(&*url)
        };
        let fetched = tokio::select! {
            fetched = fetch_file(&client, &request, &target, |_| {}) => fetched,
            never = serve(&listener, &|_, head| answer(partial(head, b"hello\n"))) => match never {},
        };
        assert_eq!(
            (fetched.is_ok(), target.exists()),
            (is_right, is_right),
            "{name}: {fetched:?}"
        );
    }
}

#[tokio::test]
async fn an_endless_answer_of_an_api_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let client = HttpClient::new("test").unwrap();
    let mut endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec();
    endless.resize(limits::MAX_JSON_BYTES + 4096, b' ');
    let headers = HeaderMap::new();
    let script = |_, _: &str| answer(endless.clone());
    let result = tokio::select! {
        result = client.get_small(&url, &headers) => result,
        never = serve(&listener, &script) => match never {},
    };
    let error = result.unwrap_err().to_string();
    assert!(error.contains("is longer than 16777216 bytes"), "{error}");
}

/// Fetches a file whose digest is unknown, unless `change` says otherwise, from a scripted server.
async fn fetch_to(
    target: &Path,
    change: impl FnOnce(&mut FileRequest),
    script: impl Fn(usize, &str) -> Answer,
) -> Result<Fetched, TransferError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/m.gguf", listener.local_addr().unwrap());
    let client = HttpClient::new("test").unwrap();
    let mut request = FileRequest::new(url);
    change(&mut request);
    tokio::select! {
        fetched = fetch_file(&client, &request, target, |_| {}) => fetched,
        never = serve(&listener, &script) => match never {},
    }
}

#[tokio::test]
async fn a_file_on_disk_is_verified_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name| directory.path().join(name);
    let (target, receipt) = (path("target"), path("own/receipt"));
    let content = content(1000);
    let request = |request: &mut FileRequest| {
        request.sha256 = Some(Sha256::digest(&content).into());
        request.size = Some(1000);
        request.receipt = Some(receipt.clone());
    };
    // Of the right size, but put there by somebody else.
    fs::write(&target, vec![0; 1000]).unwrap();
    let script = |_, head: &str| answer(partial(head, &content));
    let fetched = fetch_to(&target, request, script).await.unwrap();
    assert!(fetched.downloaded && fs::read(&target).unwrap() == content);
    let first = fs::read(&receipt).unwrap();
    let silent = |_, _: &str| panic!("it is on disk");
    let fetched = fetch_to(&target, request, silent).await.unwrap();
    assert!(!fetched.downloaded);
    // A change after the verification is noticed.
    fs::write(&target, vec![1; 1000]).unwrap();
    let fetched = fetch_to(&target, request, script).await.unwrap();
    assert!(fetched.downloaded && fs::read(&target).unwrap() == content);
    assert_ne!(fs::read(&receipt).unwrap(), first);
}

#[tokio::test]
async fn a_complete_file_needs_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let (target, content) = (directory.path().join("target"), content(1000));
    let request = |request: &mut FileRequest| {
        request.sha256 = Some(Sha256::digest(&content).into());
        // A directory cannot be opened as a lock, just as a file in a directory of another user.
        request.lock = Some(directory.path().to_owned());
    };
    let silent = |_, _: &str| panic!("nothing can be written");
    let error = fetch_to(&target, request, silent).await.unwrap_err();
    assert!(error.to_string().contains("cannot lock"), "{error}");
    fs::write(&target, &content).unwrap();
    let fetched = fetch_to(&target, request, silent).await.unwrap();
    assert!(!fetched.downloaded);
}

#[tokio::test]
async fn only_the_bytes_of_a_model_become_a_model() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("m.gguf");
    let request = |request: &mut FileRequest| request.magic = b"GGUF";
    let page = |_, head: &str| answer(partial(head, b"<html>Please log in</html>"));
    let error = fetch_to(&target, request, page).await.unwrap_err();
    assert!(error.to_string().contains("is not a model file"), "{error}");
    let compressed = |_, _: &str| {
        answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nGGUF")
    };
    let error = fetch_to(&target, request, compressed).await.unwrap_err();
    assert!(error.to_string().contains("Content-Encoding"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    // A page that an earlier version has taken for a model is replaced.
    fs::write(&target, "<html>").unwrap();
    let model = |_, head: &str| answer(partial(head, b"GGUF and more"));
    let fetched = fetch_to(&target, request, model).await.unwrap();
    assert!(fetched.downloaded && fs::read(&target).unwrap() == b"GGUF and more");
}

#[tokio::test]
async fn a_renewed_signature_continues_a_download() {
    let content = content(3 << 20);
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("m.gguf");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = HttpClient::new("test").unwrap();
    let partial = |head: &str| {
        let bytes = partial(head, &content);
        let start = b"HTTP/1.1 206 Partial Content\r\n";
        [start, &b"ETag: \"a\"\r\n"[..], &bytes[start.len()..]].concat()
    };
    let script = |_, head: &str| match head.contains("signature=1") && range_of(head).start > 0 {
        true => answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        false => answer(partial(head)),
    };
    let mut held_bytes = Vec::new();
    for signature in ["1", "2"] {
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/m.gguf?signature={signature}");
        let request = FileRequest::new(url);
        let steps = RefCell::new(Vec::new());
        let show = |step| steps.borrow_mut().push(step);
        let fetched = tokio::select! {
            fetched = fetch_file(&client, &request, &target, show) => fetched,
            never = serve(&listener, &script) => match never {},
        };
        assert_eq!(fetched.is_ok(), signature == "2", "{fetched:?}");
        held_bytes.extend(steps.take().iter().filter_map(|step| match step {
            Progress::Started { held, .. } => Some(*held),
            _ => None,
        }));
    }
    assert!(held_bytes[1] > 0, "{held_bytes:?}");
    assert!(fs::read(target).unwrap() == content);
}
