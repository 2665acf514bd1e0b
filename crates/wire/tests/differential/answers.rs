//! The same answer read by this crate and by hyper's client.

use super::naive;
use super::theirs::{Fields, Input, drain, fields};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use paddock_wire::{Body, ChunkError, Framing, HeadScan, ResponseHead, Version};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A final answer, behind whatever interim ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Answer {
    status: u16,
    fields: Fields,
    data: Vec<u8>,
    trailers: Fields,
    complete: bool,
}

/// Where reading ended, and what went on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ours {
    answer: Option<Answer>,
    refused: bool,
    forwarded: Vec<u8>,
}

/// Panics when the two readings of `bytes`, the answer to a HEAD or a GET, differ.
pub(crate) fn check(bytes: &[u8], to_head: bool) {
    let ours = read(bytes, to_head, usize::MAX);
    for step in [1, 7] {
        assert_eq!(read(bytes, to_head, step), ours, "in pieces of {step}");
    }
    let theirs = theirs(bytes, to_head);
    match &ours.answer {
        None => assert!(ours.refused || theirs.is_none(), "hyper sees an answer"),
        Some(answer) => same(answer, ours.refused, theirs),
    }
    let again = read(&ours.forwarded, to_head, usize::MAX);
    assert!(!again.refused, "refused when read again");
    assert_eq!(again.forwarded, ours.forwarded, "cut twice");
    let mut expected = ours.answer;
    if let Some(answer) = &mut expected {
        answer.fields = naive::end_to_end(std::mem::take(&mut answer.fields));
        if answer.status == 204 {
            answer.fields = naive::without_framing(std::mem::take(&mut answer.fields));
        }
        same(answer, false, self::theirs(&ours.forwarded, to_head));
    }
    assert_eq!(again.answer, expected);
}

fn same(ours: &Answer, refused: bool, theirs: Option<Answer>) {
    let mut ours = ours.clone();
    let mut theirs = theirs.expect("hyper sees no answer");
    if refused && !ours.complete {
        // Where a body is refused, hyper may take the rest of it.
        assert!(theirs.data.starts_with(&ours.data));
        ours.data.clone_from(&theirs.data);
        ours.trailers.clone_from(&theirs.trailers);
        ours.complete = theirs.complete;
    }
    for answer in [&mut ours, &mut theirs] {
        answer.fields.sort_by(|a, b| a.0.cmp(&b.0));
        answer.trailers.sort_by(|a, b| a.0.cmp(&b.0));
    }
    assert_eq!(ours, theirs);
}

/// Reads as a proxy would, `step` bytes at a time.
fn read(bytes: &[u8], to_head: bool, step: usize) -> Ours {
    let mut ours = Ours {
        answer: None,
        refused: false,
        forwarded: Vec::new(),
    };
    let mut left = bytes;
    loop {
        let Some(len) = head_len(left, step, &mut ours.refused) else {
            return ours;
        };
        let (head, rest) = left.split_at(len);
        let Ok(answer) = ResponseHead::parse(head, to_head, Version::Http11) else {
            ours.refused = true;
            return ours;
        };
        check_for_http10(head, to_head, &answer);
        answer.edits.render(head, &[], &mut ours.forwarded);
        left = rest;
        if answer.is_interim() {
            continue;
        }
        let line = head.iter().position(|byte| *byte == b'\n').expect("a line");
        let mut read = Answer {
            status: answer.status,
            fields: naive::fields(&head[line..]),
            ..Answer::default()
        };
        ours.refused =
            read_body(left, answer.framing, step, &mut read, &mut ours.forwarded).is_err();
        ours.answer = Some(read);
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
    answer: &mut Answer,
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
            answer.data.extend_from_slice(&moved[..kept]);
            at += taken;
            continue;
        }
        // Byte for byte up to the one that is wrong.
        for byte in piece {
            let was_data = body.data_bytes();
            if let Err(error) = body.follow(&[*byte]) {
                result = Err(error);
                break 'read;
            }
            forwarded.push(*byte);
            if body.data_bytes() > was_data {
                answer.data.push(*byte);
            }
        }
        panic!("refused as a whole and accepted byte for byte");
    }
    answer.complete = result.is_ok() && body.closed().is_ok();
    if framing == Framing::Chunked && answer.complete {
        let chunks = naive::chunks(&forwarded[start..]).expect("the naive reader sees the end");
        assert_eq!(chunks.data, answer.data);
        answer.trailers = chunks.trailers;
    }
    result
}

/// A client of HTTP/1.0 gets the same head, without what tells of chunks.
fn check_for_http10(head: &[u8], to_head: bool, answer: &ResponseHead) {
    let old = ResponseHead::parse(head, to_head, Version::Http10);
    let Ok(old) = old else {
        // Two more fields are cut for it, and there may be no room for them.
        return;
    };
    assert_eq!(old.framing, answer.framing);
    let rendered = |answer: &ResponseHead| {
        let mut out = Vec::new();
        answer.edits.render(head, &[], &mut out);
        let line = out.iter().position(|byte| *byte == b'\n').expect("a line");
        naive::fields(&out[line..])
    };
    let mut expected = rendered(answer);
    expected.retain(|(name, _)| name != "transfer-encoding" && name != "trailer");
    assert_eq!(rendered(&old), expected);
}

fn theirs(bytes: &[u8], to_head: bool) -> Option<Answer> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_headers(128);
    let mut context = Context::from_waker(Waker::noop());
    let handshake = pin!(builder.handshake(Input::when_asked(bytes)));
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
        Some(Answer {
            status: head.status.as_u16(),
            fields: fields(&head.headers),
            data,
            trailers,
            complete,
        })
    });
    let mut open = true;
    for _ in 0..100_000 {
        if let Poll::Ready(answer) = exchange.as_mut().poll(&mut context) {
            return answer;
        }
        open = open && connection.as_mut().poll(&mut context).is_pending();
    }
    panic!("hyper does not come to an end");
}
