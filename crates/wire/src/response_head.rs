//! Parses and validates response heads from the upstream.

use crate::field_name::FieldName;
use crate::framing_fields::{
    ConnectionField, FieldNames, FramingFields, MAX_FIELDS, cut_hop_by_hop,
};
use crate::head_edits::{HeadEdits, TooManyEdits};
use crate::{ByteSpan, Framing, InvalidRequest, Version};
use httparse::Header;
use std::mem::MaybeUninit;

/// The reason a response head cannot be forwarded. The upstream is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// The head is not HTTP/1.x.
    #[error("the response is not HTTP/1.x")]
    NotHttp,
    /// The framing is ambiguous or malformed.
    #[error("the response has invalid framing: {0}")]
    Framing(InvalidRequest),
    /// The response switches protocols, although no request asks for that.
    #[error("the response switches protocols, which no request asked for")]
    SwitchesProtocols,
    /// The head has more hop-by-hop lines than the proxy can remove.
    #[error("the response has too many hop-by-hop header fields")]
    TooManyHopByHop,
}

impl From<TooManyEdits> for InvalidResponse {
    fn from(_: TooManyEdits) -> Self {
        Self::TooManyHopByHop
    }
}

/// An accepted response head.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The framing of the body.
    pub framing: Framing,
    /// The upstream connection cannot be reused after this response: the upstream closes it, or
    /// announced a body where none is allowed and may send that body anyway.
    pub close: bool,
    /// The upstream sent a request ID of its own (`x-request-id`).
    pub has_request_id: bool,
    /// The body is a `text/event-stream`.
    pub is_event_stream: bool,
    /// The body is `application/json`.
    pub is_json: bool,
    /// The body has a content coding, so the proxy cannot insert data.
    pub is_encoded: bool,
    /// The upstream states which pages may read the response (`access-control-allow-origin`).
    pub has_allow_origin: bool,
    /// The changes to make before forwarding the head to the client.
    pub edits: HeadEdits,
}

impl ResponseHead {
    /// Parses a complete response head. `to_head` tells that the request method was HEAD. For an
    /// HTTP/1.0 `client`, which knows no chunked coding, `Transfer-Encoding` is removed.
    ///
    /// # Errors
    /// The response cannot be forwarded safely.
    pub fn parse(head: &[u8], to_head: bool, client: Version) -> Result<Self, InvalidResponse> {
        let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut parsed, head, &mut fields) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            _ => return Err(InvalidResponse::NotHttp),
        }
        let status = parsed.code.ok_or(InvalidResponse::NotHttp)?;
        match status {
            0..=99 => return Err(InvalidResponse::NotHttp),
            101 => return Err(InvalidResponse::SwitchesProtocols),
            _ => {}
        }
        let mut response = Self {
            status,
            framing: Framing::None,
            close: false,
            has_request_id: false,
            is_event_stream: false,
            is_json: false,
            is_encoded: false,
            has_allow_origin: false,
            edits: HeadEdits::default(),
        };
        if parsed.version == Some(0) {
            response.close = true;
            let at = "HTTP/1.".len();
            response.edits.replace(ByteSpan::new(at, at + 1), b'1')?;
        }
        response.judge_fields(head, parsed.headers, to_head, client)?;
        if parsed.version == Some(0) && response.framing == Framing::Chunked {
            return Err(InvalidResponse::Framing(
                InvalidRequest::TransferCodingInHttp10,
            ));
        }
        Ok(response)
    }

    fn judge_fields(
        &mut self,
        head: &[u8],
        fields: &[Header<'_>],
        to_head: bool,
        client: Version,
    ) -> Result<(), InvalidResponse> {
        let mut framing = FramingFields::default();
        let names = FieldNames::classify(fields);
        for (name, field) in names.zip(fields) {
            framing
                .take(name, field.value)
                .map_err(InvalidResponse::Framing)?;
            match name {
                FieldName::XRequestId => self.has_request_id = true,
                FieldName::ContentEncoding => self.is_encoded = true,
                FieldName::AccessControlAllowOrigin => self.has_allow_origin = true,
                FieldName::ContentType => {
                    self.is_event_stream = has_media_type(field.value, b"text/event-stream");
                    self.is_json = has_media_type(field.value, b"application/json");
                }
                _ => {}
            }
        }
        let announced = framing.resolve().map_err(InvalidResponse::Framing)?;
        self.framing = match self.status {
            100..200 | 204 | 304 => Framing::None,
            _ if to_head => Framing::None,
            _ => announced.unwrap_or(Framing::UntilClose),
        };
        self.close |= self.may_leave_bytes(announced);
        let connection =
            ConnectionField::parse(fields, &names).map_err(|refusal| match refusal {
                InvalidRequest::TooManyHopByHop => InvalidResponse::TooManyHopByHop,
                refusal => InvalidResponse::Framing(refusal),
            })?;
        self.close |= connection.close || self.framing == Framing::UntilClose;
        let also: &[FieldName] = match (announced, client) {
            (Some(Framing::Length(1..)), _) if self.forbids_framing_fields() => {
                &[FieldName::ContentLength, FieldName::Trailer]
            }
            (Some(Framing::Chunked), _) if self.forbids_framing_fields() => {
                &[FieldName::TransferEncoding, FieldName::Trailer]
            }
            (_, Version::Http10) => &[FieldName::TransferEncoding, FieldName::Trailer],
            (_, Version::Http11) => &[],
        };
        Ok(cut_hop_by_hop(
            head,
            fields,
            &names,
            connection,
            also,
            &mut self.edits,
        )?)
    }

    /// Returns true if the response ends with its head although its fields announce a body that the
    /// upstream may still send. A `Content-Length` is no such sign in responses to HEAD and in 304,
    /// where it states the length of the response to GET (RFC 9110 §8.6). llama-server sends
    /// `0\r\n\r\n` after a 204 that has `Transfer-Encoding` (llama.cpp b11434,
    /// tools/server/server-models.cpp, `server_http_proxy`), and closes its connection after any
    /// other chunked response.
    fn may_leave_bytes(&self, announced: Option<Framing>) -> bool {
        match announced {
            Some(Framing::Chunked) => self.framing == Framing::None,
            Some(Framing::Length(1..)) => self.forbids_framing_fields(),
            _ => false,
        }
    }

    /// Returns true for 1xx and 204, which must have neither `Transfer-Encoding` (RFC 9112 §6.1)
    /// nor `Content-Length` (RFC 9110 §8.6). A client that believes such a field waits for a body.
    /// A `Content-Length` of 0 is harmless and passes.
    fn forbids_framing_fields(&self) -> bool {
        matches!(self.status, 100..200 | 204)
    }

    /// Returns true for an interim response (1xx), which another head follows.
    pub fn is_interim(&self) -> bool {
        self.status < 200
    }
}

/// Returns true if a `Content-Type` starts with `kind`, in any case.
fn has_media_type(content_type: &[u8], kind: &[u8]) -> bool {
    content_type
        .get(..kind.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(kind))
}
