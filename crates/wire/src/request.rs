use crate::edits::Edits;
use crate::fields::{Connection, FramingFields, MAX_FIELDS, Names, cut_hop_by_hop};
use crate::name::Name;
use crate::{Framing, Refusal, Span};
use httparse::Header;
use std::mem::MaybeUninit;

/// The version a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, no interim answers, one request a connection.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A request's head, judged. Spans point into the bytes it was made from.
#[derive(Debug, Clone)]
pub struct RequestHead {
    /// The method's place.
    pub method: Span,
    /// The target's place: a path with its query, or `*`.
    pub target: Span,
    /// The version of the client's line.
    pub version: Version,
    /// How the body is framed; never [`Framing::UntilClose`].
    pub framing: Framing,
    /// The client wants the connection closed after the answer.
    pub close: bool,
    /// The client holds its body back until it sees `100 Continue`.
    pub expects_continue: bool,
    /// The name the client gave the request itself (`x-request-id`).
    pub request_id: Option<Span>,
    /// What the body is said to be (`content-type`); of several the first.
    pub content_type: Option<Span>,
    /// The model the client asks for beside the body (`x-paddock-model`), as it stands:
    /// [`named_by_field`](crate::named_by_field) reads it.
    pub model: Option<Span>,
    /// The number of field lines.
    pub field_count: usize,
    /// There is a Host field (HTTP/1.0 may lack it).
    pub has_host: bool,
    /// The value of Host; empty without one.
    pub host: Span,
    /// The origin of the web page that sends the request (`origin`), as browsers state it.
    pub origin: Option<Span>,
    /// The browser's word for how that page's site and this one relate (`sec-fetch-site`).
    pub fetch_site: Option<Span>,
    /// What is cut and replaced on the way to the upstream.
    pub edits: Edits,
}

impl RequestHead {
    /// Judges a whole head: `head` ends with its empty line, as
    /// [`HeadScan`](crate::HeadScan) found it.
    ///
    /// # Errors
    /// Anything that two parsers could read differently, and what cannot be passed on. A target in absolute-form
    /// is refused as [`Refusal::Target`] here; [`to_origin_form`](crate::to_origin_form) makes a path of it.
    pub fn parse(head: &[u8]) -> Result<Self, Refusal> {
        let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(head, &mut fields) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            Ok(_) => return Err(Refusal::RequestLine),
            Err(error) => return Err(refusal_of(error)),
        }
        let (Some(method), Some(target), Some(version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(Refusal::RequestLine);
        };
        let version = match version {
            0 => Version::Http10,
            _ => Version::Http11,
        };
        check_target(method, target.as_bytes())?;
        let mut request = Self {
            method: Span::of_part(head, method.as_bytes()),
            target: Span::of_part(head, target.as_bytes()),
            version,
            framing: Framing::None,
            close: version == Version::Http10,
            expects_continue: false,
            request_id: None,
            content_type: None,
            model: None,
            field_count: parsed.headers.len(),
            has_host: false,
            host: Span::default(),
            origin: None,
            fetch_site: None,
            edits: Edits::default(),
        };
        request.judge_fields(head, parsed.headers)?;
        Ok(request)
    }

    fn judge_fields(&mut self, head: &[u8], fields: &[Header<'_>]) -> Result<(), Refusal> {
        let mut framing = FramingFields::default();
        let names = Names::of(fields);
        for (name, field) in names.with(fields) {
            framing.take(name, field.value)?;
            match name {
                Name::Host if self.has_host => return Err(Refusal::HostRepeated),
                Name::Host => {
                    check_host(field.value)?;
                    self.has_host = true;
                    self.host = Span::of_part(head, field.value);
                }
                // HTTP/1.0 has no interim answer to wait for (RFC 9110 §10.1.1).
                Name::Expect if self.version == Version::Http11 => {
                    self.expects_continue |= field.value.eq_ignore_ascii_case(b"100-continue");
                }
                Name::RequestId => self.request_id = Some(Span::of_part(head, field.value)),
                Name::ContentType if self.content_type.is_none() => {
                    self.content_type = Some(Span::of_part(head, field.value));
                }
                Name::Model => {
                    let first = *self.model.get_or_insert(Span::of_part(head, field.value));
                    if first.of(head) != field.value {
                        return Err(Refusal::ModelRepeated);
                    }
                }
                Name::Origin => {
                    let first = *self.origin.get_or_insert(Span::of_part(head, field.value));
                    if first.of(head) != field.value {
                        return Err(Refusal::OriginRepeated);
                    }
                }
                Name::FetchSite => self.fetch_site = Some(Span::of_part(head, field.value)),
                _ => {}
            }
        }
        self.framing = framing.framing()?.unwrap_or(Framing::None);
        match self.version {
            Version::Http11 if !self.has_host => return Err(Refusal::HostMissing),
            Version::Http10 if self.framing == Framing::Chunked => {
                return Err(Refusal::TransferCodingInHttp10);
            }
            Version::Http10 => {
                // The last byte of `HTTP/1.0`: each hop speaks its own version.
                let at = self.target.end() + " HTTP/1.".len();
                self.edits
                    .replace(Span::new(at, at + 1), b'1')
                    .map_err(|_| Refusal::TooManyHopByHop)?;
            }
            Version::Http11 => {}
        }
        let connection = Connection::read(fields, &names)?;
        self.close |= connection.close;
        cut_hop_by_hop(head, fields, &names, connection, &[], &mut self.edits)
            .map_err(|_| Refusal::TooManyHopByHop)
    }

    /// Leaves a line out of what goes on, as [`field_lines`](crate::field_lines) found it.
    ///
    /// # Errors
    /// There are too many lines that do not go on.
    pub fn cut_line(&mut self, line: Span) -> Result<(), Refusal> {
        let cut = self.edits.cut_anywhere(line);
        cut.map_err(|_| Refusal::TooManyHopByHop)
    }

    /// Leaves the first `len` bytes of the target out of what goes on.
    pub fn cut_target_prefix(&mut self, len: usize) {
        let start = self.target.start();
        self.edits.cut_first(Span::new(start, start + len));
    }

    /// Leaves a part of the target out of what goes on; `part` is counted from the target's
    /// start. A head has room for one such cut, this or that of
    /// [`cut_target_prefix`](Self::cut_target_prefix).
    pub fn cut_from_target(&mut self, part: Span) {
        let start = self.target.start();
        let end = (start + part.end()).min(self.target.end());
        self.edits
            .cut_first(Span::new((start + part.start()).min(end), end));
    }

    /// The path: the target up to its query.
    pub fn path<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        let target = self.target.of(head);
        let end = memchr::memchr(b'?', target).unwrap_or(target.len());
        &target[..end]
    }
}

fn refusal_of(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::Version => Refusal::Version,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Refusal::FieldLine,
        httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => {
            Refusal::RequestLine
        }
    }
}

fn check_target(method: &str, target: &[u8]) -> Result<(), Refusal> {
    if method == "CONNECT" {
        return Err(Refusal::Connect);
    }
    let is_path = target.first() == Some(&b'/') && !target.contains(&b'#');
    if is_path || (target == b"*" && method == "OPTIONS") {
        Ok(())
    } else {
        Err(Refusal::Target)
    }
}

fn check_host(value: &[u8]) -> Result<(), Refusal> {
    if is_host(value) {
        Ok(())
    } else {
        Err(Refusal::HostMalformed)
    }
}

/// Returns whether every byte of `value` can stand in a host name, an address or a port.
pub(crate) fn is_host(value: &[u8]) -> bool {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%:[]".contains(byte);
    value.iter().all(belongs)
}
