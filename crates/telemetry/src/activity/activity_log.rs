//! Presents the activity log, whose entries are in memory and in a file, as one list.
//!
//! New entries wait in memory until the next write. While the disk fails they stay there, bounded, and the
//! oldest are lost.

use super::recent_entries::RecentEntries;
use super::schema::ACTIVITY_DATABASE;
use super::store::ActivityStore;
use super::{ActivityQuery, LifecycleEvent, LoggedRequest, Page, paddock_events};
use crate::RecordBatch;
use crate::database::{self, DatabaseError};
use rusqlite::ErrorCode;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Maximum requests buffered in memory while the disk fails, or without a file.
const MAX_BUFFERED_REQUESTS: usize = 10_000;

/// Maximum anonymous refusals (requests without an API key that were refused before they reached a model; any
/// client can send these) among the buffered requests once the buffer is full.
const MAX_BUFFERED_ANONYMOUS_REFUSALS: usize = MAX_BUFFERED_REQUESTS / 20;

/// Maximum events buffered in memory while the disk fails, or without a file.
const MAX_BUFFERED_EVENTS: usize = 1_000;

/// Size limit of the file: about fifteen million requests.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// Number of waiting requests that triggers a write without further delay.
const WRITE_NOW_REQUESTS: usize = 4_096;

/// Activity log: entries in memory and in the file. Calls may block for the disk.
#[derive(Debug)]
pub(super) struct ActivityLog {
    /// State directory, if any.
    directory: Option<PathBuf>,
    /// Retention of entries in the file; None disables the file.
    retention: Option<Duration>,
    max_bytes: u64,
    /// The open file, if there is one and it works.
    store: Option<ActivityStore>,
    /// Entries not yet written to the file.
    requests: RecentEntries<LoggedRequest>,
    events: RecentEntries<LifecycleEvent>,
    /// While the disk fails: the value of `lost` when the failure began. The failure has been logged.
    lost_before_failure: Option<u64>,
    /// Count of entries lost so far.
    lost: Arc<AtomicU64>,
}

/// Reason for a failed write or read.
#[derive(Debug, thiserror::Error)]
enum LogError {
    #[error(transparent)]
    File(#[from] DatabaseError),
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl LogError {
    /// Returns true for failures outside paddock (full disk, busy file) that leave the connection usable.
    fn is_transient(&self) -> bool {
        let Self::Sqlite(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::DatabaseBusy)
        )
    }

    fn is_corrupt(&self) -> bool {
        match self {
            Self::Sqlite(error) | Self::File(DatabaseError::Open { source: error, .. }) => {
                database::is_corrupt(error)
            }
            Self::File(_) => false,
        }
    }
}

impl ActivityLog {
    /// Creates a log in `directory`, if any, with this retention. Lost rows are counted in `lost`.
    pub(super) fn new(
        directory: Option<PathBuf>,
        retention: Option<Duration>,
        lost: Arc<AtomicU64>,
    ) -> Self {
        let mut log = Self {
            directory,
            retention: None,
            max_bytes: MAX_FILE_BYTES,
            store: None,
            requests: RecentEntries::new(MAX_BUFFERED_REQUESTS).with_minor(
                MAX_BUFFERED_ANONYMOUS_REFUSALS,
                LoggedRequest::is_anonymous_refusal,
            ),
            events: RecentEntries::new(MAX_BUFFERED_EVENTS),
            lost_before_failure: None,
            lost,
        };
        log.set_retention(retention);
        log
    }

    /// Changes the retention; None removes the file.
    pub(super) fn set_retention(&mut self, retention: Option<Duration>) {
        self.retention = retention;
        if self.has_file() {
            return self.write();
        }
        self.store = None;
        self.lost_before_failure = None;
        let removed = self
            .directory
            .as_ref()
            .map(|path| ACTIVITY_DATABASE.remove(path));
        match removed {
            Some(Ok(true)) => tracing::info!("deleted the activity database, as configured"),
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot delete the activity database");
            }
            Some(Ok(false)) | None => {}
        }
    }

    fn has_file(&self) -> bool {
        self.directory.is_some() && self.retention.is_some()
    }

    /// Adds ended requests. Returns true if they should be written without further delay.
    pub(super) fn add_requests(&mut self, batch: &RecordBatch) -> bool {
        for (record, id) in batch.records() {
            let displaced = self
                .requests
                .push(LoggedRequest::from_record(record, id, batch));
            self.count_lost(displaced);
        }
        self.requests.entries().len() >= WRITE_NOW_REQUESTS
    }

    /// Returns the newest `max` requests, oldest first.
    pub(super) fn newest_requests(
        &self,
        max: usize,
    ) -> impl Iterator<Item = &(u64, LoggedRequest)> {
        let entries = self.requests.entries();
        entries.range(entries.len().saturating_sub(max)..)
    }

    /// Adds a lifecycle event.
    pub(super) fn add_event(&mut self, event: LifecycleEvent) {
        let displaced = self.events.push(event);
        self.count_lost(displaced);
    }

    /// Returns true if the previous paddock never recorded its stop.
    pub(super) fn was_previous_run_cut_off(&mut self) -> bool {
        let last = ActivityQuery {
            limit: 1,
            model: Some(paddock_events::MODEL_NAME.to_owned()),
            ..ActivityQuery::default()
        };
        let last = self.events(&last);
        last.first()
            .is_some_and(|(_, event)| paddock_events::is_start(event))
    }

    /// Returns the newest event, if it is still in memory.
    pub(super) fn newest_event(&self) -> Option<&(u64, LifecycleEvent)> {
        self.events.entries().back()
    }

    fn count_lost(&self, displaced: bool) {
        // Without a file the buffer is all there is, so displacing its oldest entry loses nothing.
        if displaced && self.has_file() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns true while the disk fails.
    pub(super) fn is_failing(&self) -> bool {
        self.lost_before_failure.is_some()
    }

    /// Writes the buffered entries to the file. On failure they stay buffered, and only the first failure is
    /// logged.
    pub(super) fn write(&mut self) {
        if !self.has_file() {
            return;
        }
        let written = match self.try_write() {
            Err(failure) if failure.is_corrupt() => {
                self.move_aside(&failure).and_then(|()| self.try_write())
            }
            written => written,
        };
        match written {
            Ok(()) => self.report_recovery(),
            Err(failure) => self.report_failure(&failure),
        }
    }

    fn try_write(&mut self) -> Result<(), LogError> {
        self.open_store()?;
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let (requests, events) = (self.requests.entries(), self.events.entries());
        if requests.is_empty() && events.is_empty() {
            return Ok(());
        }
        store.write(requests.iter(), events.iter())?;
        self.requests.clear();
        self.events.clear();
        Ok(())
    }

    /// Opens the file if it is closed, and renumbers buffered entries to follow those in it.
    fn open_store(&mut self) -> Result<(), LogError> {
        let Some(directory) = self.directory.as_ref().filter(|_| self.store.is_none()) else {
            return Ok(());
        };
        let store = ActivityStore::open(directory)?;
        let (requests, events) = store.next_seqs()?;
        self.requests.renumber_from(requests);
        self.events.renumber_from(events);
        self.store = Some(store);
        Ok(())
    }

    /// Moves the damaged file aside; the next write starts a new one.
    fn move_aside(&mut self, failure: &LogError) -> Result<(), LogError> {
        self.store = None;
        if let Some(directory) = &self.directory {
            ACTIVITY_DATABASE.move_aside(directory)?;
            tracing::warn!(
                file = %directory.join(ACTIVITY_DATABASE.name).display(),
                error = %failure,
                "the activity database is corrupt; moved it aside and started a new one"
            );
        }
        Ok(())
    }

    fn report_failure(&mut self, failure: &LogError) {
        if !failure.is_transient() {
            self.store = None;
        }
        if self.lost_before_failure.is_some() {
            return;
        }
        self.lost_before_failure = Some(self.lost.load(Ordering::Relaxed));
        let directory = self
            .directory
            .as_ref()
            .map(|path| path.display().to_string());
        tracing::warn!(
            directory,
            error = %failure,
            "cannot write to the activity database; requests are still served, and the last \
             {MAX_BUFFERED_REQUESTS} records are kept in memory: free up disk space or make the directory writable"
        );
    }

    fn report_recovery(&mut self) {
        if let Some(before) = self.lost_before_failure.take() {
            let lost = self.lost.load(Ordering::Relaxed) - before;
            tracing::info!(lost, "writing to the activity database again");
        }
    }

    /// Returns the selected requests, newest first.
    pub(super) fn requests(&mut self, query: &ActivityQuery) -> Page<LoggedRequest> {
        let matches = |logged: &LoggedRequest| {
            query.id.as_ref().is_none_or(|id| logged.id == *id)
                && matches_model(query, logged.model.as_deref())
        };
        let recent = self.requests.page(query, matches);
        self.merge_pages(query, recent, ActivityStore::requests)
    }

    /// Returns the selected events, newest first.
    pub(super) fn events(&mut self, query: &ActivityQuery) -> Page<LifecycleEvent> {
        let matches = |event: &LifecycleEvent| matches_model(query, Some(&event.model));
        let recent = self.events.page(query, matches);
        self.merge_pages(query, recent, ActivityStore::events)
    }

    /// Joins a page from memory with one from the file, which holds only older entries.
    fn merge_pages<T>(
        &mut self,
        query: &ActivityQuery,
        recent: Page<T>,
        read: fn(&ActivityStore, &ActivityQuery) -> rusqlite::Result<Page<T>>,
    ) -> Page<T> {
        let from_file = |log: &mut Self, limit| {
            let query = ActivityQuery {
                limit,
                ..query.clone()
            };
            let read = log.store.as_ref().map(|store| read(store, &query));
            read.unwrap_or_else(|| Ok(Vec::new()))
                .unwrap_or_else(|error| log.read_failed(&error.into()))
        };
        if query.after.is_none() {
            let mut all = recent;
            all.extend(from_file(self, query.limit - all.len()));
            return all;
        }
        let mut all = from_file(self, query.limit);
        let rest = query.limit - all.len();
        all.extend(recent.into_iter().take(rest));
        all.reverse();
        all
    }

    fn read_failed<T>(&mut self, failure: &LogError) -> Vec<T> {
        self.handle_failure(failure, "cannot read the activity database");
        Vec::new()
    }

    fn handle_failure(&mut self, failure: &LogError, what: &str) {
        let moved = if failure.is_corrupt() {
            self.move_aside(failure)
        } else {
            tracing::warn!(error = %failure, "{what}");
            Ok(())
        };
        if let Err(failure) = moved {
            self.report_failure(&failure);
        }
    }

    /// Deletes one step's worth of old or excess entries. Returns true if more remain.
    pub(super) fn prune(&mut self, now: SystemTime) -> bool {
        let (Some(store), Some(retention)) = (&mut self.store, self.retention) else {
            return false;
        };
        let oldest = now.checked_sub(retention).unwrap_or(SystemTime::UNIX_EPOCH);
        match store.prune(oldest, self.max_bytes) {
            Ok(more) => more,
            Err(error) => {
                // A full disk has been logged, or will be by the next write.
                let failure = LogError::from(error);
                if !failure.is_transient() {
                    self.handle_failure(
                        &failure,
                        "cannot delete old records from the activity database",
                    );
                }
                false
            }
        }
    }
}

/// Returns true if the query selects entries of this model.
fn matches_model(query: &ActivityQuery, model: Option<&str>) -> bool {
    query.model.is_none() || query.model.as_deref() == model
}

#[cfg(test)]
mod tests;
