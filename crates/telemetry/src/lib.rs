//! Records what paddock does: counts, request records, the activity log, OTLP and posted events.
//!
//! Invariant: no request awaits anything here. A worker records requests in memory of its own and hands the
//! records over without waiting; a full channel drops them and counts the loss.
//!
//! | file | holds |
//! |---|---|
//! | `route.rs` | the route of a request, from a fixed list |
//! | `operation.rs` | the model's operation, by OpenTelemetry's names |
//! | `request_recorder.rs` | measurements of the request in flight, collected by its connection |
//! | `request_record.rs` | measurements of an ended request, and batches of them |
//! | `meter.rs` | a worker's counts, and its records until they are handed over |
//! | `counts.rs` | counts and histograms |
//! | `token_charge.rs` | plausible token counts, and the charge to a key |
//! | `trace.rs` | the trace context of a request |
//! | `metric_family.rs` | metrics with their values, before formatting |
//! | `activity/` | ended requests and lifecycle events, one by one, in a file |
//! | `otlp/` | traces and metrics, sent to a collector |
//! | `sink/` | ended requests and lifecycle events, posted to a receiver |
//! | `http_client/` | HTTP and TLS for paddock's own requests |
//! | `database.rs` | `SQLite` files in the state directory |
//! | `private_dir.rs` | directories closed to other users |
//!
//! Each request is recorded by its worker, in memory that no other thread touches; a scrape asks each worker
//! for a copy of its counts.

mod activity;
mod counts;
pub mod database;
pub mod http_client;
mod meter;
mod metric_family;
mod operation;
mod otlp;
pub mod private_dir;
mod request_record;
mod request_recorder;
mod route;
pub mod sink;
mod token_charge;
mod trace;

pub use activity::{
    ActivityHandle, ActivityQuery, ActivityRetention, ActivityThread, LifecycleEvent,
    LifecycleSender, LoggedRequest, NumberedRequest, start_activity_thread, stopped_event,
};
pub use counts::{Histogram, LatencyHistograms, ModelCounts, WorkerCounts};
pub use meter::{MAX_REQUEST_ID_BYTES, Meter, ModelNames};
pub use metric_family::{MetricFamily, MetricSample, MetricValue};
pub use operation::Operation;
pub use otlp::{OtlpExporter, OtlpHandle, SpanSender};
pub use request_record::{Outcome, RecordBatch, RequestRecord};
pub use request_recorder::RequestRecorder;
pub use route::Route;
pub use trace::Trace;
