//! Sends traces and metrics to a collector by OTLP over HTTP.
//!
//! No request waits for this: records of traced requests arrive through a bounded queue, and a separate task turns
//! them into spans. Records that do not fit in the queue, and spans that the collector does not accept in time, are
//! dropped and counted.
//!
//! | file | holds |
//! |---|---|
//! | `handle.rs` | the current collector, the count of lost spans, and the queue to the exporter |
//! | `exporter.rs` | the two tasks that gather and send, and their shutdown |
//! | `delivery.rs` | one request, sent until accepted or dropped |
//! | `retry_policy.rs` | if and when to try again after an error or no response |
//! | `span.rs` | turns an ended request into spans |
//! | `metric.rs` | a metric in OpenTelemetry's form |
//! | `attribute.rs` | attributes, and paddock's resource and scope |

mod attribute;
mod delivery;
mod exporter;
mod handle;
mod metric;
mod retry_policy;
mod span;

pub use exporter::OtlpExporter;
pub use handle::{OtlpHandle, SpanSender};
