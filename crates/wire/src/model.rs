//! Which model a request names: in its body, its target, its header fields.

mod boundary;
mod disposition;
mod json;
mod multipart;
mod name;
mod percent;
mod query;
mod text;
mod upstream;

pub use name::{BadName, MAX_MODEL_NAME, named_by_field};
pub use query::named_by_query;
pub use upstream::{Candidate, UpstreamTarget};

use json::Json;
use multipart::Multipart;

/// What a scan has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Neither found nor ruled out: the next piece decides, or [`ModelScan::end`].
    More,
    /// The body names a model: [`ModelScan::name`] has it.
    Found,
    /// The body names none: there is no top-level `model`, or it is null or empty, or the body
    /// is not of the kind that was scanned for, or malformed before its `model` came.
    Absent,
    /// `model` is a number, a boolean, an array or an object.
    NotAString,
    /// `model` is longer than [`MAX_MODEL_NAME`] bytes.
    TooLong,
}

/// Finds the model that a request's body names, while the body arrives.
///
/// It is fed the body's own bytes, framing not counted
/// ([`Body::follow_with`](crate::Body::follow_with) tells which these are), in pieces of any
/// size. Each byte is looked at once, and none after the answer is known. What it keeps is
/// bounded: of JSON at most a name, in place; of a form at most a name, the boundary and one
/// line of a part's headers.
///
/// **JSON.** The value of the top-level member `model` of an object; a byte order mark before it
/// is skipped. For every valid document this is what a JSON parser reads, but for one choice:
/// of several members `model` **the first counts**, so that the answer is known as soon as it is
/// there, and no more of the body is held back. The child does with the others as it likes. What
/// is not valid is [`Absent`](Scan::Absent) where that is noticed, and the child's to judge:
/// strings that are skipped are not checked.
///
/// **Forms** (`multipart/form-data`). The value of the first part named `model` that is not a
/// file. What RFC 2046 and RFC 7578 do not allow is [`Absent`](Scan::Absent) where it is noticed;
/// part headers are allowed 8 KiB.
#[derive(Debug, Clone)]
pub struct ModelScan {
    kind: Kind,
    said: Scan,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "JSON is the common kind, and costs no allocation this way"
)]
enum Kind {
    Json(Json),
    Multipart(Box<Multipart>),
}

impl ModelScan {
    /// A scan of a JSON body.
    pub fn json() -> Self {
        Self {
            kind: Kind::Json(Json::new()),
            said: Scan::More,
        }
    }

    /// A scan of a `multipart/form-data` body with this boundary, or `None` where it is not one
    /// (RFC 2046 §5.1.1: 1 to 70 bytes of a certain set, the last of them not a space).
    pub fn multipart(boundary: &[u8]) -> Option<Self> {
        boundary::is_valid(boundary).then(|| Self {
            kind: Kind::Multipart(Box::new(Multipart::new(boundary))),
            said: Scan::More,
        })
    }

    /// The scan that fits a Content-Type: a form where it says `multipart/form-data` and gives a
    /// valid boundary, JSON for anything else, since clients send JSON under many types and none.
    pub fn for_content_type(value: Option<&[u8]>) -> Self {
        value
            .and_then(boundary::of)
            .and_then(|boundary| Self::multipart(&boundary))
            .unwrap_or_else(Self::json)
    }

    /// Returns whether it scans JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.kind, Kind::Json(_))
    }

    /// Takes the next bytes of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Scan {
        if self.said == Scan::More {
            self.said = match &mut self.kind {
                Kind::Json(json) => json.feed(piece),
                Kind::Multipart(multipart) => multipart.feed(piece),
            };
        }
        self.said
    }

    /// The body has ended: what is not found by now is [`Absent`](Scan::Absent).
    pub fn end(&mut self) -> Scan {
        if self.said == Scan::More {
            self.said = Scan::Absent;
        }
        self.said
    }

    /// The name, decoded and not empty, where the scan has [`Found`](Scan::Found) it.
    pub fn name(&self) -> Option<&str> {
        if self.said != Scan::Found {
            return None;
        }
        match &self.kind {
            Kind::Json(json) => json.name(),
            Kind::Multipart(multipart) => multipart.name(),
        }
    }
}
