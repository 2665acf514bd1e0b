//! Opens and migrates a `SQLite` file in the state directory, and moves an unusable file aside.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tracing::warn;

use crate::private_dir;

/// Suffixes of the files that `SQLite` keeps beside a database (sqlite.org, "Temporary Files Used By
/// `SQLite`").
const COMPANION_SUFFIXES: [&str; 4] = ["-journal", "-wal", "-shm", ""];

/// Time to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Describes a database file: its name, schema and migrations.
#[derive(Debug)]
pub struct Database {
    /// The file's name.
    pub name: &'static str,
    /// Content of the file, as the subject of log messages ("the load history cannot be read").
    pub description: &'static str,
    /// Statements run on each connection before the schema is read or made.
    pub pragmas: &'static str,
    /// Statements that make each version from the previous one. The file's version is the number applied.
    pub migrations: &'static [&'static str],
    /// Statements that fail to compile unless the tables are those of this version.
    pub probes: &'static [&'static str],
    /// Checks every page on opening, which takes a second for some hundred megabytes.
    pub check_on_open: bool,
}

/// Errors of a database file.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The directory cannot be made or entered.
    #[error(
        "cannot create the state directory {}: {source}; set server.state_dir to a writable directory, or create \
         this one for the user that paddock runs as",
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
        "cannot use {}: {source}; the user that paddock runs as needs write permission for the file and its \
         directory",
        path.display()
    )]
    Open {
        /// Path of the database.
        path: PathBuf,
        /// Cause.
        source: rusqlite::Error,
    },
    /// Another user may have put the file there.
    #[error("cannot use a file in the state directory: {0}")]
    Untrusted(#[source] io::Error),
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
    /// Opens the file in a state directory, creating both if missing. A damaged file, or one of a later
    /// version, is moved aside and replaced by a new one. A file that another user may have put there is not
    /// opened.
    pub fn open(&self, directory: &Path) -> Result<Connection, DatabaseError> {
        private_dir::create(directory).map_err(|source| DatabaseError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let path = directory.join(self.name);
        for suffix in COMPANION_SUFFIXES.into_iter().chain([".lock"]) {
            private_dir::check_file(&with_suffix(&path, suffix))
                .map_err(DatabaseError::Untrusted)?;
        }
        let description = self.description;
        let _lock = lock_exclusively(&with_suffix(&path, ".lock"));
        match self.open_file(&path) {
            Ok(connection) => return Ok(connection),
            Err(UnusableFile::Corrupt(error)) => {
                warn!(file = %path.display(), %error, "{description} cannot be read; moved it aside and started a \
                    new one");
                move_files_aside(&path, "broken")
            }
            Err(UnusableFile::Newer(version)) => {
                warn!(
                    file = %path.display(),
                    version,
                    known = self.migrations.len(),
                    "{description} was written by a newer version of paddock; moved it aside and started a new one"
                );
                move_files_aside(&path, "newer")
            }
            Err(UnusableFile::Denied(source)) => return Err(DatabaseError::Open { path, source }),
        }?;
        self.open_file(&path)
            .map_err(|unusable| DatabaseError::Open {
                path,
                source: unusable.into_error(),
            })
    }

    /// Moves a damaged file aside. No connection to it may be open.
    pub(crate) fn move_aside(&self, directory: &Path) -> Result<(), DatabaseError> {
        move_files_aside(&directory.join(self.name), "broken")
    }

    /// Removes the file and its companions. Returns true if the file existed.
    ///
    /// # Errors
    /// The system denies the removal.
    pub(crate) fn remove(&self, directory: &Path) -> io::Result<bool> {
        let path = directory.join(self.name);
        let mut was_there = false;
        for suffix in ["-wal", "-shm", ".lock", ""] {
            match std::fs::remove_file(with_suffix(&path, suffix)) {
                Ok(()) => was_there |= suffix.is_empty(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(was_there)
    }

    fn open_file(&self, path: &Path) -> Result<Connection, UnusableFile> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(self.pragmas)?;
        // In write-ahead mode readers and writers do not block each other, and a crash leaves each write
        // complete or absent. With NORMAL a power cut may cost the last writes, but each write saves a sync.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        self.migrate(&mut connection)?;
        if self.check_on_open {
            quick_check(&connection)?;
        }
        for probe in self.probes {
            connection.prepare(probe)?;
        }
        Ok(connection)
    }

    /// Migrates the schema to this version in one transaction, even if several processes try at once.
    fn migrate(&self, connection: &mut Connection) -> Result<(), UnusableFile> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let pending = usize::try_from(version)
            .ok()
            .and_then(|done| self.migrations.get(done..))
            .ok_or(UnusableFile::Newer(version))?;
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

/// Returns true if an error says that the file is damaged, or is no database.
pub(crate) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}

/// Finds damaged pages now; otherwise a query would find them later and could only log them.
fn quick_check(connection: &Connection) -> Result<(), UnusableFile> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let error = rusqlite::Error::SqliteFailure(code, Some(verdict));
    Err(UnusableFile::Corrupt(error))
}

/// Blocks other processes that open the file until the returned lock is dropped.
///
/// `SQLite` does not wait if two connections switch a new file to write-ahead mode at once: one fails with
/// "locked". Also, of two processes that find a damaged file, one would move aside the other's new file. On
/// systems without such locks that risk remains.
fn lock_exclusively(path: &Path) -> Option<File> {
    let file = File::create(path).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// Reason for not using a file.
enum UnusableFile {
    /// The file is no database, or is damaged.
    Corrupt(rusqlite::Error),
    /// The file's version is unknown here.
    Newer(i64),
    /// The system denies access; the file itself may be good.
    Denied(rusqlite::Error),
}

impl UnusableFile {
    fn into_error(self) -> rusqlite::Error {
        match self {
            Self::Corrupt(error) | Self::Denied(error) => error,
            Self::Newer(version) => rusqlite::Error::IntegralValueOutOfRange(0, version),
        }
    }
}

impl From<rusqlite::Error> for UnusableFile {
    fn from(error: rusqlite::Error) -> Self {
        // The statements are constant: a failure to compile means that the tables are not paddock's.
        let unfit = matches!(error, rusqlite::Error::SqlInputError { .. })
            || error.sqlite_error_code() == Some(ErrorCode::Unknown);
        if unfit || is_corrupt(&error) {
            Self::Corrupt(error)
        } else {
            Self::Denied(error)
        }
    }
}

/// Moves the file and its companions aside, replacing an earlier one moved for the same reason.
fn move_files_aside(path: &Path, why: &str) -> Result<(), DatabaseError> {
    for suffix in ["-wal", "-shm", ""] {
        let from = with_suffix(path, suffix);
        let to = with_suffix(path, &format!(".{why}{suffix}"));
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A write-ahead log moved earlier does not belong to the file that is moved now.
                if !suffix.is_empty() {
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

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
