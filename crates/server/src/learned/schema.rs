//! The file: opening it, its versions, moving it aside.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tracing::warn;

use super::LearnedError;

const NAME: &str = "learned.sqlite";

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(2);

/// What makes each version from the one before it. The file's version is how many have been applied.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE lessons (
        file       TEXT NOT NULL,
        arguments  TEXT NOT NULL,
        engine     TEXT NOT NULL,
        reported   TEXT,
        observed   TEXT,
        load_us    INTEGER NOT NULL,
        context    INTEGER,
        loads      INTEGER NOT NULL,
        learned_at INTEGER NOT NULL,
        used_at    INTEGER NOT NULL,
        PRIMARY KEY (file, arguments, engine)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lessons_by_use ON lessons (used_at);
"];

/// Opens the file in a state directory, which is made if it is not there.
pub(super) fn open(directory: &Path) -> Result<Connection, LearnedError> {
    make(directory).map_err(|source| LearnedError::Directory {
        path: directory.to_owned(),
        source,
    })?;
    let path = directory.join(NAME);
    let _alone = alone(&with_end(&path, ".lock"));
    let moved = match open_file(&path) {
        Ok(connection) => return Ok(connection),
        Err(Unusable::Broken(error)) => {
            warn!(file = %path.display(), %error, "what loads taught cannot be read; it is moved aside, and learned again");
            aside(&path, "broken")
        }
        Err(Unusable::Newer(version)) => {
            warn!(
                file = %path.display(),
                version,
                known = MIGRATIONS.len(),
                "what loads taught was written by a later version of paddock; it is moved aside, and learned again"
            );
            aside(&path, "newer")
        }
        Err(Unusable::Refused(source)) => return Err(LearnedError::Open { path, source }),
    };
    moved.map_err(|source| LearnedError::Aside {
        path: path.clone(),
        source,
    })?;
    open_file(&path).map_err(|unusable| LearnedError::Open {
        path,
        source: unusable.into_error(),
    })
}

/// Makes a directory that only its user may enter; one that is there stays as it is.
fn make(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
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
        if matches!(error, rusqlite::Error::SqlInputError { .. }) {
            return Self::Broken(error);
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
                Self::Broken(error)
            }
            _ => Self::Refused(error),
        }
    }
}

fn open_file(path: &Path) -> Result<Connection, Unusable> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // In write-ahead mode readers and writers do not wait for each other, and at a crash a write is there
    // or not. With NORMAL a power cut may cost the last lessons, and each write spares a sync.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    migrate(&mut connection)?;
    // A damaged page would be found when a lesson on it is wanted, and then only logged.
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(Unusable::Broken(rusqlite::Error::SqliteFailure(
            code,
            Some(verdict),
        )));
    }
    // This fails where the table is not what this version makes.
    connection.prepare(super::store::SELECT)?;
    Ok(connection)
}

/// Brings the schema up to date in one step that happens as a whole, however many processes try.
fn migrate(connection: &mut Connection) -> Result<(), Unusable> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let pending = usize::try_from(version)
        .ok()
        .and_then(|done| MIGRATIONS.get(done..))
        .ok_or(Unusable::Newer(version))?;
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {}", MIGRATIONS.len()))?;
    Ok(transaction.commit()?)
}

/// Moves the file and what belongs to it aside, over what was moved there before: there is never more
/// than one of a kind.
fn aside(path: &Path, why: &str) -> io::Result<()> {
    for end in ["-wal", "-shm", ""] {
        let from = with_end(path, end);
        let to = with_end(path, &format!(".{why}{end}"));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A log from an earlier time does not belong to the file that goes there now.
                if !end.is_empty() {
                    let _ = std::fs::remove_file(&to);
                }
            }
            other => other?,
        }
    }
    Ok(())
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
