//! Reads the same response with this crate and with hyper's client.

use super::hyper_reader::{Fields, Input, drain, fields};
use super::naive_reader;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use paddock_wire::{Body, ChunkError, Framing, HeadScan, ResponseHead, Version};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A final response, after any interim responses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Response {
    status: u16,
    fields: Fields,
    data: Vec<u8>,
    trailers: Fields,
    complete: bool,
}

/// The result of reading: the response, if any, and the position reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReadResult {
    response: Option<Response>,
    refused: bool,
    forwarded: Vec<u8>,
}

/// Panics if the two readings of `bytes`, the response to a HEAD or a GET, differ.
pub(crate) fn check(bytes: &[u8], to_head: bool) {
    let ours = read(bytes, to_head, usize::MAX);
    for step in [1, 7] {
        assert_eq!(read(bytes, to_head, step), ours, "in pieces of {step}");
    }
    let theirs = theirs(bytes, to_head);
    match &ours.response {
        None => assert!(ours.refused || theirs.is_none(), "hyper sees a response"),
        Some(response) => same(response, ours.refused, theirs),
    }
    let again = read(&ours.forwarded, to_head, usize::MAX);
    assert!(!again.refused, "refused when read again");
    assert_eq!(again.forwarded, ours.forwarded, "cut twice");
    let mut expected = ours.response;
    if let Some(response) = &mut expected {
        response.fields = naive_reader::end_to_end(std::mem::take(&mut response.fields));
        if response.status == 204 {
            response.fields = naive_reader::without_framing(std::mem::take(&mut response.fields));
        }
        same(response, false, self::theirs(&ours.forwarded, to_head));
    }
    assert_eq!(again.response, expected);
}

fn same(ours: &Response, refused: bool, theirs: Option<Response>) {
    let mut ours = ours.clone();
    let mut theirs = theirs.expect("hyper sees no response");
    if refused && !ours.complete {
        // hyper may read on in a body that this crate refuses.
        assert!(theirs.data.starts_with(&ours.data));
        ours.data.clone_from(&theirs.data);
        ours.trailers.clone_from(&theirs.trailers);
        ours.complete = theirs.complete;
    }
    for response in [&mut ours, &mut theirs] {
        response.fields.sort_by(|a, b| a.0.cmp(&b.0));
        response.trailers.sort_by(|a, b| a.0.cmp(&b.0));
    }
    assert_eq!(ours, theirs);
}

/// Reads as a proxy does, `step` bytes at a time.
fn read(bytes: &[u8], to_head: bool, step: usize) -> ReadResult {
    let mut ours = ReadResult {
        response: None,
        refused: false,
        forwarded: Vec::new(),
    };
    let mut left = bytes;
    loop {
        let Some(len) = head_len(left, step, &mut ours.refused) else {
            return ours;
        };
        let (head, rest) = left.split_at(len);
        let Ok(response) = ResponseHead::parse(head, to_head, Version::Http11) else {
            ours.refused = true;
            return ours;
        };
        check_for_http10(head, to_head, &response);
        response.edits.render(head, &[], &mut ours.forwarded);
        left = rest;
        if response.is_interim() {
            continue;
        }
        let line = head.iter().position(|byte| *byte == b'\n').expect("a line");
        let mut read = Response {
            status: response.status,
            fields: naive_reader::fields(&head[line..]),
            ..Response::default()
        };
        ours.refused =
            read_body(left, response.framing, step, &mut read, &mut ours.forwarded).is_err();
        ours.response = Some(read);
        return ours;
    }
}

fn head_len(bytes: &[u8], step: usize, refused: &mut bool) -> Option<usize> {
    let mut scan = HeadScan::default();
    let mut arrived = 0;
    loop {
        match scan.find_end(&bytes[..arrived]) {
            Ok(Some(len)) => return Some(len),
            Ok(None) if arrived < bytes.len() => {
                arrived = arrived.saturating_add(step).min(bytes.len());
            }
            Ok(None) => return None,
            Err(_) => {
                *refused = true;
                return None;
            }
        }
    }
}

fn read_body(
    bytes: &[u8],
    framing: Framing,
    step: usize,
    response: &mut Response,
    forwarded: &mut Vec<u8>,
) -> Result<(), ChunkError> {
    let mut body = Body::new(framing);
    let mut at = 0;
    let start = forwarded.len();
    let mut result = Ok(());
    'read: while at < bytes.len() && !body.is_complete() {
        let piece = &bytes[at..at.saturating_add(step).min(bytes.len())];
        let mut moved = piece.to_vec();
        let mut whole = body.clone();
        if let Ok((taken, kept)) = whole.follow_and_unframe(&mut moved) {
            assert_eq!(body.follow(piece), Ok(taken));
            forwarded.extend_from_slice(&piece[..taken]);
            response.data.extend_from_slice(&moved[..kept]);
            at += taken;
            continue;
        }
        // Byte by byte up to the invalid byte.
        for byte in piece {
            let was_data = body.data_bytes();
            if let Err(error) = body.follow(&[*byte]) {
                result = Err(error);
                break 'read;
            }
            forwarded.push(*byte);
            if body.data_bytes() > was_data {
                response.data.push(*byte);
            }
        }
        panic!("refused as a whole and accepted byte for byte");
    }
    response.complete = result.is_ok() && body.check_end().is_ok();
    if framing == Framing::Chunked && response.complete {
        let chunks =
            naive_reader::chunks(&forwarded[start..]).expect("the naive reader sees the end");
        assert_eq!(chunks.data, response.data);
        response.trailers = chunks.trailers;
    }
    result
}

/// Checks that an HTTP/1.0 client receives the same head without chunk-related fields.
fn check_for_http10(head: &[u8], to_head: bool, response: &ResponseHead) {
    let old = ResponseHead::parse(head, to_head, Version::Http10);
    let Ok(old) = old else {
        // This removes two more fields, which may exceed the limit on edits.
        return;
    };
    assert_eq!(old.framing, response.framing);
    let rendered = |response: &ResponseHead| {
        let mut out = Vec::new();
        response.edits.render(head, &[], &mut out);
        let line = out.iter().position(|byte| *byte == b'\n').expect("a line");
        naive_reader::fields(&out[line..])
    };
    let mut expected = rendered(response);
    expected.retain(|(name, _)| name != "transfer-encoding" && name != "trailer");
    assert_eq!(rendered(&old), expected);
}

fn theirs(bytes: &[u8], to_head: bool) -> Option<Response> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_headers(128);
    let mut context = Context::from_waker(Waker::noop());
    let handshake = pin!(builder.handshake(Input::after_first_write(bytes)));
    let Poll::Ready(Ok((mut sender, connection))) = handshake.poll(&mut context) else {
        panic!("there is nothing to wait for");
    };
    let request = Request::builder()
        .method(if to_head { "HEAD" } else { "GET" })
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let mut connection = pin!(connection);
    let mut exchange = pin!(async {
        let response = sender.send_request(request).await.ok()?;
        let (head, mut body) = response.into_parts();
        let (data, trailers, complete) = drain(&mut body).await;
        Some(Response {
            status: head.status.as_u16(),
            fields: fields(&head.headers),
            data,
            trailers,
            complete,
        })
    });
    let mut open = true;
    for _ in 0..100_000 {
        if let Poll::Ready(response) = exchange.as_mut().poll(&mut context) {
            return response;
        }
        open = open && connection.as_mut().poll(&mut context).is_pending();
    }
    panic!("hyper does not come to an end");
}
