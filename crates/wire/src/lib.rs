//! Parses HTTP/1.1 heads and follows body framing: bytes in, decisions out. Invariant: no I/O, no
//! clock, no tokio, and no heap allocation per message, except for scanned forms, percent-encoded
//! model names and targets that are whole URLs; input that two parsers could read differently is
//! refused.
//!
//! A pass-through proxy needs three facts about a message: the end of its head, the end of its
//! body, and the head lines that concern one hop only (RFC 9110 §7.6.1). This crate finds them in
//! the original bytes.
//!
//! - [`HeadScan`] finds the end of a head while the head arrives, in one pass;
//! - [`RequestHead`] and [`ResponseHead`] validate a complete head;
//! - [`to_origin_form`] rewrites a target that is a whole URL to a path;
//! - [`HeadEdits`] holds the spans to cut and the bytes to replace;
//! - [`field_lines`] iterates over the fields of a head;
//! - [`Body`] follows a body to its end;
//! - [`ModelScan`] finds the model name in a body; [`UpstreamTarget`], [`find_model_in_query`] and
//!   [`parse_model_header`] find it in a head;
//! - [`UsageParser`] reads tokens, times and the outcome from a response body;
//! - [`TraceParentField`] and [`parse_trace_state`] read the trace context of a request.

mod body;
mod byte_span;
mod chunked;
mod field_line;
mod field_name;
mod framing_fields;
mod head_edits;
mod head_scan;
mod invalid_request;
mod json_skip;
mod model_name;
mod origin_form;
mod request_head;
mod response_head;
mod trace_parent;
mod trace_state;
mod usage_parser;

pub use body::{Body, Framing, Truncated};
pub use byte_span::ByteSpan;
pub use chunked::ChunkError;
pub use field_line::{FieldLine, field_lines};
pub use framing_fields::HOP_BY_HOP_FIELDS;
pub use head_edits::HeadEdits;
pub use head_scan::{HeadScan, MAX_HEAD};
pub use invalid_request::InvalidRequest;
pub use model_name::{
    InvalidModelName, MAX_MODEL_NAME, ModelScan, ScanResult, TargetCandidate, UpstreamTarget,
    find_model_in_query, parse_model_header,
};
pub use origin_form::to_origin_form;
pub use request_head::{RequestHead, Version};
pub use response_head::{InvalidResponse, ResponseHead};
pub use trace_parent::{TraceParent, TraceParentField};
pub use trace_state::parse_trace_state;
pub use usage_parser::{BatchReader, BodyOutcome, Usage, UsageParser, UsageReport};
