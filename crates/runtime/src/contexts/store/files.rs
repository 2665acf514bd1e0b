//! The files of the store, in plain text or encrypted. A file's name is the number of its database row.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use paddock_contexts::{ContextCipher, ContextRef, SlotFile};
use xxhash_rust::xxh3::Xxh3Default;

use super::super::error::ContextsError;

/// Size of the buffers for hashing and writing files.
const BUFFER_BYTES: usize = 256 << 10;

/// Suffix of a complete file.
const FILE_SUFFIX: &str = ".slot";

/// Suffix of a file that is being encrypted.
const PART_SUFFIX: &str = ".part";

/// The files of the store.
#[derive(Debug)]
pub(super) struct StoreFiles {
    pub(super) directory: PathBuf,
    /// Encrypts the files; `None` to store them in plain text.
    pub(super) cipher: Option<ContextCipher>,
}

/// Size and checksum of a stored file, as its row states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredFile {
    pub(super) bytes: u64,
    /// Checksum of a plain file; 0 for an encrypted file, whose frames are authenticated.
    pub(super) checksum: u64,
}

impl StoreFiles {
    /// Returns the identifier of the key, or an empty string without encryption.
    pub(super) fn key_id(&self) -> &str {
        self.cipher.as_ref().map_or("", ContextCipher::key_id)
    }

    /// Moves a file into the store, or encrypts it into the store. After an error, the store has no part of the file.
    pub(super) fn put(
        &self,
        source: &Path,
        context: ContextRef<'_>,
    ) -> Result<StoredFile, ContextsError> {
        let path = self.path(context.id);
        let mut input = open_regular(source)?;
        let Some(cipher) = &self.cipher else {
            let stored = StoredFile {
                bytes: input.metadata()?.len(),
                checksum: checksum(&mut input)?,
            };
            // llama-server creates slot files with mode 0644.
            input.set_permissions(fs::Permissions::from_mode(0o600))?;
            fs::rename(source, path)?;
            return Ok(stored);
        };
        let part = path.with_extension(&PART_SUFFIX[1..]);
        let nonce = random()?;
        let written = write_new(&part, |output| {
            Ok(cipher.encrypt(context, &nonce, &mut input, output)?)
        });
        let moved = written.and_then(|bytes| {
            fs::rename(&part, path)?;
            Ok(StoredFile { bytes, checksum: 0 })
        });
        if moved.is_err() {
            // If this fails, the next start removes the file.
            let _ = fs::remove_file(&part);
        }
        moved
    }

    /// Checks a file of the store and makes it available in a child's staging directory: links a plain file, decrypts
    /// an encrypted one. After an error, the staging directory does not have the file.
    pub(super) fn stage(
        &self,
        context: ContextRef<'_>,
        expected: StoredFile,
        staging: &Path,
    ) -> Result<(String, SlotFile), ContextsError> {
        let name = file_name(context.id);
        let staged = staging.join(&name);
        // An earlier child of the same instance may have left the file.
        remove_file(&staged)?;
        let mut stored = open_regular(&self.path(context.id)).map_err(|error| match error {
            ContextsError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                ContextsError::Damaged
            }
            other => other,
        })?;
        if stored.metadata()?.len() != expected.bytes {
            return Err(ContextsError::Damaged);
        }
        let file = match &self.cipher {
            None => {
                let file = SlotFile::read(&stored, expected.bytes)?;
                if checksum(&mut stored)? != expected.checksum {
                    return Err(ContextsError::Damaged);
                }
                fs::hard_link(self.path(context.id), &staged)?;
                file
            }
            Some(cipher) => {
                let written = write_new(&staged, |output| {
                    Ok(cipher.decrypt(context, &mut stored, output)?)
                });
                let walked =
                    written.and_then(|len| Ok(SlotFile::read(open_regular(&staged)?, len)?));
                if walked.is_err() {
                    remove_file(&staged)?;
                }
                walked?
            }
        };
        Ok((name, file))
    }

    /// Encodes tokens for the database, encrypted if the store has a key.
    pub(super) fn seal_tokens(
        &self,
        context: ContextRef<'_>,
        tokens: &[i32],
    ) -> Result<Vec<u8>, ContextsError> {
        let encoded = encode(tokens);
        match &self.cipher {
            Some(cipher) => Ok(cipher.encrypt_tokens(context, &random()?, &encoded)?),
            None => Ok(encoded),
        }
    }

    /// Decodes tokens from the database; `None` if they were not encrypted for this context.
    pub(super) fn open_tokens(&self, context: ContextRef<'_>, stored: &[u8]) -> Option<Vec<i32>> {
        match &self.cipher {
            Some(cipher) => Some(decode(&cipher.decrypt_tokens(context, stored)?)),
            None => Some(decode(stored)),
        }
    }

    /// Removes the file of a context.
    pub(super) fn remove(&self, id: i64) -> io::Result<()> {
        remove_file(&self.path(id))
    }

    /// Returns true if the context has a regular file.
    pub(super) fn has(&self, id: i64) -> bool {
        fs::symlink_metadata(self.path(id)).is_ok_and(|found| found.is_file())
    }

    /// Removes context files without a row, partly encrypted files and staging directories. Other files are left alone:
    /// they do not belong to the store.
    pub(super) fn remove_unlisted(&self, is_listed: impl Fn(i64) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let id = |suffix: &str| name.strip_suffix(suffix)?.parse::<i64>().ok();
            let is_directory = entry.file_type()?.is_dir();
            if is_directory && name.starts_with(super::directory::STAGING_PREFIX) {
                remove_directory(&entry.path())?;
            } else if !is_directory
                && (id(FILE_SUFFIX).is_some_and(|id| !is_listed(id)) || id(PART_SUFFIX).is_some())
            {
                remove_file(&entry.path())?;
            }
        }
        Ok(())
    }

    fn path(&self, id: i64) -> PathBuf {
        self.directory.join(file_name(id))
    }
}

/// Opens a regular file that a child may have written. Refuses a symbolic link, which could lead to another file, and a
/// pipe, which would block.
pub(in super::super) fn open_regular(path: &Path) -> Result<File, ContextsError> {
    use rustix::fs::OFlags;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => ContextsError::NotRegular,
        _ => error.into(),
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(ContextsError::NotRegular),
    }
}

/// Writes a new private file and returns its length. Replaces an existing file or link.
pub(super) fn write_new(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), ContextsError>,
) -> Result<u64, ContextsError> {
    remove_file(path)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, file);
    write(&mut output)?;
    output.flush()?;
    Ok(output.get_ref().metadata()?.len())
}

/// Removes a file if it exists.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a directory and its contents if it exists.
pub(super) fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn encode(tokens: &[i32]) -> Vec<u8> {
    tokens
        .iter()
        .flat_map(|token| token.to_le_bytes())
        .collect()
}

fn decode(encoded: &[u8]) -> Vec<i32> {
    let tokens = encoded.as_chunks().0.iter();
    tokens.map(|token| i32::from_le_bytes(*token)).collect()
}

fn file_name(id: i64) -> String {
    format!("{id}{FILE_SUFFIX}")
}

fn checksum(file: &mut File) -> io::Result<u64> {
    file.rewind()?;
    let mut hash = Xxh3Default::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest()),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}
