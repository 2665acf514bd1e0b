//! Continues a stream whose head the client got while its request waited. A response that is no stream becomes
//! an error event.

use super::{ResponseBody, ResponseError, ResponsePiece, ResponseState, UpstreamResponse, chunk};
use crate::buffer::Buffer;
use crate::client::Client;
use crate::local_reply::error_event;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_wire::ResponseHead;
use serde_json::{Value, json};

/// Limit of bytes collected from a body for an error event.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// End of a chunked body.
pub(crate) const LAST_CHUNK: &str = "0\r\n\r\n";

/// Collects a response that cannot continue the client's stream.
#[derive(Debug)]
pub(super) struct CollectedError {
    pub(super) response_body: ResponseBody,
    status: u16,
    data: Vec<u8>,
}

impl UpstreamResponse {
    /// Continues the early stream: drops the head, the first `len` bytes of `buffer`.
    #[cold]
    pub(super) fn continue_early_stream(
        &mut self,
        client: &mut Client,
        head: &ResponseHead,
        mut response_body: ResponseBody,
        mut buffer: Buffer,
        len: usize,
    ) -> Result<ResponsePiece, ResponseError> {
        // The client gets chunks, whatever the child sends.
        response_body.closes &= self.client_closes || !response_body.until_close;
        response_body.until_close = false;
        buffer.consume(len);
        if head.status == 200 && response_body.is_event_stream && response_body.body.is_chunked() {
            response_body.follow(&mut buffer, 0, self.client, client)?;
            self.state = ResponseState::Body(response_body);
            return Ok(ResponsePiece::Forward(buffer));
        }
        let mut collected = Box::new(CollectedError {
            response_body,
            status: head.status,
            data: Vec::new(),
        });
        let piece = collected.process(buffer, self.dialect, client)?;
        self.state = ResponseState::Collected(collected);
        Ok(piece)
    }

    /// Returns the stream's end, if the response ends with the child's connection.
    pub(crate) fn end_at_close(&self) -> Option<Vec<u8>> {
        match &self.state {
            ResponseState::Collected(collected) => Some(collected.end(self.dialect)),
            ResponseState::Head(_) | ResponseState::Body(_) => None,
        }
    }
}

impl CollectedError {
    /// Collects the body; forwards nothing before its end.
    pub(super) fn process(
        &mut self,
        mut buffer: Buffer,
        dialect: Dialect,
        client: &mut Client,
    ) -> Result<ResponsePiece, ResponseError> {
        let bytes = buffer.bytes_mut();
        let followed = self.response_body.body.follow_and_unframe(bytes);
        let (taken, kept) = followed.map_err(|_| ResponseError::Chunks)?;
        if taken < bytes.len() {
            self.response_body.reusable = false;
        }
        let data = bytes.get(..kept).unwrap_or_default();
        client.record.read_data(data, client.timer.last_progress());
        let room = MAX_ERROR_BYTES.saturating_sub(self.data.len());
        self.data.extend_from_slice(&data[..kept.min(room)]);
        buffer.truncate(0);
        if self.response_body.body.is_complete() {
            buffer.extend(&self.end(dialect));
        }
        Ok(ResponsePiece::Forward(buffer))
    }

    /// Returns the error event and the stream's regular end: nothing more follows.
    fn end(&self, dialect: Dialect) -> Vec<u8> {
        let error = typed_error(self.status, &self.data, dialect);
        let event = chunk(&error_event(dialect, &error));
        [event.as_bytes(), LAST_CHUNK.as_bytes()].concat()
    }
}

/// Returns the child's own error if `body` is one, else paddock's.
fn typed_error(status: u16, body: &[u8], dialect: Dialect) -> Value {
    let mut error = match serde_json::from_slice(body) {
        Ok(Value::Object(error)) if error.contains_key("error") => Value::Object(error),
        _ => return ProxyError::UpstreamNoStream(status).body(dialect),
    };
    if dialect == Dialect::Anthropic {
        error["type"] = json!("error");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_childs_own_words_are_kept_if_they_are_an_error() {
        let own = br#"{"error": {"message": "too long",
            "type": "exceed_context_size_error"}}"#;
        let openai = typed_error(400, own, Dialect::OpenAi);
        let text = r#"{"error":{"message":"too long","type":"exceed_context_size_error"}}"#;
        assert_eq!(openai.to_string(), text);
        let anthropic = typed_error(400, own, Dialect::Anthropic);
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"], openai["error"]);
        for other in [&b"{}"[..], b"[1]", b"<html>", b"", &own[..20]] {
            let error = typed_error(418, other, Dialect::OpenAi)["error"].to_string();
            assert!(error.contains("418"), "{error}");
        }
    }
}
