//! Reads the header of a model file without downloading the file.

use paddock_gguf::{Error, Header};
use paddock_models::hub_cache::Commit;
use paddock_models::{RepoName, RepoPath};

use super::{Hub, HubError};
use crate::limits;

/// Number of bytes after which the header is parsed for the first time; then after each doubling.
const FIRST_PARSE_BYTES: usize = 256 << 10;

/// Longest header to read. Vocabularies of 262,144 tokens take about 10 MB.
const MAX_HEADER_BYTES: u64 = 64 << 20;

impl Hub {
    /// Reads the header of a model file, and as little more as possible.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or it is not a model.
    pub async fn header(
        &self,
        repo: &RepoName,
        commit: &Commit,
        file: &RepoPath,
    ) -> Result<Header, HubError> {
        let url = self.file_url(repo, commit, file);
        let (private, stall) = (self.private_headers()?, limits::STALL_TIMEOUT);
        let answer = self
            .client
            .get(&url, &private, Some(&(0..MAX_HEADER_BYTES)), stall)
            .await;
        let mut answer = answer.map_err(|error| self.explain(repo, error))?;
        let mut bytes = Vec::new();
        let mut parse_at = FIRST_PARSE_BYTES;
        loop {
            let chunk = answer.next_chunk(stall).await?;
            let is_last = chunk.is_none() || bytes.len() as u64 >= MAX_HEADER_BYTES;
            bytes.extend_from_slice(&chunk.unwrap_or_default());
            if !is_last && bytes.len() < parse_at {
                continue;
            }
            parse_at = bytes.len().saturating_mul(2);
            match Header::read(&*bytes) {
                // The rest of the answer is not read: dropping the answer closes its connection.
                Ok(header) => return Ok(header),
                Err(Error::HeaderTruncated(_)) if !is_last => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
