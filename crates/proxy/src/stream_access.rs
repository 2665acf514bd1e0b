//! Keeps the resumable streams of one API key from another. A resumable stream is a response that llama-server
//! continues when its client leaves, so that a client can read on later; llama-server knows it only by the id of
//! its conversation (`X-Conversation-Id`).
//!
//! If keys are configured, a request that names a conversation binds it to its key
//! ([`keys::StreamOwners`](paddock_admission::keys::StreamOwners)); only that key may read, stop, find or replace the
//! stream. Without keys nothing is checked.

use super::body_reader::{read_piece, send_continue};
use super::exchange::{Exchange, ExchangeError};
use super::min_rate::TransferPace;
use paddock_admission::error::ProxyError;
use paddock_admission::keys::StreamUse;
use paddock_admission::model::Model;
use paddock_wire::{Body, Framing, field_lines};
use serde::Deserialize;
use std::borrow::Cow;

/// Longest id of a conversation, in bytes.
const MAX_ID_BYTES: usize = 512;

/// Largest body of a lookup, in bytes.
const MAX_LOOKUP_BYTES: u64 = 64 * 1024;

/// Checks that a request's key may use the streams it asks for.
pub(super) async fn check(
    exchange: &mut Exchange<'_>,
    model: &Model,
    wants: StreamUse,
) -> Result<(), ExchangeError> {
    let checked = match wants {
        StreamUse::Open(conversation) => check_open(exchange, model, &conversation),
        StreamUse::Resume => check_resume(exchange, model),
        StreamUse::Lookup => {
            let body = read_whole_body(exchange).await?;
            check_lookup(exchange, model, &body)
        }
    };
    checked.map_err(ExchangeError::Refused)
}

/// Binds a conversation that the request opens to the request's key.
fn check_open(
    exchange: &mut Exchange<'_>,
    model: &Model,
    conversation: &[u8],
) -> Result<(), ProxyError> {
    let Exchange { worker, client, .. } = exchange;
    if conversation.len() > MAX_ID_BYTES {
        return Err(ProxyError::BadStream(
            "X-Conversation-Id is longer than 512 bytes",
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

/// Checks a request that reads or stops a stream. The child also takes a conversation from a form in the body,
/// and the last of several: so a body is refused, and every id must belong to the key.
fn check_resume(exchange: &Exchange<'_>, model: &Model) -> Result<(), ProxyError> {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    if !matches!(request.head.framing, Framing::None | Framing::Length(0)) {
        return Err(ProxyError::BadStream(
            "a request that reads or stops a stream must have no body",
        ));
    }
    let Some(key) = client.record.key() else {
        return Ok(());
    };
    let catalog = worker.catalog();
    let streams = catalog.keys().streams();
    let target = request.head.target.slice(request.buffer.bytes());
    let all_own =
        conversation_ids_in(target).all(|id| streams.is_owned_by(model.id, &id, &key.name));
    match all_own {
        true => Ok(()),
        false => Err(ProxyError::UnknownStream),
    }
}

/// Returns the conversation ids in a target's query, parsed as the child parses it (llama.cpp b11434,
/// vendor/cpp-httplib/httplib.cpp, `parse_query_text`, `decode_query_component`). The child itself answers a
/// request with an empty id or none.
fn conversation_ids_in(target: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let start = target.iter().position(|byte| *byte == b'?');
    let query = start.and_then(|start| target.get(start + 1..));
    let pairs = query.unwrap_or_default().split(|byte| *byte == b'&');
    pairs.filter_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = percent_decode(parts.next().unwrap_or_default());
        let value = percent_decode(parts.next().unwrap_or_default());
        (&*name == b"conv_id" && !value.is_empty()).then_some(value)
    })
}

fn percent_decode(text: &[u8]) -> Cow<'_, [u8]> {
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

/// Part of a lookup's body that the child reads.
#[derive(Debug, Deserialize)]
struct LookupBody {
    conversation_ids: Option<serde_json::Value>,
}

fn check_lookup(exchange: &Exchange<'_>, model: &Model, body: &[u8]) -> Result<(), ProxyError> {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    // The child parses a form or an encoded body differently.
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
        return Err(ProxyError::BadStream(
            "a stream lookup must be uncompressed JSON, not a multipart form",
        ));
    }
    let Some(key) = client.record.key() else {
        return Ok(());
    };
    let ids = parse_lookup_ids(body).ok_or(ProxyError::BadStream(
        "a stream lookup must be a JSON object in which `conversation_ids`, an array of strings, occurs only once",
    ))?;
    let catalog = worker.catalog();
    let streams = catalog.keys().streams();
    let mut ids = ids.iter().map(String::as_bytes);
    match ids.any(|id| streams.has_other_owner(model.id, id, &key.name)) {
        true => Err(ProxyError::UnknownStream),
        false => Ok(()),
    }
}

/// Returns the ids that a lookup asks for; None if the child might read the body otherwise. Skips empty
/// strings and values of other types, as the child does.
fn parse_lookup_ids(body: &[u8]) -> Option<Vec<String>> {
    let lookup: LookupBody = serde_json::from_slice(body).ok()?;
    let Some(serde_json::Value::Array(ids)) = lookup.conversation_ids else {
        return Some(Vec::new());
    };
    let texts = ids.into_iter().filter_map(|id| match id {
        serde_json::Value::String(id) => Some(id).filter(|id| !id.is_empty()),
        _ => None,
    });
    Some(texts.collect())
}

/// Reads and buffers a request's whole body. Returns the data without framing.
async fn read_whole_body(exchange: &mut Exchange<'_>) -> Result<Vec<u8>, ExchangeError> {
    let too_large = || {
        ExchangeError::Refused(ProxyError::BadStream(
            "a stream lookup must not exceed 64 KiB",
        ))
    };
    if exchange.request.is_larger_than(MAX_LOOKUP_BYTES) {
        return Err(too_large());
    }
    send_continue(exchange).await?;
    let mut pace = TransferPace::default();
    while !exchange.request.body.is_complete() {
        read_piece(exchange, &mut pace, |_| {}).await?;
        if exchange.request.is_larger_than(MAX_LOOKUP_BYTES) {
            return Err(too_large());
        }
    }
    let request = &*exchange.request;
    let mut whole = Vec::new();
    let mut body = Body::for_request(request.head.framing);
    let first = request.buffer.bytes().get(request.head_len..);
    for piece in first.into_iter().chain(request.buffered_body.pieces()) {
        // Cannot fail: the body has been followed once already.
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
            let found: Vec<_> = conversation_ids_in(target.as_bytes()).collect();
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
            assert_eq!(parse_lookup_ids(body.as_bytes()).unwrap(), ids, "{body}");
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
            assert_eq!(parse_lookup_ids(body.as_bytes()), None, "{body}");
        }
    }
}
