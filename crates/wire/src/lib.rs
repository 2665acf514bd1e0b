//! HTTP/1.1 heads and framing: bytes in, decisions out.
//!
//! A pass-through proxy has to know three things of a message: where its head ends, where its
//! body ends, and which lines of the head are meant for the next hop only (RFC 9110 §7.6.1).
//! This crate finds these three in the bytes as they lie, and refuses what two parsers could
//! read differently. It does no I/O, keeps no clock and allocates nothing on the way of a
//! message, but for a form that is scanned, a name that is percent-encoded and a target that is a whole URL.
//!
//! - [`HeadScan`] finds the end of a head while it arrives, in one pass however small the pieces;
//! - [`RequestHead`] and [`ResponseHead`] judge a whole head;
//! - [`to_origin_form`] makes a path of a target that is a whole URL;
//! - [`Edits`] are the lines to cut and the bytes to put in their place;
//! - [`field_lines`] are the fields of a head, one by one;
//! - [`Body`] follows a body to its end;
//! - [`ModelScan`] finds the model that a body names, [`UpstreamTarget`], [`named_by_query`] and
//!   [`named_by_field`] the one that a head names;
//! - [`Tap`] reads from an answer's body what it says of tokens, times and its end;
//! - [`Traced`] is what a head says of the trace that the request belongs to, [`trace_state`] what others keep with it.

mod absolute;
mod body;
mod chunked;
mod edits;
mod fields;
mod head;
mod line;
mod model;
mod name;
mod refusal;
mod request;
mod response;
mod skip;
mod span;
mod tap;
mod trace_parent;
mod trace_state;

pub use absolute::to_origin_form;
pub use body::{Body, Framing, Truncated};
pub use chunked::ChunkError;
pub use edits::Edits;
pub use fields::HOP_BY_HOP;
pub use head::{HeadScan, MAX_HEAD};
pub use line::{FieldLine, field_lines};
pub use model::{
    BadName, Candidate, MAX_MODEL_NAME, ModelScan, Scan, UpstreamTarget, named_by_field,
    named_by_query,
};
pub use refusal::Refusal;
pub use request::{RequestHead, Version};
pub use response::{Malformed, ResponseHead};
pub use span::Span;
pub use tap::{Outcome, Reading, Report, Tap, Usage};
pub use trace_parent::{TraceParent, Traced};
pub use trace_state::trace_state;
