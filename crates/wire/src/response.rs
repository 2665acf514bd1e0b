use crate::edits::{Edits, Full};
use crate::fields::{Connection, FramingFields, MAX_FIELDS, Names, cut_hop_by_hop};
use crate::name::Name;
use crate::{Framing, Refusal, Span, Version};
use httparse::Header;
use std::mem::MaybeUninit;

/// Why an answer's head cannot be passed on. The upstream is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not an HTTP/1.x head.
    #[error("the answer is not HTTP/1.1")]
    NotHttp,
    /// Its framing is ambiguous or malformed.
    #[error("the answer's framing cannot be trusted: {0}")]
    Framing(Refusal),
    /// It switches protocols, which nobody asked for.
    #[error("the answer switches protocols, which was not asked for")]
    SwitchesProtocols,
    /// More hop-by-hop lines than a head can be edited for.
    #[error("the answer has too many hop-by-hop header fields")]
    TooManyHopByHop,
}

impl From<Full> for Malformed {
    fn from(_: Full) -> Self {
        Self::TooManyHopByHop
    }
}

/// An answer's head, judged.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// How the body is framed.
    pub framing: Framing,
    /// The upstream's connection serves no other request after this answer: the upstream closes it, or
    /// announced a body where none can be, which may follow all the same.
    pub close: bool,
    /// The upstream named the request itself (`x-request-id`).
    pub has_request_id: bool,
    /// The body is a `text/event-stream`.
    pub is_event_stream: bool,
    /// The body is `application/json`.
    pub is_json: bool,
    /// The body has a content coding, so nothing can be put into it.
    pub is_encoded: bool,
    /// The upstream says itself which pages may read the answer (`access-control-allow-origin`).
    pub has_allow_origin: bool,
    /// What is cut and replaced on the way to the client.
    pub edits: Edits,
}

impl ResponseHead {
    /// Judges a whole head, the answer to a request whose method was HEAD or not, for a client
    /// of the given version: HTTP/1.0 knows no chunked coding, so its field is cut.
    ///
    /// # Errors
    /// What cannot be passed on safely.
    pub fn parse(head: &[u8], to_head: bool, client: Version) -> Result<Self, Malformed> {
        let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut parsed, head, &mut fields) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            _ => return Err(Malformed::NotHttp),
        }
        let status = parsed.code.ok_or(Malformed::NotHttp)?;
        match status {
            0..=99 => return Err(Malformed::NotHttp),
            101 => return Err(Malformed::SwitchesProtocols),
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
            edits: Edits::default(),
        };
        if parsed.version == Some(0) {
            response.close = true;
            let at = "HTTP/1.".len();
            response.edits.replace(Span::new(at, at + 1), b'1')?;
        }
        response.judge_fields(head, parsed.headers, to_head, client)?;
        if parsed.version == Some(0) && response.framing == Framing::Chunked {
            return Err(Malformed::Framing(Refusal::TransferCodingInHttp10));
        }
        Ok(response)
    }

    fn judge_fields(
        &mut self,
        head: &[u8],
        fields: &[Header<'_>],
        to_head: bool,
        client: Version,
    ) -> Result<(), Malformed> {
        let mut framing = FramingFields::default();
        let names = Names::of(fields);
        for (name, field) in names.with(fields) {
            framing
                .take(name, field.value)
                .map_err(Malformed::Framing)?;
            match name {
                Name::RequestId => self.has_request_id = true,
                Name::ContentEncoding => self.is_encoded = true,
                Name::AllowOrigin => self.has_allow_origin = true,
                Name::ContentType => {
                    self.is_event_stream = is_of(field.value, b"text/event-stream");
                    self.is_json = is_of(field.value, b"application/json");
                }
                _ => {}
            }
        }
        let announced = framing.framing().map_err(Malformed::Framing)?;
        self.framing = match self.status {
            100..200 | 204 | 304 => Framing::None,
            _ if to_head => Framing::None,
            _ => announced.unwrap_or(Framing::UntilClose),
        };
        self.close |= self.may_leave_bytes(announced);
        let connection = Connection::read(fields, &names).map_err(|refusal| match refusal {
            Refusal::TooManyHopByHop => Malformed::TooManyHopByHop,
            refusal => Malformed::Framing(refusal),
        })?;
        self.close |= connection.close || self.framing == Framing::UntilClose;
        let also: &[Name] = match (announced, client) {
            (Some(Framing::Length(1..)), _) if self.forbids_framing_fields() => {
                &[Name::ContentLength, Name::Trailer]
            }
            (Some(Framing::Chunked), _) if self.forbids_framing_fields() => {
                &[Name::TransferEncoding, Name::Trailer]
            }
            (_, Version::Http10) => &[Name::TransferEncoding, Name::Trailer],
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

    /// Returns true if the answer ends with its head although its fields announce a body that the upstream
    /// may send all the same. A length is no such sign in answers to HEAD and in 304, which state that of
    /// the answer to GET (RFC 9110 §8.6). llama-server sends `0\r\n\r\n` behind a 204 that has
    /// `Transfer-Encoding` (llama.cpp b11434, tools/server/server-models.cpp, `server_http_proxy`), and
    /// closes its connection after any other chunked answer.
    fn may_leave_bytes(&self, announced: Option<Framing>) -> bool {
        match announced {
            Some(Framing::Chunked) => self.framing == Framing::None,
            Some(Framing::Length(1..)) => self.forbids_framing_fields(),
            _ => false,
        }
    }

    /// Returns true for 1xx and 204, which must have neither `Transfer-Encoding` (RFC 9112 §6.1) nor
    /// `Content-Length` (RFC 9110 §8.6). A client that believes such a field waits for a body. A
    /// `Content-Length` of 0 misleads nobody, so it passes.
    fn forbids_framing_fields(&self) -> bool {
        matches!(self.status, 100..200 | 204)
    }

    /// An interim answer (1xx): another head follows.
    pub fn is_interim(&self) -> bool {
        self.status < 200
    }
}

/// Whether a Content-Type starts like this.
fn is_of(content_type: &[u8], kind: &[u8]) -> bool {
    content_type
        .get(..kind.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(kind))
}
