//! Downloads one file: lock, missing bytes, digest, final name.

mod receiver;
mod step;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::HttpClient;
use crate::error::TransferError;
use crate::file_lock::FileLock;
use crate::limits;
use crate::part_file::{PartFile, hash_file, parent_of, with_suffix};
use crate::part_record::Source;
use crate::plain_file::open_to_read;
use crate::receipt;
use crate::redirect::display_url;
use crate::to_hex;
use receiver::Receiver;

/// Connections of a transfer, unless the request says otherwise.
const DEFAULT_CONNECTIONS: usize = 4;

/// The file to download.
#[derive(Debug, Clone)]
pub struct FileRequest {
    /// The address, http or https.
    pub url: String,
    /// Header fields for the origin of this URL. No other host gets them.
    pub headers: HeaderMap,
    /// The size, if it is known beforehand.
    pub size: Option<u64>,
    /// The SHA-256, if it is known beforehand.
    pub sha256: Option<[u8; 32]>,
    /// Git's digest of the content, if it is known beforehand: SHA-1 of `blob SIZE\0` and the content.
    pub git_blob: Option<[u8; 20]>,
    /// The number of connections, at least 1.
    pub connections: usize,
    /// The lock file. `None` stands for `NAME.lock` beside the target, which is deleted afterwards.
    pub lock: Option<PathBuf>,
    /// The file that notes that the target was verified. Without it, a target that is there already is verified each
    /// time.
    pub receipt: Option<PathBuf>,
    /// Bytes that the file must begin with. Empty if the content is known by its digest, or any is right.
    pub magic: &'static [u8],
    /// True to replace a target that is there already.
    pub replace: bool,
}

/// A step of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Another process downloads the same file; this one waits for it.
    Waiting,
    /// The server has answered.
    Started {
        /// Bytes on disk from an earlier attempt.
        held: u64,
        /// The file's size.
        size: u64,
    },
    /// Bytes have arrived.
    Received {
        /// Bytes on disk.
        received: u64,
        /// The file's size.
        size: u64,
    },
    /// A request has failed and will be repeated.
    Retrying {
        /// The pause before the repetition.
        after: Duration,
        /// The failure.
        reason: String,
    },
    /// The download begins again; all bytes so far are discarded.
    Restarted {
        /// The reason.
        reason: String,
    },
    /// The digest of the complete file is being computed.
    Verifying {
        /// Bytes hashed.
        verified: u64,
        /// The file's size.
        size: u64,
    },
}

/// A complete file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The size.
    pub bytes: u64,
    /// The SHA-256.
    pub sha256: [u8; 32],
    /// False if the file was there already.
    pub downloaded: bool,
}

impl FileRequest {
    /// Creates a request for a URL, with nothing else known.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: HeaderMap::new(),
            size: None,
            sha256: None,
            git_blob: None,
            connections: DEFAULT_CONNECTIONS,
            lock: None,
            receipt: None,
            magic: &[],
            replace: false,
        }
    }
}

/// Downloads a file to `target`. The file appears there only complete, and with the expected size and digest if they
/// are known.
///
/// A file that is there already, with the expected size, digest and magic, is not downloaded again. If another process downloads the same
/// target, waits for it. Dropping the future interrupts the transfer; the next call continues it.
///
/// # Errors
///
/// Any [`TransferError`].
pub async fn fetch_file(
    client: &HttpClient,
    request: &FileRequest,
    target: &Path,
    progress: impl Fn(Progress),
) -> Result<Fetched, TransferError> {
    let stall = limits::STALL_TIMEOUT;
    let fetching = fetch_with_stall_limit(client, request, target, stall, &progress);
    // Boxed, because the state of a transfer is large, and would be a part of each caller's.
    Box::pin(fetching).await
}

async fn fetch_with_stall_limit(
    client: &HttpClient,
    request: &FileRequest,
    target: &Path,
    stall: Duration,
    progress: &impl Fn(Progress),
) -> Result<Fetched, TransferError> {
    let url = HttpClient::parse_url(&request.url)?;
    create_directory_of(target)?;
    let mut wrong_digests = 0;
    loop {
        let lock = match lock_target(request, target, progress).await {
            Ok(lock) => lock,
            // A complete file is usable also in a directory that this user cannot write to.
            Err(error) => {
                let complete = find_complete(request, target, progress).await?;
                return complete.ok_or(error);
            }
        };
        if let Some(fetched) = find_complete(request, target, progress).await? {
            return Ok(fetched);
        }
        let source = match request.sha256 {
            Some(digest) => Source::Digest(digest),
            // Without the query: a renewed signature does not change the file, and the ETag shows if it changes.
            None => Source::Url(Sha256::digest(display_url(&url)).into()),
        };
        let mut part = PartFile::open(target, source, request.size, lock)?;
        let receiver = Receiver::new(client, &url, request, stall, &mut part, progress);
        receiver.run().await?;
        if part.is_lfs_pointer() {
            part.delete()?;
            let url = display_url(&url);
            return Err(TransferError::LfsPointer { url });
        }
        if !begins_with(part.file(), request.magic) {
            part.delete()?;
            let url = display_url(&url);
            return Err(TransferError::NotGguf { url });
        }
        let (bytes, downloaded) = (part.complete().count(), true);
        let verified = verify(request, part.file(), bytes, progress).await;
        let (sha256, mismatch) = verified.map_err(TransferError::file("read", target))?;
        let Some((expected, actual)) = mismatch else {
            part.publish(target).await?;
            write_receipt(request, target);
            return Ok(Fetched {
                bytes,
                sha256,
                downloaded,
            });
        };
        part.delete()?;
        if wrong_digests > 0 {
            let url = display_url(&url);
            return Err(TransferError::WrongDigest {
                url,
                expected,
                actual,
            });
        }
        // Bytes of an earlier attempt, or this machine's memory or disk, may be at fault.
        wrong_digests += 1;
        let reason = "its digest is not the expected one".to_owned();
        progress(Progress::Restarted { reason });
    }
}

/// Locks the target against other downloads.
async fn lock_target(
    request: &FileRequest,
    target: &Path,
    progress: &impl Fn(Progress),
) -> Result<FileLock, TransferError> {
    let (path, remove) = match &request.lock {
        Some(path) => (path.clone(), false),
        None => (with_suffix(target, ".lock"), true),
    };
    create_directory_of(&path)?;
    FileLock::acquire(&path, remove, || progress(Progress::Waiting)).await
}

pub(crate) fn create_directory_of(file: &Path) -> Result<(), TransferError> {
    let directory = parent_of(file);
    fs::create_dir_all(directory).map_err(TransferError::file("create", directory))
}

/// Computes the SHA-256 of a complete file. Also returns the expected and the actual digest if they differ.
async fn verify(
    request: &FileRequest,
    file: &Arc<File>,
    size: u64,
    progress: &impl Fn(Progress),
) -> io::Result<([u8; 32], Option<(String, String)>)> {
    let show = |verified| progress(Progress::Verifying { verified, size });
    show(0);
    let sha256: [u8; 32] = hash_file(file, size, Sha256::new(), show).await?.into();
    if let Some(expected) = request.sha256.filter(|expected| *expected != sha256) {
        return Ok((sha256, Some((to_hex(&expected), to_hex(&sha256)))));
    }
    let Some(expected) = request.git_blob else {
        return Ok((sha256, None));
    };
    let hasher = Sha1::new_with_prefix(format!("blob {size}\0"));
    let actual: [u8; 20] = hash_file(file, size, hasher, show).await?.into();
    let is_wrong = actual != expected;
    let mismatch = is_wrong.then(|| (to_hex(&expected), to_hex(&actual)));
    Ok((sha256, mismatch))
}

/// Returns the target if it exists and has the expected size, magic and digest.
///
/// The name alone shows no digest: other programs write to the hub's cache, and not all of them verify.
async fn find_complete(
    request: &FileRequest,
    target: &Path,
    progress: &impl Fn(Progress),
) -> Result<Option<Fetched>, TransferError> {
    let Some(file) = open_to_read(target).filter(|_| !request.replace) else {
        return Ok(None);
    };
    let metadata = file
        .metadata()
        .map_err(TransferError::file("read", target))?;
    let bytes = metadata.len();
    if request.size.is_some_and(|expected| expected != bytes) || !begins_with(&file, request.magic)
    {
        return Ok(None);
    }
    let complete = |sha256| Fetched {
        bytes,
        sha256,
        downloaded: false,
    };
    if let (Some(sha256), Some(path)) = (request.sha256, &request.receipt)
        && receipt::is_current(path, &metadata)
    {
        return Ok(Some(complete(sha256)));
    }
    let verified = verify(request, &Arc::new(file), bytes, progress).await;
    let (sha256, mismatch) = verified.map_err(TransferError::file("read", target))?;
    if mismatch.is_some() {
        let reason = "the file on disk has not the expected digest".to_owned();
        progress(Progress::Restarted { reason });
        return Ok(None);
    }
    if let Some(path) = &request.receipt {
        // The state before it was read.
        receipt::write(path, &metadata);
    }
    Ok(Some(complete(sha256)))
}

/// Notes that the target, just published, was verified.
fn write_receipt(request: &FileRequest, target: &Path) {
    if let Some(path) = &request.receipt
        && let Ok(metadata) = fs::metadata(target)
    {
        receipt::write(path, &metadata);
    }
}

/// Returns true if the file's first bytes are these.
fn begins_with(file: &File, magic: &[u8]) -> bool {
    let mut start = vec![0; magic.len()];
    file.read_exact_at(&mut start, 0).is_ok() && start == magic
}

#[cfg(test)]
mod tests;
