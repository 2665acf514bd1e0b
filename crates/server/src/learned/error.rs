//! What can go wrong with the file.

use std::io;
use std::path::PathBuf;

/// Why nothing can be learned, or not this.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LearnedError {
    #[error(
        "cannot make the state directory {}: {source}; name a place paddock may write to, or make it \
         and give it to the user paddock runs as",
        path.display()
    )]
    Directory { path: PathBuf, source: io::Error },
    #[error(
        "cannot use {}: {source}; the user paddock runs as must be able to write to it and to its \
         directory",
        path.display()
    )]
    Open {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("cannot move the unusable file {} out of the way: {source}", path.display())]
    Aside { path: PathBuf, source: io::Error },
    #[error("cannot start the thread that keeps what loads teach: {0}")]
    Thread(#[source] io::Error),
    #[error("cannot read or write what loads teach: {0}")]
    Sqlite(#[from] rusqlite::Error),
}
