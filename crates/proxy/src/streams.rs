//! Keeps the streams of one API key from another: a child tells conversations apart by their ids alone.
//!
//! Where keys are configured, a request that names a conversation binds it to its key
//! ([`keys::Streams`](paddock_admission::keys::Streams)); only that key reads, stops, finds or replaces the stream.
//! Without keys nothing is looked at.

use super::buffering::{read_piece, say_continue};
use super::client::Client;
use super::exchange::Denied;
use super::pace::Pace;
use super::request::Request;
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::keys::StreamUse;
use paddock_admission::model::Model;
use paddock_wire::{Body, Framing, field_lines};
use serde::Deserialize;
use std::borrow::Cow;

/// The longest id of a conversation, in bytes.
const MAX_ID: usize = 512;

/// The longest body of a lookup, in bytes.
const MAX_LOOKUP: u64 = 64 * 1024;

/// Checks what a request wants of streams before it goes on to its model.
pub(super) async fn admit(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Model,
    wants: StreamUse,
) -> Result<(), Denied> {
    let checked = match wants {
        StreamUse::Opens(conversation) => open(worker, client, model, &conversation),
        StreamUse::Resumes => resume(worker, client, request, model),
        StreamUse::LooksUp => {
            let body = whole_body(worker, client, request).await?;
            look_up(worker, client, request, model, &body)
        }
    };
    checked.map_err(Denied::Error)
}

fn open(
    worker: &Worker,
    client: &mut Client,
    model: &Model,
    conversation: &[u8],
) -> Result<(), ProxyError> {
    if conversation.len() > MAX_ID {
        return Err(ProxyError::BadStream(
            "its X-Conversation-Id is longer than 512 bytes",
        ));
    }
    let Some(key) = client.record.key() else {
        return Ok(());
    };
    let catalog = worker.catalog();
    let opened = catalog
        .keys()
        .streams()
        .open(model.id, conversation, &key.name);
    let opened = opened.map_err(|_| ProxyError::ConversationTaken)?;
    client.record.set_opened_stream(opened);
    Ok(())
}

/// The child takes a conversation from a form in the body too, and of several the last: a body is refused,
/// and every id has to be the key's own.
fn resume(
    worker: &Worker,
    client: &Client,
    request: &Request,
    model: &Model,
) -> Result<(), ProxyError> {
    if !matches!(request.head.framing, Framing::None | Framing::Length(0)) {
        return Err(ProxyError::BadStream(
            "it reads or stops a stream, and has a body",
        ));
    }
    let Some(key) = client.record.key() else {
        return Ok(());
    };
    let catalog = worker.catalog();
    let streams = catalog.keys().streams();
    let target = request.head.target.slice(request.buffer.bytes());
    let all_own = conversations(target).all(|id| streams.are_of(model.id, &id, &key.name));
    match all_own {
        true => Ok(()),
        false => Err(ProxyError::UnknownStream),
    }
}

/// The ids in a target's query, read as the child reads them (llama.cpp b11434,
/// vendor/cpp-httplib/httplib.cpp, `parse_query_text`, `decode_query_component`). It answers an empty one, or
/// none, itself.
fn conversations(target: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let start = target.iter().position(|byte| *byte == b'?');
    let query = start.and_then(|start| target.get(start + 1..));
    let pairs = query.unwrap_or_default().split(|byte| *byte == b'&');
    pairs.filter_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(parts.next().unwrap_or_default());
        let value = decoded(parts.next().unwrap_or_default());
        (&*name == b"conv_id" && !value.is_empty()).then_some(value)
    })
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let byte = match (first, behind) {
            (b'%', [high, low, ..]) => digit(high).zip(digit(low)),
            _ => None,
        };
        match byte.and_then(|(high, low)| u8::try_from(high << 4 | low).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None if *first == b'+' => out.push(b' '),
            None => out.push(*first),
        }
    }
    Cow::Owned(out)
}

/// The part of a lookup's body that the child reads.
#[derive(Debug, Deserialize)]
struct Lookup {
    conversation_ids: Option<serde_json::Value>,
}

fn look_up(
    worker: &Worker,
    client: &Client,
    request: &Request,
    model: &Model,
    body: &[u8],
) -> Result<(), ProxyError> {
    // The child would make another document of a form or of a coded body.
    let head = request.buffer.bytes().get(..request.head_len);
    let mut fields = field_lines(head.unwrap_or_default());
    let is_recoded = fields.any(|field| {
        let is_form = || {
            let words = field.value.split(|byte| !byte.is_ascii_alphabetic());
            words
                .into_iter()
                .any(|word| word.eq_ignore_ascii_case(b"multipart"))
        };
        field.has_name("content-encoding") || field.has_name("content-type") && is_form()
    });
    if is_recoded {
        return Err(ProxyError::BadStream("a lookup is plain JSON"));
    }
    let Some(key) = client.record.key() else {
        return Ok(());
    };
    let ids = ids_of(body).ok_or(ProxyError::BadStream(
        "a lookup is a JSON object with one member `conversation_ids`, an array of strings",
    ))?;
    let catalog = worker.catalog();
    let streams = catalog.keys().streams();
    let mut ids = ids.iter().map(String::as_bytes);
    match ids.any(|id| streams.find_others(model.id, id, &key.name)) {
        true => Err(ProxyError::UnknownStream),
        false => Ok(()),
    }
}

/// The ids that a lookup asks for, or nothing if it is not certain what the child reads. It passes over
/// values that are no strings, and empty ones.
fn ids_of(body: &[u8]) -> Option<Vec<String>> {
    let lookup: Lookup = serde_json::from_slice(body).ok()?;
    let Some(serde_json::Value::Array(ids)) = lookup.conversation_ids else {
        return Some(Vec::new());
    };
    let texts = ids.into_iter().filter_map(|id| match id {
        serde_json::Value::String(id) => Some(id).filter(|id| !id.is_empty()),
        _ => None,
    });
    Some(texts.collect())
}

/// Reads a request's whole body, and keeps it to be passed on. Returns what it holds, framing left out.
async fn whole_body(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
) -> Result<Vec<u8>, Denied> {
    let too_large = || Denied::Error(ProxyError::BadStream("a lookup has at most 64 KiB"));
    if request.is_larger_than(MAX_LOOKUP) {
        return Err(too_large());
    }
    say_continue(client, request).await?;
    let mut pace = Pace::default();
    while !request.body.is_complete() {
        read_piece(worker, client, request, &mut pace, |_| {}).await?;
        if request.body.data_bytes() > MAX_LOOKUP {
            return Err(too_large());
        }
    }
    let mut whole = Vec::new();
    let mut body = Body::for_request(request.head.framing);
    let first = request.buffer.bytes().get(request.head_len..);
    for piece in first.into_iter().chain(request.held.pieces()) {
        // It has been followed already, and had no flaw.
        let _ = body.follow_with(piece, |data| whole.extend_from_slice(data));
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_the_child_reads_it() {
        for (target, ids) in [
            ("/v1/stream", &[][..]),
            ("/v1/stream?conv_id=", &[]),
            ("/v1/stream?from=3&conv_id=a", &["a"]),
            ("/v1/stream?conv_id=a%3A%3am&from=0", &["a::m"]),
            ("/v1/stream?%63onv_id=a+b%2B", &["a b+"]),
            ("/v1/stream?conv_id=a&conv_id=b=c?d", &["a", "b=c?d"]),
            ("/v1/stream?conv_id=%zz%4", &["%zz%4"]),
            ("/v1/stream?conv_idd=a&CONV_ID=b&conv_id", &[]),
        ] {
            let found: Vec<_> = conversations(target.as_bytes()).collect();
            let found: Vec<_> = found.iter().map(|id| String::from_utf8_lossy(id)).collect();
            assert_eq!(found, ids, "{target}");
        }
    }

    #[test]
    fn a_lookup_counts_if_there_is_one_way_to_read_it() {
        for (body, ids) in [
            (r#"{"conversation_ids":["a","b::c"]}"#, &["a", "b::c"][..]),
            (
                r#" {"x":{"conversation_ids":["d"]},"conversation_ids":["\u0061",1,null,""]} "#,
                &["a"],
            ),
            ("{}", &[]),
            (r#"{"conversation_ids":"a"}"#, &[]),
        ] {
            assert_eq!(ids_of(body.as_bytes()).unwrap(), ids, "{body}");
        }
        for body in [
            "",
            "[]",
            "{",
            r#"{"conversation_ids":["a"],"conversation_ids":["b"]}"#,
            r#"{"conversation_ids":["a"],"conversation_id\u0073":["b"]}"#,
            r#"{"conversation_ids":["a"]}{}"#,
            "\u{feff}{}",
        ] {
            assert_eq!(ids_of(body.as_bytes()), None, "{body}");
        }
    }
}
