//! Limits of time, size and number.

use std::time::Duration;

/// Time limit for establishing a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Time without a byte after which a connection counts as dead. No limit ends a transfer that continues, however
/// slowly.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a JSON answer.
pub(crate) const MAX_JSON_BYTES: usize = 16 << 20;

/// Bytes of an error's body that are read to find its message.
pub(crate) const MAX_ERROR_BYTES: usize = 64 << 10;

/// Connections of one transfer.
pub(crate) const MAX_CONNECTIONS: usize = 16;

/// Smallest and largest piece that one request asks for.
pub(crate) const PIECE_BYTES: (u64, u64) = (1 << 20, 64 << 20);

/// Smallest and largest number of new bytes after which the record is written: at most these are fetched twice after
/// a SIGKILL or a power failure.
pub(crate) const CHECKPOINT_BYTES: (u64, u64) = (64 << 10, 16 << 20);

/// Times that a transfer begins again because the file at the server changes or cannot be resumed.
pub(crate) const MAX_RESTARTS: u32 = 5;
