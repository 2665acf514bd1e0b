//! The runtime directory: where the children's sockets are, for one run of paddock.
//!
//! It is locked for as long as its paddock lives: a process that is killed lets go of it, and no
//! cleaner of old files (tmpfiles.d(5)) takes it away from one that lives. Its record says which run it
//! belongs to, signed with the key of the state directory, so that the next paddock can tell what an
//! earlier one left behind from what somebody else put there: see [`crate::sweep`].

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::state_dir::Key;
use paddock_telemetry::private_dir;

/// Begins the name of each runtime directory.
pub(crate) const PREFIX: &str = "paddock-";

/// The file in it that says whose it is.
const RECORD: &str = "record";

/// Its first line.
const TITLE: &str = "paddock run 1";

/// The most that is read of a record.
const MOST_OF_RECORD: u64 = 1024;

/// The variable of a child's environment that names the run it belongs to.
pub const RUN_VARIABLE: &str = "PADDOCK_RUN";

/// One run of paddock: 32 hexadecimal digits nobody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run(String);

impl Run {
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

/// The runtime directory of this run. Dropped, it is removed.
#[derive(Debug)]
pub struct RuntimeDir {
    directory: TempDir,
    run: Run,
    _lock: File,
}

impl RuntimeDir {
    /// Makes the directory, which only this user can enter, and writes its record if there is a key.
    ///
    /// # Errors
    /// The system denies it.
    pub fn make(place: &Path, key: Option<&Key>) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        let lock = File::open(directory.path())?;
        lock.lock()?;
        let run = Run::new()?;
        if let Some(key) = key {
            let record = record(directory.path(), &run, key);
            fs::write(directory.path().join(RECORD), record)?;
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
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// The system denies it.
    pub fn close(self) -> io::Result<()> {
        self.directory.close()
    }
}

/// Chooses the place: the configured one, else the user's own, else that of temporary files. Short
/// ones are best, for a socket's path has 107 bytes.
pub fn place(configured: Option<&Path>) -> PathBuf {
    configured
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("XDG_RUNTIME_DIR").map(Into::into))
        .filter(|place| place.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}

/// Reads whose run a directory belongs to. `None` if its record is missing, was not signed with this
/// key, or was signed for another directory.
pub(crate) fn run_of(directory: &Path, key: &Key) -> Option<Run> {
    let mut text = String::new();
    let record = directory.join(RECORD);
    private_dir::check_file(&record).ok()?;
    let file = File::open(record).ok()?;
    file.take(MOST_OF_RECORD).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    let (title, run, signature) = (lines.next()?, lines.next()?, lines.next()?);
    if title != TITLE || lines.next().is_some() {
        return None;
    }
    let signature = bytes(signature.strip_prefix("signature ")?)?;
    let run = Run(run.strip_prefix("run ")?.to_owned());
    key.has_signed(&signed(directory, &run), &signature)
        .then_some(run)
}

fn record(directory: &Path, run: &Run, key: &Key) -> String {
    let signature = hex(&key.sign(&signed(directory, run)));
    format!("{TITLE}\nrun {}\nsignature {signature}\n", run.as_str())
}

/// What is signed: the run, and its directory, so that a copy elsewhere counts for nothing.
fn signed(directory: &Path, run: &Run) -> Vec<u8> {
    let text = format!("{TITLE}\n{}\n", run.as_str());
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

fn bytes(hex: &str) -> Option<Vec<u8>> {
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
        let place = tempfile::tempdir().unwrap();
        let key = Key::of(state.path()).unwrap();
        let made = RuntimeDir::make(place.path(), Some(&key)).unwrap();
        let mode = fs::metadata(made.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(run_of(made.path(), &key).as_ref(), Some(made.run()));

        let strange = tempfile::tempdir().unwrap();
        let strange = Key::of(strange.path()).unwrap();
        assert_eq!(run_of(made.path(), &strange), None);
        let copy = tempfile::tempdir().unwrap();
        fs::copy(made.path().join(RECORD), copy.path().join(RECORD)).unwrap();
        assert_eq!(run_of(copy.path(), &key), None);
    }

    #[test]
    fn a_record_that_was_changed_counts_for_nothing() {
        let state = tempfile::tempdir().unwrap();
        let key = Key::of(state.path()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let made = RuntimeDir::make(place.path(), Some(&key)).unwrap();
        let path = made.path().join(RECORD);
        let whole = fs::read_to_string(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            // The case of the signature's digits means nothing, and a final newline need not be there.
            if let Some(run) = run_of(made.path(), &key) {
                assert_eq!(&run, made.run(), "byte {at}");
            }
            fs::write(&path, &whole[..at]).unwrap();
            let cut = run_of(made.path(), &key);
            assert_eq!(cut.is_some(), at == whole.len() - 1, "cut at {at}");
        }
        fs::write(&path, whole.clone() + "more\n").unwrap();
        assert_eq!(run_of(made.path(), &key), None);
        fs::write(&path, [0xff; 4096]).unwrap();
        assert_eq!(run_of(made.path(), &key), None);
    }

    #[test]
    fn without_a_key_there_is_no_record() {
        let place = tempfile::tempdir().unwrap();
        let made = RuntimeDir::make(place.path(), None).unwrap();
        assert_eq!(fs::read_dir(made.path()).unwrap().count(), 0);
    }
}
