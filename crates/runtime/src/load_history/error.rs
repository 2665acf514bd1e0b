//! Defines the errors of the load history, the stored measurements of earlier loads.

use std::io;

use paddock_telemetry::database::DatabaseError;

/// Failures to open, read or write the load history.
#[derive(Debug, thiserror::Error)]
pub enum LoadHistoryError {
    #[error(transparent)]
    File(#[from] DatabaseError),
    #[error("cannot start the load history thread: {0}")]
    Thread(#[source] io::Error),
    #[error("cannot read or write the load history: {0}")]
    Sqlite(#[from] rusqlite::Error),
}
