//! Builds the queue entry of a request that needs a lease (the permission to send one request to a loaded model):
//! its client, and whether it occupies a slot of llama-server.

use super::client::Client;
use super::request::Request;
use paddock_admission::lease_queue::LeaseRequest;
use paddock_admission::model::Model;
use paddock_scheduler::ClientId;
use paddock_telemetry::Route;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Path suffixes of requests that occupy no slot: llama-server answers them even while all slots are busy
/// (llama.cpp b11434, tools/server/server-context.cpp).
const SLOTLESS_PATH_SUFFIXES: [&[u8]; 11] = [
    b"/tokenize",
    b"/detokenize",
    b"/apply-template",
    b"/props",
    b"/lora-adapters",
    b"/input_tokens",
    b"/count_tokens",
    b"/control",
    b"/lookup",
    b"/tools",
    b"/cors-proxy",
];

/// Returns the queue entry of a request.
pub(super) fn lease_request(
    client: &Client,
    request: &Request,
    model: &Arc<Model>,
    takes_slot: bool,
) -> LeaseRequest {
    let bytes = request.buffer.bytes();
    let head = bytes.get(..request.head_len).unwrap_or_default();
    let name = client.id_line.strip_prefix(b"x-request-id: ");
    let name = name.unwrap_or_default().trim_ascii_end();
    LeaseRequest {
        model: Arc::clone(model),
        client: client_id(client, head),
        takes_slot,
        name: String::from_utf8_lossy(name).into_owned(),
    }
}

/// Identifies the client for fair queueing, by API key name, else by the credentials sent, else by IP address.
fn client_id(client: &Client, head: &[u8]) -> ClientId {
    let mut hasher = DefaultHasher::new();
    if let Some(key) = client.record.key() {
        key.name.hash(&mut hasher);
        return ClientId(hasher.finish());
    }
    match field_value(head, b"authorization").or_else(|| field_value(head, b"x-api-key")) {
        Some(credentials) => credentials.hash(&mut hasher),
        None => client.stream.peer_ip().hash(&mut hasher),
    }
    ClientId(hasher.finish())
}

/// Returns the value of the first field of this name, which must be in lower case.
fn field_value<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (start, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":")?;
        start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

/// Returns true if a request occupies one of the child's slots.
pub(super) fn occupies_slot(client: &Client, request: &Request) -> bool {
    let bytes = request.buffer.bytes();
    let method = request.head.method.slice(bytes);
    match client.status.route() {
        // The most frequent route has none of the suffixes.
        Route::ChatCompletions => method == b"POST",
        _ => takes_slot(method, request.head.path(bytes)),
    }
}

fn takes_slot(method: &[u8], path: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    method == b"POST"
        && !SLOTLESS_PATH_SUFFIXES.iter().any(|end| path.ends_with(end))
        && !path.starts_with(b"/slots/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_generates_takes_a_slot() {
        for path in [
            "/v1/chat/completions",
            "/completion",
            "/v1/embeddings",
            "/new",
        ] {
            assert!(takes_slot(b"POST", path.as_bytes()), "{path}");
            assert!(!takes_slot(b"GET", path.as_bytes()), "{path}");
        }
        for path in [
            "/tokenize",
            "/slots/0",
            "/v1/messages/count_tokens",
            "/props/",
        ] {
            assert!(!takes_slot(b"POST", path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let head = b"POST / HTTP/1.1\r\nX-Authorization: a\r\nAUTHORIZATION:  Bearer b \r\n\r\n";
        assert_eq!(field_value(head, b"authorization"), Some(&b"Bearer b"[..]));
        assert_eq!(field_value(head, b"x-api-key"), None);
    }
}
