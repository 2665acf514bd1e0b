//! Downloads an archive whose size the server does not state.
//!
//! GitHub makes source archives on request and sends them with `Transfer-Encoding: chunked`, so that neither ranges nor
//! several connections are possible. An archive that was cut is noticed by its chunked framing, and by the checksum of
//! gzip when it is unpacked.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use http::HeaderMap;

use crate::HttpClient;
use crate::error::{HttpError, TransferError};
use crate::limits;
use crate::part_file::with_suffix;
use crate::redirect::display_url;

/// Maximum size of an archive. llama.cpp's has about 50 MiB.
const MAX_BYTES: usize = 1024 * 1024 * 1024;

/// Downloads a file in one piece and returns its length. `target` is replaced once the file has arrived.
///
/// # Errors
///
/// Any [`TransferError`] of a request or a file.
pub async fn fetch_source_archive(
    client: &HttpClient,
    url: &str,
    target: &Path,
) -> Result<usize, TransferError> {
    let stall = limits::STALL_TIMEOUT;
    let url = HttpClient::parse_url(url)?;
    let mut answer = client.get(&url, &HeaderMap::new(), None, stall).await?;
    let part = with_suffix(target, ".part");
    let mut file = File::create(&part).map_err(TransferError::file("create", &part))?;
    let mut length = 0;
    while let Some(chunk) = answer.next_chunk(stall).await? {
        length += chunk.len();
        if length > MAX_BYTES {
            let (url, limit) = (display_url(&url), MAX_BYTES);
            return Err(HttpError::TooLong { url, limit }.into());
        }
        file.write_all(&chunk)
            .map_err(TransferError::file("write", &part))?;
    }
    fs::rename(&part, target).map_err(TransferError::file("rename", &part))?;
    Ok(length)
}
