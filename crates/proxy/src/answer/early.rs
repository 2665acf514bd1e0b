//! Answers whose client has had a head already, while its request waited: a stream goes on, and anything else
//! becomes an error event.

use super::{Answer, Passing, Piece, State, Wrong, chunk};
use crate::buffer::Buffer;
use crate::client::Client;
use crate::reply::error_event;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_wire::ResponseHead;
use serde_json::{Value, json};

/// Bytes of an answer's body that are kept at most to make an error event of them.
const MAX_ERROR: usize = 64 * 1024;

/// The end of a chunked body.
pub(crate) const LAST_CHUNK: &str = "0\r\n\r\n";

/// An answer that cannot go on in the stream that the client was promised.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) passing: Passing,
    status: u16,
    data: Vec<u8>,
}

impl Answer {
    /// Goes on behind the head that the client has had: this one, the first `len` bytes of `buffer`, is left out.
    #[cold]
    pub(super) fn go_on(
        &mut self,
        client: &mut Client,
        head: &ResponseHead,
        mut passing: Passing,
        mut buffer: Buffer,
        len: usize,
    ) -> Result<Piece, Wrong> {
        // What the client gets is in chunks, whatever the child sends.
        passing.closes &= self.client_closes || !passing.until_close;
        passing.until_close = false;
        buffer.consume(len);
        if head.status == 200 && passing.is_event_stream && passing.body.is_chunked() {
            passing.follow(&mut buffer, 0, self.client, client)?;
            self.state = State::Body(passing);
            return Ok(Piece::Out(buffer));
        }
        let mut replaced = Box::new(Replaced {
            passing,
            status: head.status,
            data: Vec::new(),
        });
        let piece = replaced.take(buffer, self.dialect, client)?;
        self.state = State::Replaced(replaced);
        Ok(piece)
    }

    /// Returns the stream's end where it comes with that of the child's connection.
    pub(crate) fn end_at_close(&self) -> Option<Vec<u8>> {
        match &self.state {
            State::Replaced(replaced) => Some(replaced.end(self.dialect)),
            State::Head(_) | State::Body(_) => None,
        }
    }
}

impl Replaced {
    /// Reads on, and lets nothing pass before the body's end.
    pub(super) fn take(
        &mut self,
        mut buffer: Buffer,
        dialect: Dialect,
        client: &mut Client,
    ) -> Result<Piece, Wrong> {
        let bytes = buffer.bytes_mut();
        let followed = self.passing.body.follow_and_unframe(bytes);
        let (taken, kept) = followed.map_err(|_| Wrong::Chunks)?;
        if taken < bytes.len() {
            self.passing.reusable = false;
        }
        let data = bytes.get(..kept).unwrap_or_default();
        client.record.read_data(data, client.watchdog.last());
        let room = MAX_ERROR.saturating_sub(self.data.len());
        self.data.extend_from_slice(&data[..kept.min(room)]);
        buffer.truncate(0);
        if self.passing.body.is_complete() {
            buffer.extend(&self.end(dialect));
        }
        Ok(Piece::Out(buffer))
    }

    /// Returns the error event, and the stream's regular end: the client gets all there is of this answer.
    fn end(&self, dialect: Dialect) -> Vec<u8> {
        let error = typed_error(self.status, &self.data, dialect);
        let event = chunk(&error_event(dialect, &error));
        [event.as_bytes(), LAST_CHUNK.as_bytes()].concat()
    }
}

/// Returns the child's own error if `body` is one, else what paddock knows of it.
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
