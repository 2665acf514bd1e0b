//! The runtime directory, which holds the children's sockets for one run of paddock.
//!
//! The directory stays locked while its paddock lives: the kernel releases the lock of a killed process, and
//! cleaners of old files (tmpfiles.d(5)) skip a locked directory. A record in it names the run and is signed with
//! the state directory's key, so that a later paddock can distinguish an earlier one's directory from a forged one:
//! see [`crate::stale_cleanup`].

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::state_dir::SigningKey;
use paddock_telemetry::private_dir;

/// Prefix of each runtime directory's name.
pub(crate) const NAME_PREFIX: &str = "paddock-";

/// File with the run's signed record.
const RECORD_FILE: &str = "record";

/// First line of the record.
const RECORD_TITLE: &str = "paddock run 1";

/// Maximum number of bytes read of a record.
const MAX_RECORD_BYTES: u64 = 1024;

/// Environment variable of a child that names the run it belongs to.
pub const RUN_VARIABLE: &str = "PADDOCK_RUN";

/// The identifier of one run of paddock: 32 random hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// Creates a random identifier.
    fn new() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(hex(&bytes)))
    }

    /// Returns the run's name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The runtime directory of this run, removed on drop.
#[derive(Debug)]
pub struct RuntimeDir {
    directory: TempDir,
    run: RunId,
    _lock: File,
}

impl RuntimeDir {
    /// Creates and locks the directory, accessible to this user only, and writes its record if there is a key.
    pub fn create(parent: &Path, key: Option<&SigningKey>) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(NAME_PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let lock = File::open(directory.path())?;
        lock.lock()?;
        let run = RunId::new()?;
        if let Some(key) = key {
            let record = signed_record(directory.path(), &run, key);
            fs::write(directory.path().join(RECORD_FILE), record)?;
        }
        Ok(Self {
            directory,
            run,
            _lock: lock,
        })
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the run that the directory belongs to.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Removes the directory with its contents.
    pub fn close(self) -> io::Result<()> {
        self.directory.close()
    }
}

/// Returns the parent of runtime directories: the configured one, else the user's own, else the one for temporary
/// files. Short paths are best, because a socket's path has at most 107 bytes.
pub fn parent_dir(configured: Option<&Path>) -> PathBuf {
    configured
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("XDG_RUNTIME_DIR").map(Into::into))
        .filter(|parent| parent.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}

/// Returns the run that a directory belongs to; `None` if its record is missing, was not signed with this key, or
/// was signed for another directory.
pub(crate) fn read_run_id(directory: &Path, key: &SigningKey) -> Option<RunId> {
    let mut text = String::new();
    let record = directory.join(RECORD_FILE);
    private_dir::check_file(&record).ok()?;
    let file = File::open(record).ok()?;
    file.take(MAX_RECORD_BYTES).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    let (title, run, signature) = (lines.next()?, lines.next()?, lines.next()?);
    if title != RECORD_TITLE || lines.next().is_some() {
        return None;
    }
    let signature = parse_hex(signature.strip_prefix("signature ")?)?;
    let run = RunId(run.strip_prefix("run ")?.to_owned());
    key.has_signed(&signed_text(directory, &run), &signature)
        .then_some(run)
}

fn signed_record(directory: &Path, run: &RunId, key: &SigningKey) -> String {
    let signature = hex(&key.sign(&signed_text(directory, run)));
    format!(
        "{RECORD_TITLE}\nrun {}\nsignature {signature}\n",
        run.as_str()
    )
}

/// Returns the signed text: the run and its directory, so that a copied record is invalid.
fn signed_text(directory: &Path, run: &RunId) -> Vec<u8> {
    let text = format!("{RECORD_TITLE}\n{}\n", run.as_str());
    [text.as_bytes(), directory.as_os_str().as_bytes()].concat()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn parse_hex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_known_again_by_its_key_and_in_its_place_only() {
        let state = tempfile::tempdir().unwrap();
        let parent = tempfile::tempdir().unwrap();
        let key = SigningKey::load_or_create(state.path()).unwrap();
        let made = RuntimeDir::create(parent.path(), Some(&key)).unwrap();
        let mode = fs::metadata(made.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(read_run_id(made.path(), &key).as_ref(), Some(made.run()));

        let strange = tempfile::tempdir().unwrap();
        let strange = SigningKey::load_or_create(strange.path()).unwrap();
        assert_eq!(read_run_id(made.path(), &strange), None);
        let copy = tempfile::tempdir().unwrap();
        fs::copy(made.path().join(RECORD_FILE), copy.path().join(RECORD_FILE)).unwrap();
        assert_eq!(read_run_id(copy.path(), &key), None);
    }

    #[test]
    fn a_record_that_was_changed_counts_for_nothing() {
        let state = tempfile::tempdir().unwrap();
        let key = SigningKey::load_or_create(state.path()).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let made = RuntimeDir::create(parent.path(), Some(&key)).unwrap();
        let path = made.path().join(RECORD_FILE);
        let whole = fs::read_to_string(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            // The case of the signature's digits is ignored, and a final newline is optional.
            if let Some(run) = read_run_id(made.path(), &key) {
                assert_eq!(&run, made.run(), "byte {at}");
            }
            fs::write(&path, &whole[..at]).unwrap();
            let cut = read_run_id(made.path(), &key);
            assert_eq!(cut.is_some(), at == whole.len() - 1, "cut at {at}");
        }
        fs::write(&path, whole.clone() + "more\n").unwrap();
        assert_eq!(read_run_id(made.path(), &key), None);
        fs::write(&path, [0xff; 4096]).unwrap();
        assert_eq!(read_run_id(made.path(), &key), None);
    }

    #[test]
    fn without_a_key_there_is_no_record() {
        let parent = tempfile::tempdir().unwrap();
        let made = RuntimeDir::create(parent.path(), None).unwrap();
        assert_eq!(fs::read_dir(made.path()).unwrap().count(), 0);
    }
}
