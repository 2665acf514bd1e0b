//! Logs: text on a terminal, JSON otherwise, both on standard error.
//!
//! A thread of their own writes them: who reads standard error may stand still, and nothing else does.

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

/// The target of events that every filter lets through.
pub(crate) const ALWAYS: &str = "paddock::always";

/// Events that may wait to be written. Those beyond are lost.
const WAITING: usize = 4_096;

/// Returns whether logs are text, for people, and not JSON.
pub(crate) fn is_text() -> bool {
    io::stderr().is_terminal()
}

/// Starts logging by a filter such as `info` or `warn,paddock_server=debug`.
///
/// Only the first call of a process counts. What waits to be written when the guard is dropped is written,
/// unless that takes more than a second: also by a panic that unwinds past it.
pub(crate) fn start(filter: &str) -> WorkerGuard {
    let queue = NonBlockingBuilder::default().buffered_lines_limit(WAITING);
    let (writer, guard) = queue.thread_name("log").finish(io::stderr());

    // The configuration accepts no filter that cannot be read here.
    let targets: Targets = log_targets::expand(filter).parse().unwrap_or_default();
    let targets = targets.with_target(ALWAYS, LevelFilter::INFO);
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

/// Logs a panic like everything else, with the way there where `RUST_BACKTRACE` asks for it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("an unknown place");
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(target: ALWAYS, thread, place, %backtrace, "panicked: {message}");
    } else {
        tracing::error!(target: ALWAYS, thread, place, "panicked: {message}");
    }
}
