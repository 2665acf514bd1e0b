//! The child's responses, with the heads of the real server.

use std::fmt::Write as _;

/// Number of events of one burst.
pub(crate) const BURST_EVENTS: usize = 256;

const CHAT_COMPLETION: &str = r#"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"The capital of France is Paris."}}],"created":1800000000,"model":"instant","system_fingerprint":"b1","object":"chat.completion","usage":{"completion_tokens":8,"prompt_tokens":14,"total_tokens":22},"id":"chatcmpl-0123456789abcdefghijklmnopqrstuv"}"#;

/// The rest of an event after its first key.
const EVENT_BODY: &str = r#""choices":[{"finish_reason":null,"index":0,"delta":{"content":" the"}}],"created":1800000000,"id":"chatcmpl-0123456789abcdefghijklmnopqrstuv","model":"instant","object":"chat.completion.chunk"}"#;

const LOADING_BODY: &str =
    r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#;

/// Prepared responses, including framing.
#[derive(Debug)]
pub(super) struct CannedResponses {
    pub(super) message: Vec<u8>,
    pub(super) healthy: Vec<u8>,
    pub(super) loading: Vec<u8>,
    pub(super) stream_head: Vec<u8>,
    /// An event of a burst.
    pub(super) event: Vec<u8>,
    pub(super) stream_end: &'static [u8],
    /// The whole stream of a burst.
    pub(super) joined_burst: Vec<u8>,
}

impl CannedResponses {
    pub(super) fn new() -> Self {
        let stream_head = head("200 OK", "text/event-stream", "Transfer-Encoding: chunked");
        let (event, stream_end) = (event(0), b"0\r\n\r\n");
        let mut joined_burst = stream_head.clone();
        joined_burst.extend(event.repeat(BURST_EVENTS));
        joined_burst.extend(stream_end);
        Self {
            message: json("200 OK", CHAT_COMPLETION),
            healthy: json("200 OK", r#"{"status":"ok"}"#),
            loading: json("503 Service Unavailable", LOADING_BODY),
            stream_head,
            event,
            stream_end,
            joined_burst,
        }
    }
}

/// Returns a response with the start, ready and receive times.
pub(super) fn stamp(began: u64, ready: u64, came: u64) -> Vec<u8> {
    let text = format!(r#"{{"began":{began},"ready":{ready},"came":{came}}}"#);
    json("200 OK", &text)
}

/// Returns an event as a chunk, with its sending time.
pub(super) fn event(leaves: u64) -> Vec<u8> {
    let mut text = String::with_capacity(256);
    // Writing to a string cannot fail.
    let _ = write!(text, "data: {{\"sent\":{leaves:020},{EVENT_BODY}\n\n");
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

fn json(status: &str, body: &str) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let mut bytes = head(status, "application/json; charset=utf-8", &length);
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

fn head(status: &str, content_type: &str, framing: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n\
         Content-Type: {content_type}\r\n{framing}\r\nKeep-Alive: timeout=5, max=100\r\n\r\n"
    )
    .into_bytes()
}
