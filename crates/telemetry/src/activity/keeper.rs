use super::recent::Recent;
use super::schema::FILE;
use super::store::Store;
use super::{Lifecycle, Listed, Page, Wanted, paddock};
use crate::Batch;
use crate::database::{self, DatabaseError};
use rusqlite::ErrorCode;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The most requests that wait in memory for a disk that takes none, or are there where there is no file.
const REQUESTS: usize = 10_000;

/// The most of these that may be refusals of requests without a key, once there is no more room.
const ANONYMOUS_REFUSALS: usize = REQUESTS / 20;

/// The same of events.
const EVENTS: usize = 1_000;

/// The most bytes that the file holds: some fifteen million requests.
const MOST: u64 = 2 << 30;

/// From how many waiting requests on they are written without further delay.
const MANY: usize = 4_096;

/// What is in memory and what is in the file. Calls may block for the disk.
#[derive(Debug)]
pub(super) struct Keeper {
    /// Where there may be a file.
    directory: Option<PathBuf>,
    /// For how long what is in it stays; nothing where there is to be none.
    age: Option<Duration>,
    most: u64,
    store: Option<Store>,
    /// What the file does not have yet.
    requests: Recent<Listed>,
    events: Recent<Lifecycle>,
    /// The disk takes nothing: how many rows had been lost when that began. It has been said.
    trouble: Option<u64>,
    lost: Arc<AtomicU64>,
}

/// Why something is not written or read.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    File(#[from] DatabaseError),
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl Failure {
    /// What may change in the outside, while the connection is as good as before.
    fn is_of_the_disk(&self) -> bool {
        let Self::Sqlite(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::DatabaseBusy)
        )
    }

    fn is_broken(&self) -> bool {
        match self {
            Self::Sqlite(error) | Self::File(DatabaseError::Open { source: error, .. }) => {
                database::is_broken(error)
            }
            Self::File(_) => false,
        }
    }
}

impl Keeper {
    /// Keeps what it is given in a directory, where there is one, for as long as `age` says. Rows that are
    /// lost are counted in `lost`.
    pub(super) fn new(
        directory: Option<PathBuf>,
        age: Option<Duration>,
        lost: Arc<AtomicU64>,
    ) -> Self {
        let mut keeper = Self {
            directory,
            age: None,
            most: MOST,
            store: None,
            requests: Recent::new(REQUESTS)
                .with_minor(ANONYMOUS_REFUSALS, Listed::is_anonymous_refusal),
            events: Recent::new(EVENTS),
            trouble: None,
            lost,
        };
        keeper.keep_for(age);
        keeper
    }

    /// Keeps rows for so long from now on; without a time there is no file.
    pub(super) fn keep_for(&mut self, age: Option<Duration>) {
        self.age = age;
        if self.has_file() {
            return self.write();
        }
        self.store = None;
        self.trouble = None;
        let removed = self.directory.as_ref().map(|path| FILE.remove(path));
        match removed {
            Some(Ok(true)) => tracing::info!("the record of requests is removed, as configured"),
            Some(Err(error)) => {
                tracing::warn!(%error, "the record of requests cannot be removed");
            }
            Some(Ok(false)) | None => {}
        }
    }

    fn has_file(&self) -> bool {
        self.directory.is_some() && self.age.is_some()
    }

    /// Takes requests that have ended. Says whether they should be written without further delay.
    pub(super) fn take(&mut self, batch: &Batch) -> bool {
        for (row, id) in batch.rows() {
            let gone = self.requests.push(Listed::of(row, id, batch));
            self.count_lost(gone);
        }
        self.requests.rows().len() >= MANY
    }

    /// The newest of them, so many at most, the oldest first.
    pub(super) fn newest(&self, most: usize) -> impl Iterator<Item = &(u64, Listed)> {
        let rows = self.requests.rows();
        rows.range(rows.len().saturating_sub(most)..)
    }

    /// Takes what happened to a model.
    pub(super) fn note(&mut self, event: Lifecycle) {
        let gone = self.events.push(event);
        self.count_lost(gone);
    }

    /// Whether the paddock before this one never said that it ended.
    pub(super) fn was_cut_off(&mut self) -> bool {
        let last = Wanted {
            limit: 1,
            model: Some(paddock::NAME.to_owned()),
            ..Wanted::default()
        };
        let last = self.events(&last);
        last.first()
            .is_some_and(|(_, event)| paddock::is_cut_off(event))
    }

    /// What happened last, if it is still in memory.
    pub(super) fn newest_event(&self) -> Option<&(u64, Lifecycle)> {
        self.events.rows().back()
    }

    fn count_lost(&self, gone: bool) {
        // Where there is no file, that only the last are there is no loss.
        if gone && self.has_file() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the disk takes nothing at the moment.
    pub(super) fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// Writes what the file does not have yet. A failure is said once, and what was to be written waits.
    pub(super) fn write(&mut self) {
        if !self.has_file() {
            return;
        }
        let written = match self.try_write() {
            Err(failure) if failure.is_broken() => {
                self.move_aside(&failure).and_then(|()| self.try_write())
            }
            written => written,
        };
        match written {
            Ok(()) => self.trouble_is_over(),
            Err(failure) => self.trouble_with(&failure),
        }
    }

    fn try_write(&mut self) -> Result<(), Failure> {
        self.open()?;
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let (requests, events) = (self.requests.rows(), self.events.rows());
        if requests.is_empty() && events.is_empty() {
            return Ok(());
        }
        store.write(requests.iter(), events.iter())?;
        self.requests.clear();
        self.events.clear();
        Ok(())
    }

    /// Opens the file, if it is not open. Places go on behind those that are in it.
    fn open(&mut self) -> Result<(), Failure> {
        let Some(directory) = self.directory.as_ref().filter(|_| self.store.is_none()) else {
            return Ok(());
        };
        let store = Store::open(directory)?;
        let (requests, events) = store.next()?;
        self.requests.follow(requests);
        self.events.follow(events);
        self.store = Some(store);
        Ok(())
    }

    /// Goes on with a new file.
    fn move_aside(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.store = None;
        if let Some(directory) = &self.directory {
            FILE.move_aside(directory)?;
            tracing::warn!(
                file = %directory.join(FILE.name).display(),
                error = %failure,
                "the record of requests is damaged; it is moved aside, and begun anew"
            );
        }
        Ok(())
    }

    fn trouble_with(&mut self, failure: &Failure) {
        if !failure.is_of_the_disk() {
            self.store = None;
        }
        if self.trouble.is_some() {
            return;
        }
        self.trouble = Some(self.lost.load(Ordering::Relaxed));
        let directory = self
            .directory
            .as_ref()
            .map(|path| path.display().to_string());
        tracing::warn!(
            directory,
            error = %failure,
            "requests are served, and no longer written down: make room on the disk, or let paddock write \
             there; the last {REQUESTS} wait in memory until it can"
        );
    }

    fn trouble_is_over(&mut self) {
        if let Some(before) = self.trouble.take() {
            let lost = self.lost.load(Ordering::Relaxed) - before;
            tracing::info!(lost, "requests are written down again");
        }
    }

    /// The requests that are wanted, newest first.
    pub(super) fn requests(&mut self, wanted: &Wanted) -> Page<Listed> {
        let matches = |listed: &Listed| {
            wanted.id.as_ref().is_none_or(|id| listed.id == *id)
                && is_of(wanted, listed.model.as_deref())
        };
        let recent = self.requests.find(wanted, matches);
        self.join(wanted, recent, Store::requests)
    }

    /// The events that are wanted, newest first.
    pub(super) fn events(&mut self, wanted: &Wanted) -> Page<Lifecycle> {
        let matches = |event: &Lifecycle| is_of(wanted, Some(&event.model));
        let recent = self.events.find(wanted, matches);
        self.join(wanted, recent, Store::events)
    }

    /// What is wanted, in memory and in the file, where all is older.
    fn join<T>(
        &mut self,
        wanted: &Wanted,
        recent: Page<T>,
        read: fn(&Store, &Wanted) -> rusqlite::Result<Page<T>>,
    ) -> Page<T> {
        let from_the_file = |keeper: &mut Self, limit| {
            let wanted = Wanted {
                limit,
                ..wanted.clone()
            };
            let read = keeper.store.as_ref().map(|store| read(store, &wanted));
            read.unwrap_or_else(|| Ok(Vec::new()))
                .unwrap_or_else(|error| keeper.unreadable(&error.into()))
        };
        if wanted.after.is_none() {
            let mut all = recent;
            all.extend(from_the_file(self, wanted.limit - all.len()));
            return all;
        }
        let mut all = from_the_file(self, wanted.limit);
        let rest = wanted.limit - all.len();
        all.extend(recent.into_iter().take(rest));
        all.reverse();
        all
    }

    fn unreadable<T>(&mut self, failure: &Failure) -> Vec<T> {
        self.failed(failure, "the record of requests cannot be read");
        Vec::new()
    }

    fn failed(&mut self, failure: &Failure, what: &str) {
        let moved = if failure.is_broken() {
            self.move_aside(failure)
        } else {
            tracing::warn!(error = %failure, "{what}");
            Ok(())
        };
        if let Err(failure) = moved {
            self.trouble_with(&failure);
        }
    }

    /// Takes one step in deleting what is too old or too much. Says whether there is more to do.
    pub(super) fn tidy(&mut self, now: SystemTime) -> bool {
        let (Some(store), Some(age)) = (&mut self.store, self.age) else {
            return false;
        };
        let oldest = now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        match store.tidy(oldest, self.most) {
            Ok(more) => more,
            Err(error) => {
                // A full disk has been said, or is when the next request is written.
                let failure = Failure::from(error);
                if !failure.is_of_the_disk() {
                    self.failed(&failure, "old requests cannot be deleted");
                }
                false
            }
        }
    }
}

/// Whether something of this model is wanted.
fn is_of(wanted: &Wanted, model: Option<&str>) -> bool {
    wanted.model.is_none() || wanted.model.as_deref() == model
}

#[cfg(test)]
mod tests;
