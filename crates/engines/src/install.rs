//! Installs an engine from archives, or from a directory in which it was compiled.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::digest_records::{self, DigestRecordError};
use crate::engine_name::{REMOVING_SUFFIX, UNPACKING_SUFFIX};
use crate::installed::{InstalledEngine, open};
use crate::receipt::Receipt;
use crate::store_lock::StoreLock;
use crate::unpack::{UnpackError, UnpackLimits, sync_tree, unpack_tar_gz};
use crate::{ArchiveRecord, EngineDirs, EngineName, Flavour};

/// The program's name.
const PROGRAM: &str = "llama-server";

/// Depth of the directories in which the program is looked for: `llama-b11434/llama-server`, formerly
/// `build/bin/llama-server`.
const MAX_PROGRAM_DEPTH: usize = 4;

/// An archive on disk, with its origin.
#[derive(Debug, Clone)]
pub struct ArchiveFile {
    /// The archive.
    pub path: PathBuf,
    /// The archive's name, origin and verified digest.
    pub record: ArchiveRecord,
}

/// The reason why an engine is not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The user has no directory of engines.
    #[error(
        "there is no directory for engines: none of PADDOCK_ENGINES, XDG_DATA_HOME and HOME is set"
    )]
    NoDirectory,
    /// An archive's digest differs from the recorded one.
    #[error(transparent)]
    Digest(#[from] DigestRecordError),
    /// An archive cannot be unpacked.
    #[error("cannot unpack {asset}: {source}")]
    Unpack {
        /// The archive's name.
        asset: String,
        /// The reason.
        source: UnpackError,
    },
    /// There is no program in the archives.
    #[error("{0} contains no program llama-server")]
    NoProgram(String),
    /// A file cannot be written.
    #[error("cannot write below {directory}: {source}")]
    Io {
        /// The directory of engines.
        directory: String,
        /// The reason.
        source: io::Error,
    },
}

/// An engine that is unpacked but not installed. Dropping it removes its files.
#[derive(Debug)]
pub struct UnpackedEngine {
    store: PathBuf,
    name: EngineName,
    directory: PathBuf,
    /// Path of the program in `directory`.
    program: PathBuf,
    archives: Vec<ArchiveRecord>,
    /// Held until the engine is installed or dropped.
    _lock: StoreLock,
}

impl UnpackedEngine {
    /// Unpacks archives: the first contains the program, and the others contain libraries to put beside it. Waits
    /// while another process changes the directory of engines.
    ///
    /// # Errors
    ///
    /// An archive has changed since its first installation, is damaged or hostile, or has no program, or files cannot
    /// be written.
    pub fn unpack(
        dirs: &EngineDirs,
        name: EngineName,
        archives: &[ArchiveFile],
    ) -> Result<Self, InstallError> {
        let mut engine = Self::begin(dirs, name)?;
        for archive in archives {
            let record = &archive.record;
            digest_records::check_digest(&engine.store, &record.asset, &record.sha256)?;
        }
        for (index, archive) in archives.iter().enumerate() {
            engine.add(archive, index == 0)?;
        }
        Ok(engine)
    }

    /// Copies an engine from the directory in which it was compiled.
    ///
    /// # Errors
    ///
    /// The directory has no program, or files cannot be written.
    pub fn copy(dirs: &EngineDirs, name: EngineName, built: &Path) -> Result<Self, InstallError> {
        let mut engine = Self::begin(dirs, name)?;
        copy_tree(built, &engine.directory).map_err(|source| engine.io_error(source))?;
        let program = find_program(&engine.directory);
        engine.program =
            program.ok_or_else(|| InstallError::NoProgram(built.display().to_string()))?;
        Ok(engine)
    }

    fn begin(dirs: &EngineDirs, name: EngineName) -> Result<Self, InstallError> {
        let store = dirs.own.clone().ok_or(InstallError::NoDirectory)?;
        let directory = store.join(format!("{name}{UNPACKING_SUFFIX}"));
        let fail = |source| InstallError::Io {
            directory: store.display().to_string(),
            source,
        };
        let lock = StoreLock::acquire(&store).map_err(fail)?;
        fs::create_dir(&directory).map_err(fail)?;
        Ok(Self {
            store,
            name,
            directory,
            program: PathBuf::new(),
            archives: Vec::new(),
            _lock: lock,
        })
    }

    fn add(&mut self, archive: &ArchiveFile, has_program: bool) -> Result<(), InstallError> {
        let file = File::open(&archive.path).map_err(|source| self.io_error(source))?;
        let target = if has_program {
            self.directory.clone()
        } else {
            // The program looks for libraries in its own directory ($ORIGIN), and the archive has them in one of its
            // own.
            let target = self.directory.join(".libraries");
            fs::create_dir_all(&target).map_err(|source| self.io_error(source))?;
            target
        };
        let asset = &archive.record.asset;
        unpack_tar_gz(file, &target, UnpackLimits::default()).map_err(|source| {
            InstallError::Unpack {
                asset: asset.clone(),
                source,
            }
        })?;
        if has_program {
            let program = find_program(&self.directory);
            self.program = program.ok_or_else(|| InstallError::NoProgram(asset.clone()))?;
        } else {
            let beside = self.program().parent().map(Path::to_owned);
            let beside = beside.unwrap_or_else(|| self.directory.clone());
            move_files(&target, &beside)
                .and_then(|()| check_links(&self.directory, &fs::canonicalize(&self.directory)?))
                .map_err(|source| self.io_error(source))?;
        }
        self.archives.push(archive.record.clone());
        Ok(())
    }

    /// Returns the path of the program, which must run before the engine is installed.
    pub fn program(&self) -> PathBuf {
        self.directory.join(&self.program)
    }

    /// Installs the engine in place of one of the same name. `version` is the line that the program printed, `now` the
    /// time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Files cannot be written.
    pub fn install(
        self,
        tag: &str,
        flavour: &Flavour,
        version: String,
        source: Option<PathBuf>,
        now: u64,
    ) -> Result<InstalledEngine, InstallError> {
        let receipt = Receipt {
            tag: tag.to_owned(),
            flavour: flavour.as_str().to_owned(),
            archives: self.archives.clone(),
            program: self.program.clone(),
            version,
            installed: now,
            source,
        };
        self.publish(&receipt)
            .map_err(|error| self.io_error(error))?;
        open(&self.store, &self.name).ok_or_else(|| self.io_error(io::ErrorKind::NotFound.into()))
    }

    fn publish(&self, receipt: &Receipt) -> io::Result<()> {
        receipt.write(&self.directory)?;
        sync_tree(&self.directory)?;
        let digests = self.archives.iter();
        let digests = digests.map(|archive| (archive.asset.clone(), archive.sha256.clone()));
        digest_records::record(&self.store, digests)?;
        let target = self.store.join(self.name.as_str());
        let replaced = self.store.join(format!("{}{REMOVING_SUFFIX}", self.name));
        if target.exists() {
            fs::rename(&target, &replaced)?;
        }
        fs::rename(&self.directory, &target)?;
        File::open(&self.store)?.sync_all()?;
        if replaced.exists() {
            fs::remove_dir_all(replaced)?;
        }
        Ok(())
    }

    fn io_error(&self, source: io::Error) -> InstallError {
        InstallError::Io {
            directory: self.store.display().to_string(),
            source,
        }
    }
}

impl Drop for UnpackedEngine {
    fn drop(&mut self) {
        // The directory is gone if the engine was installed; what remains otherwise, the next lock removes.
        let _remains = fs::remove_dir_all(&self.directory);
    }
}

/// Finds the program in a directory, the least deep one first, and returns its path in the directory.
fn find_program(root: &Path) -> Option<PathBuf> {
    let mut level = vec![PathBuf::new()];
    for _ in 0..MAX_PROGRAM_DEPTH {
        let found = level.iter().map(|directory| directory.join(PROGRAM));
        let mut found = found.filter(|program| is_program(&root.join(program)));
        if let Some(program) = found.next() {
            return Some(program);
        }
        let mut deeper = Vec::new();
        for directory in level {
            let entries = fs::read_dir(root.join(&directory)).into_iter().flatten();
            let entries = entries.flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            deeper.extend(below.map(|entry| directory.join(entry.file_name())));
        }
        deeper.sort();
        level = deeper;
    }
    None
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Moves every file below a directory into another one, and removes the directory.
fn move_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            move_files(&entry.path(), to)?;
        } else {
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
    }
    fs::remove_dir(from)
}

/// Checks that each link below a directory leads to a file below `root`: moving a link changes where it leads.
fn check_links(directory: &Path, root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            check_links(&path, root)?;
        } else if kind.is_symlink() && !fs::canonicalize(&path)?.starts_with(root) {
            let name = entry.file_name();
            let reason = format!("the link {} leads out of the engine", name.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
    }
    Ok(())
}

/// Copies the files and links of a directory. Links are relative in the directories of a build.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fs::create_dir(&target)?;
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
