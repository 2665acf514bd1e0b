//! Finds the model that a request names: in the body, the target or a header field.

mod boundary;
mod field_parameters;
mod json_scan;
mod json_string;
mod multipart_scan;
mod name_buffer;
mod percent;
mod query;
mod upstream_target;

pub use name_buffer::{InvalidModelName, MAX_MODEL_NAME, parse_model_header};
pub use query::find_model_in_query;
pub use upstream_target::{TargetCandidate, UpstreamTarget};

use json_scan::JsonScan;
use multipart_scan::MultipartScan;

/// The result of a model scan so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanResult {
    /// Undecided: the next piece decides, or [`ModelScan::end`].
    More,
    /// The body names a model, which [`ModelScan::name`] returns.
    Found,
    /// The body names no model: the top-level `model` is missing, null or empty, or the body has
    /// another format or is malformed before its `model`.
    Absent,
    /// `model` is a number, a boolean, an array or an object.
    NotAString,
    /// `model` exceeds [`MAX_MODEL_NAME`] bytes.
    TooLong,
}

/// Finds the model that a request body names, while the body arrives.
///
/// The caller feeds body data without framing, as [`Body::follow_with`](crate::Body::follow_with)
/// passes it, in pieces of any size. The scan examines each byte once, and no byte after the result
/// is known. Memory is bounded: for JSON one name, stored inline; for a form one name, the boundary
/// and one line of a part's headers.
///
/// **JSON.** The value of the top-level member `model` of an object, after an optional byte order
/// mark. For every valid document the result matches a JSON parser's, with one exception: of
/// several members named `model` **the first wins**, so that the proxy buffers no more than
/// necessary. Invalid input becomes [`Absent`](ScanResult::Absent) where the scan notices it, which
/// leaves the error to the child; skipped strings are not validated.
///
/// **Forms** (`multipart/form-data`). The value of the first part named `model` that is not a file.
/// Violations of RFC 2046 and RFC 7578 become [`Absent`](ScanResult::Absent) where the scan notices
/// them; part headers are limited to 8 KiB.
#[derive(Debug, Clone)]
pub struct ModelScan {
    format: BodyFormat,
    result: ScanResult,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "JSON is the common kind, and costs no allocation this way"
)]
enum BodyFormat {
    Json(JsonScan),
    Multipart(Box<MultipartScan>),
}

impl ModelScan {
    /// Creates a scan of a JSON body.
    pub fn json() -> Self {
        Self {
            format: BodyFormat::Json(JsonScan::new()),
            result: ScanResult::More,
        }
    }

    /// Creates a scan of a `multipart/form-data` body, or returns `None` if the boundary is invalid
    /// (RFC 2046 §5.1.1: 1 to 70 bytes of a certain set, not ending in a space).
    pub fn multipart(boundary: &[u8]) -> Option<Self> {
        boundary::is_valid(boundary).then(|| Self {
            format: BodyFormat::Multipart(Box::new(MultipartScan::new(boundary))),
            result: ScanResult::More,
        })
    }

    /// Creates the scan for a `Content-Type`: a form for `multipart/form-data` with a valid
    /// boundary, JSON for everything else, because clients send JSON under many types or none.
    pub fn for_content_type(value: Option<&[u8]>) -> Self {
        value
            .and_then(boundary::boundary_in)
            .and_then(|boundary| Self::multipart(&boundary))
            .unwrap_or_else(Self::json)
    }

    /// Returns true if the scan expects JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.format, BodyFormat::Json(_))
    }

    /// Scans the next bytes of the body.
    pub fn feed(&mut self, piece: &[u8]) -> ScanResult {
        if self.result == ScanResult::More {
            self.result = match &mut self.format {
                BodyFormat::Json(json) => json.feed(piece),
                BodyFormat::Multipart(multipart) => multipart.feed(piece),
            };
        }
        self.result
    }

    /// Ends the body: an undecided scan becomes [`Absent`](ScanResult::Absent).
    pub fn end(&mut self) -> ScanResult {
        if self.result == ScanResult::More {
            self.result = ScanResult::Absent;
        }
        self.result
    }

    /// Returns the decoded, non-empty name once the result is [`Found`](ScanResult::Found).
    pub fn name(&self) -> Option<&str> {
        if self.result != ScanResult::Found {
            return None;
        }
        match &self.format {
            BodyFormat::Json(json) => json.name(),
            BodyFormat::Multipart(multipart) => multipart.name(),
        }
    }
}
