//! What the table shows, line by line, and the goals.

use crate::cases::Case;
use crate::goals::Goal;
use crate::results::Quantity::{
    self, Added, ColdMillis, Cpu, EventMillis, FreshMegabytes, FreshSwitches, LoadedMegabytes,
    LoadedSwitches, P50, P99, PerSecond, PolledMillis, SwapMillis,
};
use crate::subjects::Name::{Haproxy, Nginx};

/// One line: what it says, where its figure is, what that should be.
pub(crate) type Row = (&'static str, Quantity, Goal);

/// A case in words, and its lines.
pub(crate) type Group = (&'static str, Case, &'static [Row]);

const ONE: &[Row] = &[
    ("p50, µs", P50, Goal::None),
    ("p50 added, µs", Added, Goal::Most(0.65, Nginx)),
    ("CPU a request, µs", Cpu, Goal::None),
];

const MANY: &[Row] = &[
    ("CPU a request, µs", Cpu, Goal::Most(0.6, Nginx)),
    ("requests/s", PerSecond, Goal::Least(1.5, Nginx)),
    ("p50, µs", P50, Goal::None),
    ("p99, µs", P99, Goal::None),
];

const UPLOAD: &[Row] = &[
    ("CPU a request, µs", Cpu, Goal::Most(0.8, Nginx)),
    ("requests/s", PerSecond, Goal::None),
];

/// No goal is set for what is longer.
const LONG: &[Row] = &[
    ("CPU a request, µs", Cpu, Goal::None),
    ("requests/s", PerSecond, Goal::None),
    ("p50, µs", P50, Goal::None),
];

const BURST: &[Row] = &[("CPU an event, µs", Cpu, Goal::Most(0.9, Nginx))];

const PACED: &[Row] = &[
    ("CPU an event, µs", Cpu, Goal::Most(0.95, Nginx)),
    ("lateness p50, µs", P50, Goal::Most(1.0, Haproxy)),
    ("lateness p99, µs", P99, Goal::Most(1.0, Haproxy)),
];

const THOUSAND: &[Row] = &[
    ("CPU an event, µs", Cpu, Goal::None),
    ("lateness p50, µs", P50, Goal::Most(1.0, Haproxy)),
    ("lateness p99, µs", P99, Goal::Most(1.0, Haproxy)),
];

const IDLE: &[Row] = &[
    ("resident memory, MB", FreshMegabytes, Goal::Below(15.0)),
    ("context switches in 10 s", FreshSwitches, Goal::Zero),
    (
        "memory after the load, MB",
        LoadedMegabytes,
        Goal::Below(15.0),
    ),
    ("switches after the load", LoadedSwitches, Goal::None),
];

const READINESS: &[Row] = &[
    ("request passed on, ms", EventMillis, Goal::Below(10.0)),
    ("the same by polling, ms", PolledMillis, Goal::None),
];

const STARTS: &[Row] = &[
    ("added to a cold start, ms", ColdMillis, Goal::Below(20.0)),
    ("added to a swap, ms", SwapMillis, Goal::Below(20.0)),
];

const ROUTER: &[Row] = &[
    ("p50, µs", P50, Goal::None),
    ("requests/s", PerSecond, Goal::None),
    ("CPU a request, µs", Cpu, Goal::None),
];

const REAL_STARTS: &[Row] = &[
    ("a cold start, ms", ColdMillis, Goal::None),
    ("a swap, ms", SwapMillis, Goal::None),
];

/// What a real llama-server is asked.
pub(crate) const REAL: &[Group] = &[
    ("/tokenize, 8 connections", Case::Router, ROUTER),
    ("the first answer after", Case::RealStarts, REAL_STARTS),
];

/// What the stand-in child is asked, in the order of the table.
pub(crate) const GROUPS: &[Group] = &[
    ("1 connection", Case::One, ONE),
    ("32 connections", Case::Many, MANY),
    ("64 KiB requests", Case::Upload, UPLOAD),
    ("1 MiB, model first", Case::NamedFirst, LONG),
    ("1 MiB, model last", Case::NamedLast, LONG),
    ("8 MiB requests", Case::BigUpload, LONG),
    ("bursts of 256 events", Case::Burst, BURST),
    ("64 streams, 10 ms", Case::Paced, PACED),
    ("1,000 streams, 100 ms", Case::Thousand, THOUSAND),
    ("idle", Case::Idle, IDLE),
    ("child ready", Case::Readiness, READINESS),
    ("child started", Case::Starts, STARTS),
];
