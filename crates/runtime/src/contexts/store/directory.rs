//! The directory of the store, its lock, and the staging directories of children.
//!
//! Without encryption, staging directories are in the store's directory, so that files are moved and linked instead of
//! copied. With encryption, they are in memory (on a tmpfs), because a child writes and reads plain text.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use paddock_config::Config;
use paddock_telemetry::private_dir;
use sha2::{Digest as _, Sha256};

use super::super::error::ContextsError;
use super::files::remove_directory;
use crate::dir_lock::{DirLock, DirLockError};

/// Name of the lock file in the store's directory.
const LOCK_FILE: &str = "contexts.lock";

/// Prefix of the children's staging directories.
pub(super) const STAGING_PREFIX: &str = "staging-";

/// The tmpfs that systemd mounts on Linux (src/shared/mount-setup.c); containers usually have it too.
const SHARED_MEMORY: &str = "/dev/shm";

/// Permission bits of users other than the owner.
const OTHER_USERS_MODE: u32 = 0o077;

/// The configured location of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePlace {
    /// Directory of the store.
    pub directory: PathBuf,
    /// True if the operator chose the directory: paddock then does not change its permissions.
    pub is_chosen: bool,
    /// Key file, if contexts are encrypted.
    pub key_file: Option<PathBuf>,
    /// paddock's runtime directory, which holds the staging directories of encrypted contexts if it is on a tmpfs.
    pub runtime_dir: PathBuf,
}

impl StorePlace {
    /// Returns the location that the configuration sets.
    pub fn from_config(config: &Config, runtime_dir: &Path) -> Self {
        Self {
            directory: config.context_dir(),
            is_chosen: config.context_cache.dir.is_some(),
            key_file: config.context_cache.encryption_key_file.clone(),
            runtime_dir: runtime_dir.to_owned(),
        }
    }

    /// Creates and locks the directory.
    pub(super) fn lock(&self) -> Result<DirLock, ContextsError> {
        let refuse = |why: String| ContextsError::Directory {
            path: self.directory.clone(),
            why,
        };
        match self.is_chosen {
            true => create_or_check_private(&self.directory).map_err(refuse)?,
            false => {
                private_dir::create(&self.directory).map_err(|error| refuse(error.to_string()))?;
            }
        }
        match DirLock::acquire(&self.directory.join(LOCK_FILE)) {
            Ok(lock) => Ok(lock),
            Err(DirLockError::InUse(pid)) => {
                let pid = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
                Err(refuse(format!("another paddock{pid} is using it")))
            }
            Err(DirLockError::Io(error)) => Err(refuse(error.to_string())),
        }
    }

    /// Prepares the parent of the staging directories.
    pub(super) fn staging(&self) -> Result<Staging, ContextsError> {
        if self.key_file.is_none() {
            let parent = self.directory.clone();
            return Ok(Staging::BesideFiles { parent });
        }
        let parent = if is_in_memory(&self.runtime_dir) {
            self.runtime_dir.join("contexts")
        } else if is_in_memory(Path::new(SHARED_MEMORY)) {
            tracing::warn!(
                "encrypted contexts pass through {SHARED_MEMORY}, to which the children of all models on a GPU have access; \
                 to separate them, set server.runtime_dir to a directory on a tmpfs"
            );
            Path::new(SHARED_MEMORY).join(shared_memory_name(&self.directory))
        } else {
            return Err(ContextsError::NoMemoryFileSystem);
        };
        // A killed paddock may have left this directory. The store is locked, so no other paddock uses it.
        remove_directory(&parent)?;
        private_dir::create(&parent)?;
        Ok(Staging::InMemory { parent })
    }
}

/// The parent of the children's staging directories.
#[derive(Debug)]
pub(super) enum Staging {
    BesideFiles {
        parent: PathBuf,
    },
    /// A directory on a tmpfs, which is removed on drop.
    InMemory {
        parent: PathBuf,
    },
}

impl Staging {
    pub(super) fn parent(&self) -> &Path {
        match self {
            Self::BesideFiles { parent } | Self::InMemory { parent } => parent,
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Self::InMemory { parent } = self
            && let Err(error) = remove_directory(parent)
        {
            let parent = parent.display();
            tracing::warn!(%parent, %error, "cannot remove the plain text of contexts");
        }
    }
}

/// Creates the staging directory of a child.
pub(in super::super) fn create_staging(parent: &Path, serial: u64) -> io::Result<PathBuf> {
    let path = parent.join(format!("{STAGING_PREFIX}{serial}"));
    private_dir::create(&path)?;
    Ok(path)
}

/// Removes the staging directory of a child.
pub(in super::super) fn remove_staging(path: &Path) -> Result<(), ContextsError> {
    Ok(remove_directory(path)?)
}

/// Creates a directory that only this user may enter. Refuses an existing directory that other users may enter and
/// leaves its permissions unchanged, because the operator may use it for something else.
fn create_or_check_private(path: &Path) -> Result<(), String> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|error| error.to_string())?;
    let me = rustix::process::geteuid().as_raw();
    let link = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    let owners = [link.uid(), found.uid()];
    if let Some(owner) = owners.into_iter().find(|owner| ![0, me].contains(owner)) {
        return Err(format!(
            "user {owner} owns it, but paddock runs as user {me}"
        ));
    }
    if found.uid() != me {
        return Err(format!("root owns it, but paddock runs as user {me}"));
    }
    let mode = found.mode() & 0o7777;
    if mode & OTHER_USERS_MODE != 0 {
        let shown = path.display();
        return Err(format!(
            "other users have access to it (mode {mode:o}; `chmod go= {shown}` removes their access)"
        ));
    }
    Ok(())
}

/// Returns the name of a store's directory in shared memory. The name is the same at each start, so that a start finds
/// the leftovers of earlier runs.
fn shared_memory_name(directory: &Path) -> String {
    let hash = Sha256::digest(directory.as_os_str().as_encoded_bytes());
    let digits = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
    format!("paddock-contexts-{}", digits.collect::<String>())
}

/// Returns true if a directory is on a file system in memory (which the kernel may swap).
#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> bool {
    // Magic numbers from statfs(2).
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    rustix::fs::statfs(path).is_ok_and(|found| {
        let kind = u64::try_from(found.f_type).unwrap_or(0) & 0xffff_ffff;
        kind == TMPFS_MAGIC || kind == RAMFS_MAGIC
    })
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests;
