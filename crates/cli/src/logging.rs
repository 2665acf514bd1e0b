//! Logs: text on a terminal, JSON otherwise, both on standard error.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, fmt};

/// The target of events that every filter lets through.
pub(crate) const ALWAYS: &str = "paddock::always";

/// Returns whether logs are text, for people, and not JSON.
pub(crate) fn is_text() -> bool {
    io::stderr().is_terminal()
}

/// Starts logging by a filter such as `info` or `warn,paddock_server=debug`.
///
/// Only the first call of a process counts.
pub(crate) fn start(filter: &str) {
    // The configuration accepts no filter that cannot be read here.
    let targets: Targets = filter.parse().unwrap_or_default();
    let targets = targets.with_target(ALWAYS, LevelFilter::INFO);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if is_text() {
        fmt::layer().with_writer(io::stderr).boxed()
    } else {
        let json = fmt::layer().json().flatten_event(true);
        json.with_writer(io::stderr).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(targets));
    let _already = subscriber.try_init();
}
