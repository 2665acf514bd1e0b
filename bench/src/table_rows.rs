//! The rows of the tables, with their goals.

use crate::cases::Case;
use crate::goals::Goal;
use crate::results::Quantity::{
    self, Added, ColdMillis, Cpu, EventMillis, FirstTokenMillis, FreshMegabytes, FreshSwitches,
    LoadedMegabytes, LoadedSwitches, P50, P99, PerSecond, PolledMillis, SwapMillis,
};
use crate::subjects::SubjectName::{Haproxy, Nginx, Router};

/// A row: label, quantity and goal.
pub(crate) type TableRow = (&'static str, Quantity, Goal);

/// A case's label, the case, and its rows.
pub(crate) type RowGroup = (&'static str, Case, &'static [TableRow]);

const ONE_ROWS: &[TableRow] = &[
    ("p50, µs", P50, Goal::None),
    ("p50 added, µs", Added, Goal::AtMost(0.65, Nginx)),
    ("CPU a request, µs", Cpu, Goal::None),
];

const MANY_ROWS: &[TableRow] = &[
    ("CPU a request, µs", Cpu, Goal::AtMost(0.6, Nginx)),
    ("requests/s", PerSecond, Goal::AtLeast(1.5, Nginx)),
    ("p50, µs", P50, Goal::None),
    ("p99, µs", P99, Goal::None),
];

const UPLOAD_ROWS: &[TableRow] = &[
    ("CPU a request, µs", Cpu, Goal::AtMost(0.8, Nginx)),
    ("requests/s", PerSecond, Goal::None),
];

/// Rows of long requests, which have no goals.
const LONG_ROWS: &[TableRow] = &[
    ("CPU a request, µs", Cpu, Goal::None),
    ("requests/s", PerSecond, Goal::None),
    ("p50, µs", P50, Goal::None),
];

const BURST_ROWS: &[TableRow] = &[("CPU an event, µs", Cpu, Goal::AtMost(0.9, Nginx))];

const PACED_ROWS: &[TableRow] = &[
    ("CPU an event, µs", Cpu, Goal::AtMost(0.95, Nginx)),
    ("lateness p50, µs", P50, Goal::AtMost(1.0, Haproxy)),
    ("lateness p99, µs", P99, Goal::AtMost(1.0, Haproxy)),
];

const THOUSAND_ROWS: &[TableRow] = &[
    ("CPU an event, µs", Cpu, Goal::None),
    ("lateness p50, µs", P50, Goal::AtMost(1.0, Haproxy)),
    ("lateness p99, µs", P99, Goal::AtMost(1.0, Haproxy)),
];

const IDLE_ROWS: &[TableRow] = &[
    ("resident memory, MB", FreshMegabytes, Goal::Below(15.0)),
    ("context switches in 10 s", FreshSwitches, Goal::Zero),
    (
        "memory after the load, MB",
        LoadedMegabytes,
        Goal::Below(15.0),
    ),
    ("switches after the load", LoadedSwitches, Goal::None),
];

const READINESS_ROWS: &[TableRow] = &[
    ("request passed on, ms", EventMillis, Goal::Below(10.0)),
    ("the same by polling, ms", PolledMillis, Goal::None),
];

const STARTS_ROWS: &[TableRow] = &[
    ("added to a cold start, ms", ColdMillis, Goal::Below(20.0)),
    ("added to a swap, ms", SwapMillis, Goal::Below(20.0)),
];

const ROUTER_ROWS: &[TableRow] = &[
    ("p50, µs", P50, Goal::None),
    ("requests/s", PerSecond, Goal::None),
    ("CPU a request, µs", Cpu, Goal::None),
];

const REAL_STARTS_ROWS: &[TableRow] = &[
    ("a cold start, ms", ColdMillis, Goal::None),
    ("a swap, ms", SwapMillis, Goal::None),
];

const CONVERSATIONS_ROWS: &[TableRow] = &[
    ("a swap with one word, ms", SwapMillis, Goal::None),
    (
        "first token beyond a swap, ms",
        FirstTokenMillis,
        Goal::AtMost(0.05, Router),
    ),
];

/// Cases with a real llama-server.
pub(crate) const REAL_ENGINE_GROUPS: &[RowGroup] = &[
    ("/tokenize, 8 connections", Case::Router, ROUTER_ROWS),
    ("the first answer after", Case::RealStarts, REAL_STARTS_ROWS),
    (
        "conversations of 2,000 tokens",
        Case::Conversations,
        CONVERSATIONS_ROWS,
    ),
];

/// Cases with the stand-in child, in table order.
pub(crate) const GROUPS: &[RowGroup] = &[
    ("1 connection", Case::One, ONE_ROWS),
    ("32 connections", Case::Many, MANY_ROWS),
    ("64 KiB requests", Case::Upload, UPLOAD_ROWS),
    ("1 MiB, model first", Case::NamedFirst, LONG_ROWS),
    ("1 MiB, model last", Case::NamedLast, LONG_ROWS),
    ("8 MiB requests", Case::BigUpload, LONG_ROWS),
    ("bursts of 256 events", Case::Burst, BURST_ROWS),
    ("64 streams, 10 ms", Case::Paced, PACED_ROWS),
    ("1,000 streams, 100 ms", Case::Thousand, THOUSAND_ROWS),
    ("idle", Case::Idle, IDLE_ROWS),
    ("child ready", Case::Readiness, READINESS_ROWS),
    ("child started", Case::Starts, STARTS_ROWS),
];
