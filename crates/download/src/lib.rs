//! Downloads model files and engine releases over HTTP.
//!
//! Invariant: a file appears under its final name only whole and verified, and credentials are sent to no other host
//! than the one they are for.
//!
//! [`fetch_file`] downloads one file: its pieces arrive over several connections, and a record beside the unfinished
//! file states which bytes are on disk, so that a later call continues. [`Hub`] reads repositories of Hugging Face, and
//! [`Releases`] lists the releases of a GitHub repository.

mod content_range;
mod error;
mod file_lock;
mod free_space;
mod http_client;
mod hub;
mod limits;
mod part_file;
mod part_record;
mod pieces;
mod plain_file;
mod receipt;
mod redirect;
mod releases;
mod retry_policy;
mod source_archive;
mod tls_roots;
mod transfer;
mod url_pull;

pub use error::{HttpError, StatusError, TransferError};
pub use free_space::check_free_space;
pub use http::HeaderMap;
pub use http_client::HttpClient;
pub use hub::{Hub, HubError, PulledModel, RepoListing, Token, TokenError};
pub use releases::{Asset, Release, Releases};
pub use source_archive::fetch_source_archive;
pub use transfer::{Fetched, FileRequest, Progress, fetch_file};
pub use url_pull::pull_url;

/// Returns bytes in hexadecimal digits, as digests are written.
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Parses a SHA-256 digest of 64 hexadecimal digits.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}
