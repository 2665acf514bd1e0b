//! Logs to standard error: text on a terminal, JSON otherwise.
//!
//! A separate thread writes, so that a blocked standard error blocks nothing else.

use crate::log_targets;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::thread;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, fmt};

/// Target of events that pass every filter.
pub(crate) const ALWAYS_TARGET: &str = "paddock::always";

/// Events that may wait to be written; further ones are dropped.
const MAX_QUEUED_EVENTS: usize = 4_096;

/// Returns whether logs are text, not JSON.
pub(crate) fn is_text() -> bool {
    io::stderr().is_terminal()
}

/// Starts logging by a filter such as `info` or `warn,paddock_server=debug`.
///
/// Only the first call of a process counts. Dropping the guard, also by a panic, waits at most a second for queued
/// events to be written.
pub(crate) fn start(filter: &str) -> WorkerGuard {
    let queue = NonBlockingBuilder::default().buffered_lines_limit(MAX_QUEUED_EVENTS);
    let (writer, guard) = queue.thread_name("log").finish(io::stderr());

    // Does not fail: the configuration has been validated.
    let targets: Targets = log_targets::expand(filter).parse().unwrap_or_default();
    let targets = targets.with_target(ALWAYS_TARGET, LevelFilter::INFO);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if is_text() {
        fmt::layer().with_writer(writer).boxed()
    } else {
        let json = fmt::layer().json().flatten_event(true);
        json.with_writer(writer).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(targets));
    let _already = subscriber.try_init();
    panic::set_hook(Box::new(log_panic));
    guard
}

/// Logs a panic, with a backtrace if `RUST_BACKTRACE` is set.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("unknown location");
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(target: ALWAYS_TARGET, thread, place, %backtrace, "panicked: {message}");
    } else {
        tracing::error!(target: ALWAYS_TARGET, thread, place, "panicked: {message}");
    }
}
