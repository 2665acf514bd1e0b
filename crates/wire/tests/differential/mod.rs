//! Reads the same bytes with this crate and with hyper. The two must agree on everything that this
//! crate accepts; hyper is free in how it treats refused input.

mod hyper_reader;
mod naive_reader;
mod responses;
mod wire_reader;

use hyper_reader::Message;
use paddock_wire::{Framing, HeadScan, to_origin_form};
pub(crate) use responses::check as check_response;
use wire_reader::{Connection, ConnectionEnd};

/// A request appended to the bytes, to reveal the end of the last message.
const SENTINEL: &[u8] = b"GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n";

/// hyper's limit on trailer fields, as configured in `hyper_reader`.
const HYPER_TRAILERS: usize = 128;

/// Panics when the two readings of `bytes` differ.
pub(crate) fn check(bytes: &[u8]) {
    check_once(bytes);
    check_once(&[bytes, SENTINEL].concat());
    check_absolute_form(bytes);
}

/// If `bytes` start with a head in absolute-form, rewrites that head to origin-form and panics
/// unless hyper reads the same request, with the URL's host, from both.
fn check_absolute_form(bytes: &[u8]) {
    let Ok(Some(len)) = HeadScan::default().find_end(bytes) else {
        return;
    };
    let (head, rest) = bytes.split_at(len);
    let Ok(Some(origin)) = to_origin_form(head) else {
        return;
    };
    let rewritten = [&origin[..], rest].concat();
    check_once(&rewritten);
    assert_eq!(to_origin_form(&origin), Ok(None), "rewritten twice");
    // hyper refuses some authorities for reasons of its own.
    let Some(mut expected) = hyper_reader::read(bytes).into_iter().next() else {
        return;
    };
    let url: hyper::Uri = expected.target.parse().expect("hyper reads its own URL");
    let authority = url.authority().expect("a URL has one").as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    // OPTIONS with an empty path concerns the whole server (RFC 9112 §3.2.4).
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let has_path = !target.ends_with(authority.as_bytes());
    let is_asterisk = expected.method == "OPTIONS" && path == "/" && !has_path;
    expected.target = String::from(if is_asterisk { "*" } else { path });
    expected.fields.retain(|(name, _)| name != "host");
    expected.fields.push(("host".into(), authority.into()));
    let actual = hyper_reader::read(&rewritten).into_iter().next();
    same(actual.expect("hyper reads the rewritten head"), expected);
}

fn check_once(bytes: &[u8]) {
    let ours = wire_reader::read(bytes, usize::MAX);
    for step in [1, 7] {
        assert_eq!(wire_reader::read(bytes, step), ours, "in pieces of {step}");
    }
    let expected: Vec<Message> = ours.messages.iter().map(expected_message).collect();
    if !expected.iter().any(is_beyond_hyper) {
        same_as_received(&expected, ours.end, &hyper_reader::read(bytes));
    }
    check_forwarded(&ours, expected);
}

/// Compares with hyper's reading of the client's bytes.
fn same_as_received(expected: &[Message], end: ConnectionEnd, theirs: &[Message]) {
    let more = theirs.len().checked_sub(expected.len());
    match (more, end) {
        (None, _) => panic!("hyper sees fewer requests"),
        (Some(1..), ConnectionEnd::Waits) => panic!("hyper sees more requests"),
        _ => {}
    }
    for (ours, theirs) in expected.iter().zip(theirs) {
        let mut ours = ours.clone();
        if !ours.complete && matches!(end, ConnectionEnd::Refused(_)) {
            // hyper may read on in a body that this crate refuses.
            assert!(theirs.data.starts_with(&ours.data));
            ours.data.clone_from(&theirs.data);
            ours.trailers.clone_from(&theirs.trailers);
            ours.complete = theirs.complete;
        }
        same(ours, theirs.clone());
    }
}

/// Checks that the next hop reads the same requests from the forwarded bytes, without hop-by-hop
/// fields, and no additional request, wherever the bytes stop.
fn check_forwarded(ours: &Connection, mut expected: Vec<Message>) {
    let forwarded: Vec<u8> = ours
        .messages
        .iter()
        .flat_map(|message| [&message.forwarded[..], &message.body[..]].concat())
        .collect();
    let again = wire_reader::read(&forwarded, usize::MAX);
    assert_eq!(again.messages.len(), ours.messages.len());
    assert_eq!(again.end, ConnectionEnd::Waits);
    for (again, ours) in again.messages.iter().zip(&ours.messages) {
        assert_eq!(again.head, ours.forwarded);
        assert_eq!(again.forwarded, ours.forwarded, "cut twice");
        assert_eq!(again.framing, ours.framing);
        assert_eq!(again.body, ours.body);
        assert_eq!(again.complete, ours.complete);
    }
    for message in &mut expected {
        let had_host = message.fields.iter().any(|(name, _)| name == "host");
        message.fields = naive_reader::end_to_end(std::mem::take(&mut message.fields));
        if !had_host {
            message.fields.push(("host".into(), b"added".to_vec()));
        }
    }
    if expected.iter().any(is_beyond_hyper) {
        return;
    }
    let theirs = hyper_reader::read(&forwarded);
    assert_eq!(theirs.len(), expected.len(), "the next hop's requests");
    for (ours, theirs) in expected.into_iter().zip(theirs) {
        same(ours, theirs);
    }
}

/// Returns the message that hyper should read, built by the naive readers.
fn expected_message(ours: &wire_reader::Message) -> Message {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let line = ours.head.iter().position(|byte| *byte == b'\n');
    let mut message = Message {
        method: text(&ours.method),
        target: text(&ours.target),
        fields: naive_reader::fields(&ours.head[line.expect("a line")..]),
        data: ours.data.clone(),
        trailers: Vec::new(),
        complete: ours.complete,
    };
    if ours.framing == Framing::Chunked {
        match naive_reader::chunks(&ours.body) {
            Some(chunks) => {
                assert!(ours.complete, "the naive reader sees the end");
                assert_eq!(chunks.len, ours.body.len());
                assert_eq!(chunks.data, ours.data);
                message.trailers = chunks.trailers;
            }
            None => assert!(!ours.complete, "the naive reader sees no end"),
        }
    } else {
        assert_eq!(ours.body, ours.data);
    }
    message
}

/// Returns true for requests that hyper refuses for reasons of its own, none of which affects how a
/// message is read:
/// - bytes in a target that are invalid in a URI but are plain characters to every parser;
/// - more trailer fields than hyper accepts.
fn is_beyond_hyper(message: &Message) -> bool {
    message.target.parse::<hyper::Uri>().is_err() && message.target.contains(['"', '<', '>', '`'])
        || message.trailers.len() > HYPER_TRAILERS
}

fn same(mut ours: Message, mut theirs: Message) {
    // Fields of one name keep their order; hyper does not keep the order between names.
    for message in [&mut ours, &mut theirs] {
        message.fields.sort_by(|a, b| a.0.cmp(&b.0));
        message.trailers.sort_by(|a, b| a.0.cmp(&b.0));
    }
    assert_eq!(ours, theirs);
}
