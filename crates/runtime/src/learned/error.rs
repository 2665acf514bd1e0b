//! What can go wrong with the file.

use std::io;

use paddock_telemetry::database::DatabaseError;

/// Why nothing can be learned, or not this.
#[derive(Debug, thiserror::Error)]
pub enum LearnedError {
    #[error(transparent)]
    File(#[from] DatabaseError),
    #[error("cannot start the thread that keeps what loads teach: {0}")]
    Thread(#[source] io::Error),
    #[error("cannot read or write what loads teach: {0}")]
    Sqlite(#[from] rusqlite::Error),
}
