//! An unfinished file: `NAME.part`, and the record `NAME.part.json` beside it.
//!
//! The record never claims a byte that is not on disk: bytes are written first, then synchronized, and only then
//! recorded, in a new file that replaces the old one. So a SIGKILL or a power failure at any moment loses at most the
//! bytes since the last record.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::digest::{Digest, Output};

use crate::error::TransferError;
use crate::file_lock::FileLock;
use crate::part_record::{Content, PartRecord, Source};
use crate::pieces::{ByteRanges, checkpoint_bytes};
use crate::plain_file::{open_or_create, read_small};

/// Bytes that are hashed between two reports of progress.
const HASHED_STEP_BYTES: u64 = 32 << 20;

/// Bytes that one read asks for.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Longest record to read.
const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Size below which a file may be a Git LFS pointer (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).
pub(crate) const MAX_LFS_POINTER_BYTES: u64 = 1024;

const LFS_POINTER_PREFIX: &[u8] = b"version https://git-lfs";

/// An unfinished file.
#[derive(Debug)]
pub(crate) struct PartFile {
    path: PathBuf,
    record_path: PathBuf,
    file: Arc<File>,
    /// Held by each blocking operation too, because dropping this does not end it.
    lock: Arc<FileLock>,
    source: Source,
    /// Known once a server has answered, or from the record.
    content: Option<Content>,
    complete: ByteRanges,
    unrecorded_bytes: u64,
    is_recording: bool,
}

impl PartFile {
    /// Opens the unfinished file of `target`, or creates it. Discards bytes of another source.
    pub(crate) fn open(
        target: &Path,
        source: Source,
        expected_size: Option<u64>,
        lock: FileLock,
    ) -> Result<Self, TransferError> {
        let path = with_suffix(target, ".part");
        let record_path = with_suffix(target, ".part.json");
        let file = open_or_create(&path).map_err(TransferError::file("open", &path))?;
        let file_len = file
            .metadata()
            .map_err(TransferError::file("read", &path))?
            .len();
        let record = read_small(&record_path, MAX_RECORD_BYTES);
        let record = record.and_then(|bytes| serde_json::from_slice::<PartRecord>(&bytes).ok());
        let checked = record.and_then(|record| record.check(&source, expected_size, file_len));
        let mut part = Self {
            path,
            record_path,
            file: Arc::new(file),
            lock: Arc::new(lock),
            source,
            content: None,
            complete: ByteRanges::default(),
            unrecorded_bytes: 0,
            is_recording: false,
        };
        match checked {
            Some((content, complete)) => (part.content, part.complete) = (Some(content), complete),
            None => part.reset()?,
        }
        Ok(part)
    }

    /// Discards everything.
    pub(crate) fn reset(&mut self) -> Result<(), TransferError> {
        // The record first: it must not outlive what it describes.
        remove_if_present(&self.record_path)?;
        self.file
            .set_len(0)
            .map_err(TransferError::file("truncate", &self.path))?;
        self.content = None;
        self.complete = ByteRanges::default();
        self.unrecorded_bytes = 0;
        Ok(())
    }

    /// Deletes the unfinished file and its record.
    pub(crate) fn delete(mut self) -> Result<(), TransferError> {
        self.unrecorded_bytes = 0;
        remove_if_present(&self.record_path)?;
        remove_if_present(&self.path)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn content(&self) -> Option<&Content> {
        self.content.as_ref()
    }

    pub(crate) fn set_content(&mut self, content: Content) {
        self.content = Some(content);
    }

    pub(crate) fn complete(&self) -> &ByteRanges {
        &self.complete
    }

    /// Returns true if all bytes are on disk.
    pub(crate) fn is_complete(&self) -> bool {
        let count = self.complete.count();
        self.content
            .as_ref()
            .is_some_and(|content| content.size == count)
    }

    /// Returns the bytes that the file occupies on disk.
    pub(crate) fn allocated_bytes(&self) -> u64 {
        let metadata = self.file.metadata();
        // The unit is 512 bytes, whatever the block size of the file system (stat(2)).
        metadata.map_or(0, |metadata| metadata.blocks().saturating_mul(512))
    }

    /// Returns the directory of the file.
    pub(crate) fn directory(&self) -> &Path {
        parent_of(&self.path)
    }

    /// Writes bytes at an offset. Only copies into the page cache, so it does not need a thread of its own.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), TransferError> {
        let written = self.file.write_all_at(bytes, offset);
        written.map_err(TransferError::file("write", &self.path))?;
        let count = bytes.len() as u64;
        self.complete.insert(offset..offset.saturating_add(count));
        self.unrecorded_bytes += count;
        Ok(())
    }

    /// Returns true if enough bytes have arrived since the last record.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        let size = self.content.as_ref().map_or(0, |content| content.size);
        self.unrecorded_bytes >= checkpoint_bytes(size)
    }

    /// Synchronizes the bytes and records them.
    pub(crate) async fn checkpoint(&mut self) -> Result<(), TransferError> {
        let Some(content) = &self.content else {
            return Ok(());
        };
        let record = PartRecord::new(&self.source, content, &self.complete);
        let (file, path, lock) = (
            Arc::clone(&self.file),
            self.record_path.clone(),
            Arc::clone(&self.lock),
        );
        self.is_recording = true;
        let written = run_blocking(move || {
            let _held = lock;
            write_record(&file, &path, &record)
        });
        written
            .await
            .map_err(TransferError::file("write", &self.record_path))?;
        self.is_recording = false;
        self.unrecorded_bytes = 0;
        Ok(())
    }

    /// Returns true if the file is a Git LFS pointer.
    pub(crate) fn is_lfs_pointer(&self) -> bool {
        let size = self.content.as_ref().map_or(0, |content| content.size);
        let mut start = [0; LFS_POINTER_PREFIX.len()];
        size <= MAX_LFS_POINTER_BYTES
            && self.file.read_exact_at(&mut start, 0).is_ok()
            && is_lfs_pointer(&start)
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Gives the file its final name.
    pub(crate) async fn publish(mut self, target: &Path) -> Result<(), TransferError> {
        let (file, path, to) = (Arc::clone(&self.file), self.path.clone(), target.to_owned());
        let lock = Arc::clone(&self.lock);
        self.unrecorded_bytes = 0;
        let published = run_blocking(move || {
            let _held = lock;
            file.sync_all()?;
            fs::rename(&path, &to)?;
            File::open(parent_of(&to))?.sync_all()
        });
        published
            .await
            .map_err(TransferError::file("rename the finished file to", target))?;
        // After the renaming: a part without its record would be worthless.
        remove_if_present(&self.record_path)
    }
}

impl Drop for PartFile {
    /// Records what has arrived when a transfer is interrupted. A file without bytes is deleted.
    fn drop(&mut self) {
        if self.complete.count() == 0 {
            let _stays = remove_if_present(&self.path);
        }
        let Some(content) = self.content.as_ref().filter(|_| self.unrecorded_bytes > 0) else {
            return;
        };
        // A record that is being written now is good enough, and must not be disturbed.
        if !self.is_recording {
            let record = PartRecord::new(&self.source, content, &self.complete);
            let _older_record_stays = write_record(&self.file, &self.record_path, &record);
        }
    }
}

/// Returns true if a file that starts so is a Git LFS pointer.
pub(crate) fn is_lfs_pointer(start: &[u8]) -> bool {
    start.starts_with(LFS_POINTER_PREFIX)
}

/// Computes a digest of the first `size` bytes, after what `hasher` has seen.
pub(crate) async fn hash_file<D: Digest + Send + 'static>(
    file: &Arc<File>,
    size: u64,
    mut hasher: D,
    progress: impl Fn(u64),
) -> io::Result<Output<D>> {
    let mut offset = 0;
    while offset < size {
        let range = offset..size.min(offset + HASHED_STEP_BYTES);
        offset = range.end;
        let file = Arc::clone(file);
        hasher = run_blocking(move || hash_range(&file, range, hasher)).await?;
        progress(offset);
    }
    Ok(hasher.finalize())
}

fn hash_range<D: Digest>(file: &File, range: Range<u64>, mut hasher: D) -> io::Result<D> {
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut offset = range.start;
    while offset < range.end {
        let left = usize::try_from(range.end - offset).unwrap_or(usize::MAX);
        let count = left.min(buffer.len());
        file.read_exact_at(&mut buffer[..count], offset)?;
        hasher.update(&buffer[..count]);
        offset += count as u64;
    }
    Ok(hasher)
}

/// Synchronizes the file's bytes, and then replaces the record.
fn write_record(file: &File, path: &Path, record: &PartRecord) -> io::Result<()> {
    file.sync_data()?;
    let new_path = with_suffix(path, ".new");
    // Whatever has this name may be a link that another user has put there.
    match fs::remove_file(&new_path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut new = File::create_new(&new_path)?;
    new.write_all(&serde_json::to_vec(record)?)?;
    new.sync_data()?;
    fs::rename(new_path, path)
}

/// Runs a blocking operation on a thread.
async fn run_blocking<T: Send + 'static>(
    operation: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(operation)
        .await
        .map_err(io::Error::other)?
}

fn remove_if_present(path: &Path) -> Result<(), TransferError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(TransferError::file("delete", path)(error))
        }
        _ => Ok(()),
    }
}

/// Returns the path with a suffix after the file name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Returns the directory of a file.
pub(crate) fn parent_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
