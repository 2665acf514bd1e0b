//! The reasons that a request or a transfer fails.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use crate::redirect::RedirectError;

/// The reason that a request has no usable answer. URLs in messages have no query, because it may hold a signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The TLS configuration cannot be built.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
    /// The text is not a URL of http or https.
    #[error("`{0}` is not a URL that begins with https:// or http://")]
    InvalidUrl(String),
    /// The server cannot be reached.
    #[error("cannot connect to {host}: {cause}")]
    Connect {
        /// Host and port.
        host: String,
        /// Cause.
        cause: String,
    },
    /// The server's certificate is refused, or the handshake fails.
    #[error("no secure connection to {host}: {cause}")]
    Tls {
        /// Host and port.
        host: String,
        /// Cause.
        cause: String,
    },
    /// The connection broke before the end of the answer.
    #[error("the connection to {host} broke: {cause}")]
    Broken {
        /// Host and port.
        host: String,
        /// Cause.
        cause: String,
    },
    /// No byte arrived for the stall limit.
    #[error("{host} sent no byte for {} s", limit.as_secs())]
    Stalled {
        /// Host and port.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// The server refuses the request or fails.
    #[error(transparent)]
    Status(Box<StatusError>),
    /// A redirect is not followed.
    #[error("{url} cannot be read: {cause}")]
    Redirect {
        /// The URL that redirects.
        url: String,
        /// Cause.
        cause: RedirectError,
    },
    /// The answer exceeds its limit.
    #[error("the answer of {url} is longer than {limit} bytes")]
    TooLong {
        /// The URL.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// The answer is not what the API promises.
    #[error("{url} sent an unexpected answer: {cause}")]
    Unexpected {
        /// The URL.
        url: String,
        /// Cause.
        cause: String,
    },
}

/// An answer that is neither a success nor a redirect.
#[derive(Debug, thiserror::Error)]
#[error("{url} answered {status}{}", message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct StatusError {
    /// The URL that answered.
    pub url: String,
    /// The status.
    pub status: StatusCode,
    /// The server's explanation, if it sent one.
    pub message: Option<String>,
    /// The hub's `X-Error-Code`, such as `GatedRepo`.
    pub code: Option<String>,
    /// The pause that the server asks for.
    pub retry_after: Option<Duration>,
}

impl HttpError {
    /// Returns the answer's status, if the server answered.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(answer) => Some(answer.status),
            _ => None,
        }
    }
}

/// The reason that a file was not downloaded. What has arrived is kept, unless the message says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The server cannot be reached, or refuses.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A file cannot be opened, written or renamed.
    #[error("cannot {action} {}: {cause}", path.display())]
    File {
        /// The operation, completing "cannot …".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Cause.
        cause: io::Error,
    },
    /// The disk is too small.
    #[error(
        "{} has too little space: {} are needed, {} are free; free {} more",
        path.display(), format_size(*needed), format_size(*available),
        format_size(needed.saturating_sub(*available))
    )]
    NoSpace {
        /// The directory.
        path: PathBuf,
        /// Bytes that still have to be written.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// The server does not state how long the file is, so a cut connection could not be told from its end.
    #[error("{url} does not state the file's size, so its end cannot be recognized")]
    NoSize {
        /// The URL.
        url: String,
    },
    /// The file has another size than expected.
    #[error("{url} has {actual} bytes, but {expected} are expected")]
    WrongSize {
        /// The URL.
        url: String,
        /// Size by the listing.
        expected: u64,
        /// Size by the server.
        actual: u64,
    },
    /// The content does not have the expected digest, not even when downloaded twice. Nothing is kept.
    #[error(
        "{url} was downloaded twice and is not what is expected: its digest is {actual}, expected is {expected}; \
         nothing was kept"
    )]
    WrongDigest {
        /// The URL.
        url: String,
        /// Digest by the listing, in hexadecimal digits.
        expected: String,
        /// Digest of what arrived.
        actual: String,
    },
    /// The server sent a Git LFS pointer in place of the file.
    #[error(
        "{url} is a Git LFS pointer, not the file itself: use the address that the server offers for downloads \
         (at Hugging Face, /resolve/ instead of /raw/)"
    )]
    LfsPointer {
        /// The URL.
        url: String,
    },
    /// The server sent something else in place of a model file, such as a page with a form to log in. Nothing is kept.
    #[error(
        "{url} is not a model file: what the server sent does not begin with `GGUF`; it may be a page of a website"
    )]
    NotGguf {
        /// The URL.
        url: String,
    },
    /// The transfer began again too often.
    #[error("{url} was begun {restarts} times and not completed: {reason}")]
    Restarts {
        /// The URL.
        url: String,
        /// Number of restarts.
        restarts: u32,
        /// Reason for the last one.
        reason: String,
    },
}

impl TransferError {
    /// Returns a function that turns an I/O error into this one.
    pub(crate) fn file(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::File {
            action,
            path,
            cause,
        }
    }
}

/// Formats a number of bytes, rounded up, so that freeing as much is enough.
fn format_size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..0x10_0000 => (1 << 10, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    let tenths = (u128::from(bytes) * 10).div_ceil(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up() {
        for (bytes, expected) in [
            (0, "0.0 KiB"),
            (1, "0.1 KiB"),
            (1 << 20, "1.0 MiB"),
            ((1 << 20) + 1, "1.1 MiB"),
            (5 << 29, "2.5 GiB"),
        ] {
            assert_eq!(format_size(bytes), expected);
        }
    }
}
