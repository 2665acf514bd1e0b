//! What is known of requests: counted, and listed one by one.
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
mod family;
mod meter;
mod operation;
mod otlp;
mod record;
mod route;
mod row;
mod tokens;
mod trace;

pub(crate) use activity::{
    Asker, Biographer, Ended, Lifecycle, Owner, Settings, Wanted, start, stopped,
};
pub(crate) use counts::{Counts, Histogram, ModelCounts, Times};
pub(crate) use family::{Family, Sample, Value};
pub(crate) use meter::{ID, Meter, Names};
pub(crate) use operation::Operation;
pub(crate) use otlp::{Exporter, Otlp, Spans};
pub(crate) use record::Record;
pub(crate) use route::Route;
pub(crate) use row::{Batch, Outcome, Row};
pub(crate) use trace::Trace;
