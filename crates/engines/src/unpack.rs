//! Unpacks archives that may be hostile.
//!
//! An archive can write only regular files, directories and links below the target. Symbolic links are created after
//! everything else, so that nothing is written through one, and then each must lead to a file below the target.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

/// Maximum number of bytes read after the last entry: tar pads archives with a few blocks.
const MAX_PADDING: u64 = 1024 * 1024;

/// Limits of an archive's contents.
#[derive(Debug, Clone, Copy)]
pub struct UnpackLimits {
    /// Maximum number of entries.
    pub entries: usize,
    /// Maximum number of bytes of all files together.
    pub bytes: u64,
}

impl Default for UnpackLimits {
    /// Returns limits far above the largest release: llama.cpp's source has about 3,000 files, and a CUDA build with
    /// its libraries has about 2 GiB.
    fn default() -> Self {
        Self {
            entries: 50_000,
            bytes: 16 * 1024 * 1024 * 1024,
        }
    }
}

/// The reason why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive is damaged, or a file cannot be written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A path or a link leaves the directory.
    #[error("the archive is hostile: {0} leads out of the directory")]
    Escape(String),
    /// A link leads to no file of the archive.
    #[error("the archive is damaged: the link {0} leads nowhere")]
    DanglingLink(String),
    /// An entry is a device or another special file.
    #[error("the archive is hostile: {0} is not a file, a directory or a link")]
    Special(String),
    /// Two entries have the same path.
    #[error("the archive is damaged: {0} is in it twice")]
    Twice(String),
    /// There are more entries than allowed.
    #[error("the archive has more than {0} entries")]
    TooManyEntries(usize),
    /// The files are larger than allowed.
    #[error("the archive's files have more than {0} bytes")]
    TooLarge(u64),
}

/// Unpacks a gzipped tar archive into an existing directory. On an error the directory may hold a part of it.
///
/// # Errors
///
/// The archive is damaged, hostile or too large, or its files cannot be written.
pub fn unpack_tar_gz(
    archive: impl Read,
    target: &Path,
    limits: UnpackLimits,
) -> Result<(), UnpackError> {
    let target = target.canonicalize()?;
    let mut archive = Archive::new(MultiGzDecoder::new(archive));
    let mut links = Vec::new();
    let mut room = limits.bytes;
    for (index, entry) in archive.entries()?.enumerate() {
        if index >= limits.entries {
            return Err(UnpackError::TooManyEntries(limits.entries));
        }
        let mut entry = entry?;
        let shown = entry.path()?.display().to_string();
        let path = target
            .join(relative(&entry.path()?).ok_or_else(|| UnpackError::Escape(shown.clone()))?);
        match entry.header().entry_type() {
            // Metadata of `git archive`.
            EntryType::XGlobalHeader => {}
            EntryType::Directory => create_dirs(&path)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let written = write_file(&mut entry, &path, &shown, room)?;
                room = room
                    .checked_sub(written)
                    .ok_or(UnpackError::TooLarge(limits.bytes))?;
            }
            EntryType::Link => {
                let source = entry.link_name()?.unwrap_or_default();
                let source = relative(&source).ok_or_else(|| UnpackError::Escape(shown.clone()))?;
                create_dirs_of(&path)?;
                fs::hard_link(target.join(source), &path)?;
            }
            EntryType::Symlink => {
                let to = entry.link_name()?.unwrap_or_default().into_owned();
                links.push((path, to, shown));
            }
            _ => return Err(UnpackError::Special(shown)),
        }
    }
    // The checksum stands at the end.
    let mut rest = archive.into_inner().take(MAX_PADDING);
    io::copy(&mut rest, &mut io::sink())?;
    create_links(&target, &links)
}

/// Returns the path of an entry without `.`; `None` if it could leave the directory.
fn relative(path: &Path) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => relative.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(relative)
}

/// Writes a file of an archive and returns its length, or a length above `room` as soon as it exceeds that.
fn write_file(
    entry: &mut Entry<'_, impl Read>,
    path: &Path,
    shown: &str,
    room: u64,
) -> Result<u64, UnpackError> {
    create_dirs_of(path)?;
    // Neither set-user-id bits nor write access for others.
    let mode = entry.header().mode()? & 0o755 | 0o600;
    let mut file = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
    {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(UnpackError::Twice(shown.to_owned()));
        }
        file => file?,
    };
    let written = io::copy(&mut entry.take(room.saturating_add(1)), &mut file)?;
    Ok(written)
}

fn create_dirs_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), create_dirs)
}

fn create_dirs(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Creates the links, then checks where each one leads: a link may pass through another one.
fn create_links(target: &Path, links: &[(PathBuf, PathBuf, String)]) -> Result<(), UnpackError> {
    for (path, to, shown) in links {
        if to.is_absolute() || is_below_link(target, path) {
            return Err(UnpackError::Escape(shown.clone()));
        }
        create_dirs_of(path)?;
        match std::os::unix::fs::symlink(to, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(UnpackError::Twice(shown.clone()));
            }
            created => created?,
        }
    }
    for (path, _, shown) in links {
        let end = path
            .canonicalize()
            .map_err(|_| UnpackError::DanglingLink(shown.clone()))?;
        if !end.starts_with(target) {
            return Err(UnpackError::Escape(shown.clone()));
        }
    }
    Ok(())
}

/// Returns whether a directory above `path` is a link, which could lead anywhere.
fn is_below_link(target: &Path, path: &Path) -> bool {
    let mut above = path.ancestors().skip(1);
    above
        .by_ref()
        .take_while(|directory| *directory != target)
        .any(Path::is_symlink)
}

/// Writes a directory and the files in it to the disk, so that a power cut cannot leave empty ones.
pub(crate) fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
