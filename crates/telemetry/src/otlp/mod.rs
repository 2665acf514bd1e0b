//! Traces and metrics, sent by OTLP over HTTP to whoever collects them.
//!
//! Nothing here slows a request down: its row comes through a bounded queue, as it does to the list of
//! requests, and becomes spans in a task that nobody waits for. What is too much, or what nobody takes in
//! time, is dropped and counted.
//!
//! | file | holds |
//! |---|---|
//! | `handle.rs` | whether somebody collects, what was lost, and the way of rows to the exporter |
//! | `exporter.rs` | the two tasks that gather and send, and how they end |
//! | `delivery.rs` | one request until it is taken or given up |
//! | `retry.rs` | what follows an answer, or none |
//! | `span.rs` | a request that has ended, as spans |
//! | `metric.rs` | a metric, in OpenTelemetry's words |
//! | `attribute.rs` | attributes, and who paddock is |

mod attribute;
mod delivery;
mod exporter;
mod handle;
mod metric;
mod retry;
mod span;

pub use exporter::Exporter;
pub use handle::{Otlp, Spans};
