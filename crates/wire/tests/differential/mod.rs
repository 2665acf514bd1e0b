//! The same bytes read by this crate and by hyper, which must not differ in anything that this
//! crate accepts; what it refuses hyper may do with as it likes.

mod answers;
mod naive;
mod ours;
mod theirs;

pub(crate) use answers::check as check_answer;
use ours::{Connection, End};
use paddock_wire::{Framing, HeadScan, to_origin_form};
use theirs::Message;

/// Follows the bytes once more, to show where the last message ended.
const SENTINEL: &[u8] = b"GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n";

/// The most trailer fields that hyper takes, as it is configured in `theirs`.
const HYPER_TRAILERS: usize = 128;

/// Panics when the two readings of `bytes` differ.
pub(crate) fn check(bytes: &[u8]) {
    check_once(bytes);
    check_once(&[bytes, SENTINEL].concat());
    check_absolute(bytes);
}

/// Where `bytes` begin with a head in absolute-form: panics unless hyper reads the same request in them and in
/// what they are rewritten to, with the URL's host.
fn check_absolute(bytes: &[u8]) {
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
    let (theirs, of_rewritten) = (theirs::read(bytes), theirs::read(&rewritten));
    // hyper takes fewer authorities, for reasons of its own.
    let Some(mut first) = theirs.into_iter().next() else {
        return;
    };
    let url: hyper::Uri = first.target.parse().expect("hyper reads its own URL");
    let authority = url.authority().expect("a URL has one").as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    // Without a path the request is for the server as a whole.
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let has_path = !target.ends_with(authority.as_bytes());
    let is_asterisk = first.method == "OPTIONS" && path == "/" && !has_path;
    first.target = String::from(if is_asterisk { "*" } else { path });
    first.fields.retain(|(name, _)| name != "host");
    first.fields.push(("host".into(), authority.into()));
    let second = of_rewritten.into_iter().next();
    same(second.expect("hyper reads the rewritten one too"), first);
}

fn check_once(bytes: &[u8]) {
    let ours = ours::read(bytes, usize::MAX);
    for step in [1, 7] {
        assert_eq!(ours::read(bytes, step), ours, "in pieces of {step}");
    }
    let expected: Vec<Message> = ours.messages.iter().map(expected).collect();
    if !expected.iter().any(is_beyond_hyper) {
        same_as_received(&expected, ours.end, &theirs::read(bytes));
    }
    check_forwarded(&ours, expected);
}

/// What hyper makes of the client's own bytes.
fn same_as_received(expected: &[Message], end: End, theirs: &[Message]) {
    let more = theirs.len().checked_sub(expected.len());
    match (more, end) {
        (None, _) => panic!("hyper sees fewer requests"),
        (Some(1..), End::Waits) => panic!("hyper sees more requests"),
        _ => {}
    }
    for (ours, theirs) in expected.iter().zip(theirs) {
        let mut ours = ours.clone();
        if !ours.complete && matches!(end, End::Refused(_)) {
            // Where a body is refused, hyper may take the rest of it.
            assert!(theirs.data.starts_with(&ours.data));
            ours.data.clone_from(&theirs.data);
            ours.trailers.clone_from(&theirs.trailers);
            ours.complete = theirs.complete;
        }
        same(ours, theirs.clone());
    }
}

/// What the next hop makes of the bytes that go on: the same requests, without the fields that
/// were for the first hop alone, and not one more, wherever the bytes stopped.
fn check_forwarded(ours: &Connection, mut expected: Vec<Message>) {
    let forwarded: Vec<u8> = ours
        .messages
        .iter()
        .flat_map(|message| [&message.forwarded[..], &message.body[..]].concat())
        .collect();
    let again = ours::read(&forwarded, usize::MAX);
    assert_eq!(again.messages.len(), ours.messages.len());
    assert_eq!(again.end, End::Waits);
    for (again, ours) in again.messages.iter().zip(&ours.messages) {
        assert_eq!(again.head, ours.forwarded);
        assert_eq!(again.forwarded, ours.forwarded, "cut twice");
        assert_eq!(again.framing, ours.framing);
        assert_eq!(again.body, ours.body);
        assert_eq!(again.complete, ours.complete);
    }
    for message in &mut expected {
        let had_host = message.fields.iter().any(|(name, _)| name == "host");
        message.fields = naive::end_to_end(std::mem::take(&mut message.fields));
        if !had_host {
            message.fields.push(("host".into(), b"added".to_vec()));
        }
    }
    if expected.iter().any(is_beyond_hyper) {
        return;
    }
    let theirs = theirs::read(&forwarded);
    assert_eq!(theirs.len(), expected.len(), "the next hop's requests");
    for (ours, theirs) in expected.into_iter().zip(theirs) {
        same(ours, theirs);
    }
}

/// A message as hyper ought to see it, read by the naive readers.
fn expected(ours: &ours::Message) -> Message {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let line = ours.head.iter().position(|byte| *byte == b'\n');
    let mut message = Message {
        method: text(&ours.method),
        target: text(&ours.target),
        fields: naive::fields(&ours.head[line.expect("a line")..]),
        data: ours.data.clone(),
        trailers: Vec::new(),
        complete: ours.complete,
    };
    if ours.framing == Framing::Chunked {
        match naive::chunks(&ours.body) {
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

/// Requests that hyper refuses for reasons of its own. None of them changes how a message is
/// read:
/// - bytes in a target that have no place in a URI but are one row of characters to everybody;
/// - more trailer fields than hyper has room for.
fn is_beyond_hyper(message: &Message) -> bool {
    message.target.parse::<hyper::Uri>().is_err() && message.target.contains(['"', '<', '>', '`'])
        || message.trailers.len() > HYPER_TRAILERS
}

fn same(mut ours: Message, mut theirs: Message) {
    // Lines of one name keep their order; between names hyper keeps none.
    for message in [&mut ours, &mut theirs] {
        message.fields.sort_by(|a, b| a.0.cmp(&b.0));
        message.trailers.sort_by(|a, b| a.0.cmp(&b.0));
    }
    assert_eq!(ours, theirs);
}
