//! A `SQLite` file in the state directory: opened, brought up to date, moved aside when it is of no use.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tracing::warn;

use crate::private_dir;

/// What follows a file's name in the names of the files that `SQLite` keeps beside it
/// (sqlite.org, "Temporary Files Used By `SQLite`").
const BESIDE: [&str; 4] = ["-journal", "-wal", "-shm", ""];

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(2);

/// What is in a file, and how it is made.
#[derive(Debug)]
pub struct Database {
    /// The file's name.
    pub name: &'static str,
    /// What it holds, for sentences such as "what loads taught cannot be read".
    pub holds: &'static str,
    /// What each connection is told before anything is read or made.
    pub pragmas: &'static str,
    /// What makes each version from the one before it. The file's version is how many have been applied.
    pub migrations: &'static [&'static str],
    /// Statements that are wrong where the tables are not what this version makes.
    pub probes: &'static [&'static str],
    /// Whether every page is looked at when it is opened, which takes a second for some hundred megabytes.
    pub checked: bool,
}

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The directory cannot be made or entered.
    #[error(
        "cannot make the state directory {}: {source}; name a place paddock may write to, or make it \
         and give it to the user paddock runs as",
        path.display()
    )]
    Directory {
        /// Path of the directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error(
        "cannot use {}: {source}; the user paddock runs as must be able to write to it and to its \
         directory",
        path.display()
    )]
    Open {
        /// Path of the database.
        path: PathBuf,
        /// Cause.
        source: rusqlite::Error,
    },
    /// The file may have been put there by another user.
    #[error("cannot use a file of the state directory: {0}")]
    Planted(#[source] io::Error),
    /// The damaged file cannot be moved aside.
    #[error("cannot move the unusable file {} out of the way: {source}", path.display())]
    Aside {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

impl Database {
    /// Opens the file in a state directory, which is made if it is not there. A file that is broken, or
    /// of a later version, is moved aside, and a new one begun. What somebody else may have put there is not
    /// opened.
    pub fn open(&self, directory: &Path) -> Result<Connection, DatabaseError> {
        private_dir::make(directory).map_err(|source| DatabaseError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let path = directory.join(self.name);
        for end in BESIDE.into_iter().chain([".lock"]) {
            private_dir::check(&with_end(&path, end)).map_err(DatabaseError::Planted)?;
        }
        let holds = self.holds;
        let _alone = alone(&with_end(&path, ".lock"));
        match self.open_file(&path) {
            Ok(connection) => return Ok(connection),
            Err(Unusable::Broken(error)) => {
                warn!(file = %path.display(), %error, "{holds} cannot be read; it is moved aside, and begun anew");
                aside(&path, "broken")
            }
            Err(Unusable::Newer(version)) => {
                warn!(
                    file = %path.display(),
                    version,
                    known = self.migrations.len(),
                    "{holds} was written by a later version of paddock; it is moved aside, and begun anew"
                );
                aside(&path, "newer")
            }
            Err(Unusable::Refused(source)) => return Err(DatabaseError::Open { path, source }),
        }?;
        self.open_file(&path)
            .map_err(|unusable| DatabaseError::Open {
                path,
                source: unusable.into_error(),
            })
    }

    /// Moves a file aside that turned out to be broken. Nobody may have it open.
    pub(crate) fn move_aside(&self, directory: &Path) -> Result<(), DatabaseError> {
        aside(&directory.join(self.name), "broken")
    }

    /// Removes the file and what belongs to it. Says whether there was one.
    ///
    /// # Errors
    /// The system denies it.
    pub(crate) fn remove(&self, directory: &Path) -> io::Result<bool> {
        let path = directory.join(self.name);
        let mut was_there = false;
        for end in ["-wal", "-shm", ".lock", ""] {
            match std::fs::remove_file(with_end(&path, end)) {
                Ok(()) => was_there |= end.is_empty(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(was_there)
    }

    fn open_file(&self, path: &Path) -> Result<Connection, Unusable> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.execute_batch(self.pragmas)?;
        // In write-ahead mode readers and writers do not wait for each other, and at a crash a write is
        // there or not. With NORMAL a power cut may cost the last writes, and each spares a sync.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        self.migrate(&mut connection)?;
        if self.checked {
            check(&connection)?;
        }
        for probe in self.probes {
            connection.prepare(probe)?;
        }
        Ok(connection)
    }

    /// Brings the schema up to date in one step that happens as a whole, however many processes try.
    fn migrate(&self, connection: &mut Connection) -> Result<(), Unusable> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let pending = usize::try_from(version)
            .ok()
            .and_then(|done| self.migrations.get(done..))
            .ok_or(Unusable::Newer(version))?;
        for migration in pending {
            transaction.execute_batch(migration)?;
        }
        if !pending.is_empty() {
            let version = self.migrations.len();
            transaction.execute_batch(&format!("PRAGMA user_version = {version}"))?;
        }
        Ok(transaction.commit()?)
    }
}

/// Whether an error says that the file itself is damaged, or is no database.
pub(crate) fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}

/// A damaged page would be found when what is on it is wanted, and then only logged.
fn check(connection: &Connection) -> Result<(), Unusable> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let error = rusqlite::Error::SqliteFailure(code, Some(verdict));
    Err(Unusable::Broken(error))
}

/// Makes other processes wait that open the file too, until what this returns is dropped.
///
/// `SQLite` itself does not wait where two connections change the same new file to write-ahead mode: one
/// is told that it is locked. And of two processes that find a broken file, one would move aside what the
/// other has begun. Where the system has no such locks, that risk is taken.
fn alone(path: &Path) -> Option<File> {
    let file = File::create(path).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// Why a file cannot be used.
enum Unusable {
    /// It is no database, or a damaged one.
    Broken(rusqlite::Error),
    /// Its version is not known here.
    Newer(i64),
    /// The system does not let it be used: the file itself may be good.
    Refused(rusqlite::Error),
}

impl Unusable {
    fn into_error(self) -> rusqlite::Error {
        match self {
            Self::Broken(error) | Self::Refused(error) => error,
            Self::Newer(version) => rusqlite::Error::IntegralValueOutOfRange(0, version),
        }
    }
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        // The statements never change: one that does not fit meets tables that paddock did not make.
        let unfit = matches!(error, rusqlite::Error::SqlInputError { .. })
            || error.sqlite_error_code() == Some(ErrorCode::Unknown);
        if unfit || is_broken(&error) {
            Self::Broken(error)
        } else {
            Self::Refused(error)
        }
    }
}

/// Moves the file and what belongs to it aside, over what was moved there before: there is never more
/// than one of a kind.
fn aside(path: &Path, why: &str) -> Result<(), DatabaseError> {
    for end in ["-wal", "-shm", ""] {
        let from = with_end(path, end);
        let to = with_end(path, &format!(".{why}{end}"));
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A log from an earlier time does not belong to the file that goes there now.
                if !end.is_empty() {
                    let _ = std::fs::remove_file(&to);
                }
            }
            Err(source) => {
                let path = path.to_owned();
                return Err(DatabaseError::Aside { path, source });
            }
        }
    }
    Ok(())
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
