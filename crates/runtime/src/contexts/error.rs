//! Errors of kept contexts. After an error a prompt may have to be read again, but no request fails.

use std::io;
use std::path::PathBuf;

use paddock_config::EncryptionKeyError;
use paddock_contexts::{CipherError, MergeError, SlotFileError};
use paddock_telemetry::database::DatabaseError;

/// Failures to open, read or write the context store.
#[derive(Debug, thiserror::Error)]
pub enum ContextsError {
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The thread that owns the store cannot be started.
    #[error("cannot start the thread that keeps contexts: {0}")]
    Thread(#[source] io::Error),
    /// The directory cannot be used.
    #[error(
        "cannot keep contexts in {}: {why}; set `dir` under [context_cache] to a directory that only paddock's user may \
         enter",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The key file cannot be used.
    #[error("cannot encrypt contexts: {0}")]
    Key(#[from] EncryptionKeyError),
    /// No tmpfs is available, so a child would write plain text to a disk.
    #[error(
        "cannot encrypt contexts: neither the runtime directory nor /dev/shm is on a tmpfs, so a child would write them \
         to a disk in plain text; set server.runtime_dir to a directory on a tmpfs"
    )]
    NoMemoryFileSystem,
    /// The thread did not answer in time.
    #[error("the context store is too slow")]
    TooSlow,
    /// The disk of the store, or of the staging directory, is full.
    #[error("there is no space left for a context")]
    NoSpace,
    /// A single context is larger than the quota of the whole store.
    #[error(
        "the context has {bytes} bytes, more than `quota` under [context_cache] allows ({quota} bytes)"
    )]
    OverQuota {
        /// Size of the context, in bytes.
        bytes: u64,
        /// Quota of all contexts together, in bytes.
        quota: u64,
    },
    /// A file of the store cannot be read or written.
    #[error("cannot read or write a file of the context store: {0}")]
    Io(#[source] io::Error),
    /// The database cannot be read or written.
    #[error("cannot read or write the database of contexts: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// A slot file is damaged or has an unknown format.
    #[error(transparent)]
    SlotFile(SlotFileError),
    /// The window of a sliding-window model cannot be extended.
    #[error(transparent)]
    Merge(MergeError),
    /// A stored file is missing, was modified, or was replaced by another file.
    #[error("a stored context was damaged, replaced or removed")]
    Damaged,
    /// A symbolic link, a pipe or another special file is in the place of a file.
    #[error("a file of the context store is not a regular file")]
    NotRegular,
    /// The data is too long for the cipher.
    #[error(transparent)]
    Cipher(CipherError),
}

impl ContextsError {
    /// Returns true if the stored context is damaged and can never be restored; other errors may be temporary.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::SlotFile(_) | Self::Damaged | Self::NotRegular)
    }
}

impl From<io::Error> for ContextsError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

impl From<rusqlite::Error> for ContextsError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::NoSpace,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<CipherError> for ContextsError {
    fn from(error: CipherError) -> Self {
        match error {
            CipherError::Io(error) => error.into(),
            CipherError::Damaged => Self::Damaged,
            CipherError::TooLong => Self::Cipher(error),
        }
    }
}

impl From<SlotFileError> for ContextsError {
    fn from(error: SlotFileError) -> Self {
        match error {
            SlotFileError::Io(error) => error.into(),
            other => Self::SlotFile(other),
        }
    }
}

impl From<MergeError> for ContextsError {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::Io(error) => error.into(),
            other => Self::Merge(other),
        }
    }
}

/// Failures of a request to the child's slot routes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SlotsError {
    /// The connection to the child failed.
    #[error("the child did not answer: {0}")]
    Io(#[from] io::Error),
    /// The child did not answer within the time limit.
    #[error("the child did not answer in time")]
    Timeout,
    /// The child answered with an error status.
    #[error("the child answered {status}: {message}")]
    Refused {
        /// Status code.
        status: u16,
        /// The child's message, shortened.
        message: String,
    },
    /// The answer differs from that of llama.cpp b11434.
    #[error("the child's answer has an unknown form")]
    Unexpected,
}
