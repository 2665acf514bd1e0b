//! Telemetry: counts, request records, the activity database, OTLP and posted events.
//!
//! Invariant: nothing here is awaited on a request's path. A worker writes records and counts in memory of its
//! own and hands them over without waiting; what a full channel does not take is dropped and counted.
//!
//! | file | holds |
//! |---|---|
//! | `route.rs` | what a request asks for, in few words |
//! | `operation.rs` | what it asks of a model, as OpenTelemetry tells it apart |
//! | `row.rs` | what is known of one request that has ended |
//! | `record.rs` | the same while it is under way, told what happens and read beside its answer |
//! | `meter.rs` | a worker's counts, and its rows until they are handed over |
//! | `counts.rs` | counts and histograms |
//! | `tokens.rs` | which stated tokens are believed, and what a key is charged |
//! | `trace.rs` | where a request stands in a trace |
//! | `family.rs` | metrics with their values, before they are put into words |
//! | `activity/` | requests that have ended and what became of models, one by one, in a file |
//! | `otlp/` | traces and metrics, sent to whoever collects them |
//!
//! A request is recorded by the worker that serves it, in memory that no other thread touches; a
//! scrape asks each worker for a copy of its counts.

mod activity;
mod counts;
pub mod database;
mod family;
mod meter;
mod operation;
mod otlp;
pub mod outgoing;
pub mod private_dir;
mod record;
mod route;
mod row;
pub mod sink;
mod tokens;
mod trace;

pub use activity::{
    Asker, Biographer, Ended, Lifecycle, Listed, Owner, Settings, Wanted, start, stopped,
};
pub use counts::{Counts, Histogram, ModelCounts, Times};
pub use family::{Family, Sample, Value};
pub use meter::{ID, Meter, Names};
pub use operation::Operation;
pub use otlp::{Exporter, Otlp, Spans};
pub use record::Record;
pub use route::Route;
pub use row::{Batch, Outcome, Row};
pub use trace::Trace;
