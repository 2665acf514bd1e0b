//! Parses and validates request heads; refuses heads that two parsers could read differently.

use crate::field_name::FieldName;
use crate::framing_fields::{
    ConnectionField, FieldNames, FramingFields, MAX_FIELDS, cut_hop_by_hop,
};
use crate::head_edits::HeadEdits;
use crate::{ByteSpan, Framing, InvalidRequest};
use httparse::Header;
use std::mem::MaybeUninit;

/// The HTTP version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, no interim responses, one request per connection.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// An accepted request head. Its spans refer to the bytes it was parsed from.
#[derive(Debug, Clone)]
pub struct RequestHead {
    /// The method.
    pub method: ByteSpan,
    /// The target: a path with its query, or `*`.
    pub target: ByteSpan,
    /// The version in the request line.
    pub version: Version,
    /// The framing of the body; never [`Framing::UntilClose`].
    pub framing: Framing,
    /// The client wants the connection closed after the response.
    pub close: bool,
    /// The client withholds its body until it receives `100 Continue`.
    pub expects_continue: bool,
    /// The client's request ID (`x-request-id`).
    pub request_id: Option<ByteSpan>,
    /// The first `content-type`.
    pub content_type: Option<ByteSpan>,
    /// The raw value of `x-paddock-model`; [`parse_model_header`](crate::parse_model_header)
    /// decodes it.
    pub model: Option<ByteSpan>,
    /// The number of field lines.
    pub field_count: usize,
    /// A `Host` field is present (HTTP/1.0 may omit it).
    pub has_host: bool,
    /// The value of `Host`, or empty.
    pub host: ByteSpan,
    /// The origin of the web page that sends the request (`origin`), as stated by a browser.
    pub origin: Option<ByteSpan>,
    /// The relation between that page's site and this one (`sec-fetch-site`), as stated by a
    /// browser.
    pub fetch_site: Option<ByteSpan>,
    /// The changes to make before forwarding the head to the upstream.
    pub edits: HeadEdits,
}

impl RequestHead {
    /// Parses a complete head, which ends with the empty line that [`HeadScan`](crate::HeadScan)
    /// found.
    ///
    /// # Errors
    /// The head is malformed, cannot be forwarded, or could be read differently by two parsers. A
    /// target in absolute-form is [`InvalidRequest::Target`];
    /// [`to_origin_form`](crate::to_origin_form) rewrites it to a path.
    pub fn parse(head: &[u8]) -> Result<Self, InvalidRequest> {
        let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(head, &mut fields) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            Ok(_) => return Err(InvalidRequest::RequestLine),
            Err(error) => return Err(from_httparse(error)),
        }
        let (Some(method), Some(target), Some(version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(InvalidRequest::RequestLine);
        };
        let version = match version {
            0 => Version::Http10,
            _ => Version::Http11,
        };
        check_target(method, target.as_bytes())?;
        let mut request = Self {
            method: ByteSpan::of_part(head, method.as_bytes()),
            target: ByteSpan::of_part(head, target.as_bytes()),
            version,
            framing: Framing::None,
            close: version == Version::Http10,
            expects_continue: false,
            request_id: None,
            content_type: None,
            model: None,
            field_count: parsed.headers.len(),
            has_host: false,
            host: ByteSpan::default(),
            origin: None,
            fetch_site: None,
            edits: HeadEdits::default(),
        };
        request.judge_fields(head, parsed.headers)?;
        Ok(request)
    }

    fn judge_fields(&mut self, head: &[u8], fields: &[Header<'_>]) -> Result<(), InvalidRequest> {
        let mut framing = FramingFields::default();
        let names = FieldNames::classify(fields);
        for (name, field) in names.zip(fields) {
            framing.take(name, field.value)?;
            match name {
                FieldName::Host if self.has_host => return Err(InvalidRequest::HostRepeated),
                FieldName::Host => {
                    check_host(field.value)?;
                    self.has_host = true;
                    self.host = ByteSpan::of_part(head, field.value);
                }
                // HTTP/1.0 has no interim responses to wait for (RFC 9110 §10.1.1).
                FieldName::Expect if self.version == Version::Http11 => {
                    self.expects_continue |= field.value.eq_ignore_ascii_case(b"100-continue");
                }
                FieldName::XRequestId => {
                    self.request_id = Some(ByteSpan::of_part(head, field.value));
                }
                FieldName::ContentType if self.content_type.is_none() => {
                    self.content_type = Some(ByteSpan::of_part(head, field.value));
                }
                FieldName::XPaddockModel => {
                    let first = *self
                        .model
                        .get_or_insert(ByteSpan::of_part(head, field.value));
                    if first.slice(head) != field.value {
                        return Err(InvalidRequest::ModelRepeated);
                    }
                }
                FieldName::Origin => {
                    let first = *self
                        .origin
                        .get_or_insert(ByteSpan::of_part(head, field.value));
                    if first.slice(head) != field.value {
                        return Err(InvalidRequest::OriginRepeated);
                    }
                }
                FieldName::SecFetchSite => {
                    self.fetch_site = Some(ByteSpan::of_part(head, field.value));
                }
                _ => {}
            }
        }
        self.framing = framing.resolve()?.unwrap_or(Framing::None);
        match self.version {
            Version::Http11 if !self.has_host => return Err(InvalidRequest::HostMissing),
            Version::Http10 if self.framing == Framing::Chunked => {
                return Err(InvalidRequest::TransferCodingInHttp10);
            }
            Version::Http10 => {
                // Replaces the last byte of `HTTP/1.0`: each hop uses its own version.
                let at = self.target.end() + " HTTP/1.".len();
                self.edits
                    .replace(ByteSpan::new(at, at + 1), b'1')
                    .map_err(|_| InvalidRequest::TooManyHopByHop)?;
            }
            Version::Http11 => {}
        }
        let connection = ConnectionField::parse(fields, &names)?;
        self.close |= connection.close;
        cut_hop_by_hop(head, fields, &names, connection, &[], &mut self.edits)
            .map_err(|_| InvalidRequest::TooManyHopByHop)
    }

    /// Removes a line, found by [`field_lines`](crate::field_lines), from the forwarded head.
    ///
    /// # Errors
    /// Too many lines are removed.
    pub fn cut_line(&mut self, line: ByteSpan) -> Result<(), InvalidRequest> {
        let cut = self.edits.cut_anywhere(line);
        cut.map_err(|_| InvalidRequest::TooManyHopByHop)
    }

    /// Removes a part of the target from the forwarded head; `part` is relative to the target's
    /// start. A head has room for one such cut.
    pub fn cut_from_target(&mut self, part: ByteSpan) {
        let start = self.target.start();
        let end = (start + part.end()).min(self.target.end());
        self.edits
            .cut_first(ByteSpan::new((start + part.start()).min(end), end));
    }

    /// Returns the path: the target without its query.
    pub fn path<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        let target = self.target.slice(head);
        let end = memchr::memchr(b'?', target).unwrap_or(target.len());
        &target[..end]
    }
}

fn from_httparse(error: httparse::Error) -> InvalidRequest {
    match error {
        httparse::Error::Version => InvalidRequest::Version,
        httparse::Error::TooManyHeaders => InvalidRequest::TooManyFields,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => InvalidRequest::FieldLine,
        httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => {
            InvalidRequest::RequestLine
        }
    }
}

fn check_target(method: &str, target: &[u8]) -> Result<(), InvalidRequest> {
    if method == "CONNECT" {
        return Err(InvalidRequest::Connect);
    }
    let is_path = target.first() == Some(&b'/') && !target.contains(&b'#');
    if is_path || (target == b"*" && method == "OPTIONS") {
        Ok(())
    } else {
        Err(InvalidRequest::Target)
    }
}

fn check_host(value: &[u8]) -> Result<(), InvalidRequest> {
    if has_only_host_bytes(value) {
        Ok(())
    } else {
        Err(InvalidRequest::HostMalformed)
    }
}

/// Returns true if every byte of `value` may occur in a host name, an IP address or a port.
pub(crate) fn has_only_host_bytes(value: &[u8]) -> bool {
    let is_allowed =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%:[]".contains(byte);
    value.iter().all(is_allowed)
}
