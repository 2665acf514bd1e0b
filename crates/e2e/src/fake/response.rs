//! Writes responses with the real server's header fields, in its order, and errors in its format.

use super::json_writer::quote;

/// `application/json; charset=utf-8`, the type of nearly every answer.
const JSON: &str = "application/json; charset=utf-8";

/// A response with a complete body.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Fields before `Content-Type`.
    pub(super) fields: Vec<(&'static str, String)>,
    content_type: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn json(body: String) -> Self {
        Self::new(200, JSON, body.into_bytes())
    }

    pub(super) fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            fields: Vec::new(),
            content_type: Some(content_type),
            body,
        }
    }

    /// Creates a response of the HTTP library itself: a status without a body.
    pub(super) fn bare(status: u16) -> Self {
        Self {
            status,
            fields: Vec::new(),
            content_type: None,
            body: Vec::new(),
        }
    }

    /// Creates a route's error.
    pub(super) fn error(status: u16, kind: &str, message: &str) -> Self {
        let message = quote(message);
        let body =
            format!(r#"{{"error":{{"code":{status},"message":{message},"type":"{kind}"}}}}"#);
        Self::new(status, JSON, body.into_bytes())
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::error(400, "invalid_request_error", message)
    }

    pub(super) fn not_supported(message: &str) -> Self {
        Self::error(501, "not_supported_error", message)
    }

    /// Creates the response to an unknown path; its order of keys differs from a route's errors.
    pub(super) fn not_found() -> Self {
        let body = r#"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#;
        Self::new(404, JSON, body.into())
    }

    /// Creates the response of every path before the model is loaded.
    pub(super) fn loading() -> Self {
        let body = r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#;
        Self::new(503, JSON, body.into())
    }

    /// Returns the head and, unless the method is HEAD, the body.
    pub(super) fn to_bytes(&self, facts: HeadFacts<'_>) -> Vec<u8> {
        let mut bytes = start(self.status, facts, &self.fields);
        if let Some(content_type) = self.content_type {
            field(&mut bytes, "Content-Type", content_type);
        }
        if !self.body.is_empty() {
            field(&mut bytes, "Content-Length", &self.body.len().to_string());
        }
        connection(&mut bytes, facts.close);
        if self.body.is_empty() {
            field(&mut bytes, "Content-Length", "0");
        }
        if facts.is_head {
            field(&mut bytes, "Accept-Ranges", "bytes");
        }
        bytes.extend_from_slice(b"\r\n");
        if !facts.is_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// Inputs of a response head other than the response.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadFacts<'a> {
    /// The request's `Origin`, or empty; `None` if no route was searched.
    pub(super) origin: Option<&'a str>,
    pub(super) is_head: bool,
    pub(super) close: bool,
}

/// Returns the head of a stream.
pub(super) fn stream_head(facts: HeadFacts<'_>) -> Vec<u8> {
    let mut bytes = start(200, facts, &[("X-Accel-Buffering", "no".into())]);
    field(&mut bytes, "Content-Type", "text/event-stream");
    field(&mut bytes, "Transfer-Encoding", "chunked");
    connection(&mut bytes, facts.close);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn start(status: u16, facts: HeadFacts<'_>, fields: &[(&str, String)]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
    field(&mut bytes, "Server", "llama.cpp");
    if let Some(origin) = facts.origin {
        field(&mut bytes, "Access-Control-Allow-Origin", origin);
    }
    for (name, value) in fields {
        field(&mut bytes, name, value);
    }
    bytes
}

fn connection(bytes: &mut Vec<u8>, close: bool) {
    if close {
        field(bytes, "Connection", "close");
    } else {
        field(bytes, "Keep-Alive", "timeout=5, max=100");
    }
}

fn field(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
