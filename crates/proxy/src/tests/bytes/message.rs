//! Messages in parts, and the parts that arrive.

use std::fmt;

/// Bytes displayed as text.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Vec<u8>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 400;
        let shown = &self.0[..self.0.len().min(SHOWN)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} bytes more"),
        }
    }
}

/// A field line of a head, with its CRLF.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) line: Text,
    pub(super) goes: Goes,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} goes {:?}", self.line, self.goes)
    }
}

/// Reach of a field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    /// Forwarded.
    On,
    /// Ends at this hop.
    Nowhere,
    /// Forwarded to HTTP/1.1 clients only.
    To11,
}

/// A body.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// Bytes on the connection.
    pub(super) framed: Text,
    /// Data without framing.
    pub(super) data: Text,
}

/// Framing of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Nothing,
    Length,
    Chunked,
}

#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// Number of empty lines before the request.
    pub(super) blank: usize,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) is_10: bool,
    pub(super) has_host: bool,
    pub(super) fields: Vec<Field>,
    /// The client's request id.
    pub(super) id: Option<Text>,
    pub(super) closes: bool,
    pub(super) body: Content,
}

#[derive(Debug, Clone)]
pub(super) struct Interim {
    pub(super) status: u16,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub(super) reason: Option<Text>,
    pub(super) is_10: bool,
    pub(super) fields: Vec<Field>,
    pub(super) has_id: bool,
    pub(super) closes: bool,
    pub(super) framing: Framing,
    pub body: Content,
}

/// A request, and all responses to it.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) ask: Ask,
    pub(super) interims: Vec<Interim>,
    pub(super) answer: Answer,
}

fn join(first: &[u8], fields: &[Field], goes: impl Fn(Goes) -> bool) -> Vec<u8> {
    let mut head = first.to_vec();
    head.extend(b"\r\n");
    for field in fields.iter().filter(|field| goes(field.goes)) {
        head.extend(&field.line.0);
    }
    head
}

impl Ask {
    fn first(&self, is_10: bool) -> String {
        let digit = u8::from(!is_10);
        format!("{} {} HTTP/1.{digit}", self.method, self.target)
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Returns the bytes that the client sends.
    pub(super) fn sent(&self) -> Vec<u8> {
        let head = join(self.first(self.is_10).as_bytes(), &self.fields, |_| true);
        [
            &b"\r\n".repeat(self.blank),
            &head,
            &b"\r\n"[..],
            &self.body.framed.0,
        ]
        .concat()
    }

    /// Returns the head that the upstream receives, up to the added lines.
    pub(super) fn arrives(&self) -> Vec<u8> {
        let mut head = join(self.first(false).as_bytes(), &self.fields, |goes| {
            goes == Goes::On
        });
        if !self.has_host {
            head.extend(b"Host: localhost\r\n");
        }
        head
    }
}

impl Interim {
    pub(super) fn sent(&self) -> Vec<u8> {
        self.head(|_| true)
    }

    pub(super) fn arrives(&self, to_10: bool) -> Vec<u8> {
        if to_10 {
            return Vec::new();
        }
        self.head(|goes| goes != Goes::Nowhere)
    }

    fn head(&self, goes: impl Fn(Goes) -> bool) -> Vec<u8> {
        let first = format!("HTTP/1.1 {} Wait", self.status);
        [&join(first.as_bytes(), &self.fields, goes)[..], b"\r\n"].concat()
    }
}

impl Answer {
    fn first(&self, is_10: bool) -> Vec<u8> {
        let mut first = format!("HTTP/1.{} {}", u8::from(!is_10), self.status).into_bytes();
        if let Some(reason) = &self.reason {
            first.extend([b" ", &reason.0[..]].concat());
        }
        first
    }

    pub(super) fn has_body(&self, to: &Ask) -> bool {
        !to.is_head() && !matches!(self.status, 204 | 304)
    }

    pub(super) fn ends_with_connection(&self, to: &Ask) -> bool {
        self.has_body(to) && self.framing == Framing::Nothing
    }

    /// Returns true if the head announces a body that is not part of the response, but that the upstream may
    /// send.
    fn may_leave_bytes(&self, to: &Ask) -> bool {
        match self.framing {
            Framing::Nothing => false,
            Framing::Length => self.status == 204 && !self.body.data.0.is_empty(),
            Framing::Chunked => !self.has_body(to),
        }
    }

    /// Returns the bytes that the upstream sends.
    pub(super) fn sent(&self, to: &Ask) -> Vec<u8> {
        let head = join(&self.first(self.is_10), &self.fields, |_| true);
        let body: &[u8] = if self.has_body(to) {
            &self.body.framed.0
        } else {
            b""
        };
        [&head[..], b"\r\n", body].concat()
    }

    /// Returns the head that the client receives, up to the added lines.
    pub(super) fn arrives(&self, to: &Ask) -> Vec<u8> {
        join(&self.first(false), &self.fields, |goes| match goes {
            Goes::On => true,
            Goes::Nowhere => false,
            Goes::To11 => !to.is_10,
        })
    }

    /// Returns the body that the client receives.
    pub(super) fn body(&self, to: &Ask) -> &[u8] {
        match self.has_body(to) {
            true if to.is_10 => &self.body.data.0,
            true => &self.body.framed.0,
            false => b"",
        }
    }
}

impl Exchange {
    /// Returns true if the client's connection closes with this response.
    pub(super) fn closes_client(&self) -> bool {
        self.ask.closes || self.ask.is_10 || self.answer.ends_with_connection(&self.ask)
    }

    /// Returns true if the upstream's connection serves no other request.
    pub(super) fn closes_upstream(&self) -> bool {
        self.answer.closes
            || self.answer.is_10
            || self.answer.ends_with_connection(&self.ask)
            || self.answer.may_leave_bytes(&self.ask)
    }
}
