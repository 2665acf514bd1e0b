//! Looks up and records measurements of loads in the database, whose table `lessons` has a row for each.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::{LoadHistoryError, LoadKey, LoadMeasurement, MeasuredMemory, schema};

/// Age in seconds at which an unused measurement is deleted: 400 days.
const MAX_UNUSED_SECONDS: u64 = 400 * DAY_SECONDS;

/// Maximum number of stored measurements; the least recently used are deleted.
const MAX_ROWS: u32 = 10_000;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Looks up a measurement by its key: files, arguments and engine.
pub(super) const SELECT: &str = "
    SELECT reported, observed, load_us, context, loads, learned_at, used_at
    FROM lessons WHERE file = ?1 AND arguments = ?2 AND engine = ?3";

/// Stores a measurement, replacing an earlier one with the same key.
const UPSERT: &str = "
    INSERT OR REPLACE INTO lessons
        (file, arguments, engine, reported, observed, load_us, context, loads, learned_at, used_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const UPDATE_USED_AT: &str = "
    UPDATE lessons SET used_at = ?4 WHERE file = ?1 AND arguments = ?2 AND engine = ?3";

const DELETE_UNUSED: &str = "DELETE FROM lessons WHERE used_at < ?1";

/// Deletes the least recently used measurements beyond a number.
const DELETE_EXCESS: &str = "
    DELETE FROM lessons WHERE (file, arguments, engine) IN (
        SELECT file, arguments, engine FROM lessons ORDER BY used_at DESC LIMIT -1 OFFSET ?1)";

/// Measurements of earlier loads. Every call blocks for the disk; async code uses a
/// [`LoadHistoryHandle`](super::LoadHistoryHandle).
///
/// Several processes may have the same directory open. Times are in Unix seconds.
#[derive(Debug)]
pub(crate) struct LoadHistory {
    connection: Connection,
    rows: u32,
}

/// A measurement and the time of its last lookup.
struct StoredMeasurement {
    measurement: LoadMeasurement,
    used: u64,
}

impl LoadHistory {
    /// Opens the database in a state directory, creating both if necessary, and deletes old measurements.
    pub(crate) fn open(directory: &Path, now: u64) -> Result<Self, LoadHistoryError> {
        Self::open_with(directory, now, MAX_ROWS)
    }

    /// Opens the database, keeping at most `rows` measurements.
    fn open_with(directory: &Path, now: u64, rows: u32) -> Result<Self, LoadHistoryError> {
        let connection = schema::DATABASE.open(directory)?;
        let history = Self { connection, rows };
        history.prune(now)?;
        Ok(history)
    }

    /// Returns the measurement of loads of this kind.
    pub(crate) fn lookup(
        &self,
        key: &LoadKey,
        now: u64,
    ) -> Result<Option<LoadMeasurement>, LoadHistoryError> {
        let Some(stored) = select(&self.connection, key)? else {
            return Ok(None);
        };
        // The time of use is written once a day, so that not every lookup is a write.
        if now >= stored.used.saturating_add(DAY_SECONDS) {
            self.connection.execute(
                UPDATE_USED_AT,
                params![
                    key.file.as_str(),
                    key.arguments.as_str(),
                    key.engine.as_str(),
                    signed(now)
                ],
            )?;
        }
        Ok(Some(stored.measurement))
    }

    /// Merges a load's measurement into the stored one of its kind.
    pub(crate) fn record(
        &mut self,
        key: &LoadKey,
        measurement: &LoadMeasurement,
    ) -> Result<(), LoadHistoryError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (measurement, used) = match select(&transaction, key)? {
            Some(stored) => (
                measurement.clone().merge_earlier(stored.measurement),
                stored.used.max(measurement.measured_at),
            ),
            None => (
                LoadMeasurement {
                    loads: 1,
                    ..measurement.clone()
                },
                measurement.measured_at,
            ),
        };
        upsert(&transaction, key, &measurement, used)?;
        transaction.commit()?;
        if measurement.loads == 1 {
            self.prune(measurement.measured_at)?;
        }
        Ok(())
    }

    fn prune(&self, now: u64) -> Result<(), LoadHistoryError> {
        let oldest = signed(now.saturating_sub(MAX_UNUSED_SECONDS));
        self.connection.execute(DELETE_UNUSED, [oldest])?;
        self.connection.execute(DELETE_EXCESS, [self.rows])?;
        Ok(())
    }
}

fn select(connection: &Connection, key: &LoadKey) -> rusqlite::Result<Option<StoredMeasurement>> {
    connection
        .prepare(SELECT)?
        .query_row(
            [
                key.file.as_str(),
                key.arguments.as_str(),
                key.engine.as_str(),
            ],
            read_row,
        )
        .optional()
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<StoredMeasurement> {
    let memory = |column| -> rusqlite::Result<Option<MeasuredMemory>> {
        let text: Option<String> = row.get(column)?;
        // Unreadable memory counts as never measured.
        Ok(text.as_deref().and_then(MeasuredMemory::from_json))
    };
    let unsigned = |column| {
        row.get(column)
            .map(|value: i64| u64::try_from(value).unwrap_or(0))
    };
    Ok(StoredMeasurement {
        measurement: LoadMeasurement {
            reported: memory(0)?,
            observed: memory(1)?,
            load: Duration::from_micros(unsigned(2)?),
            context: row.get(3)?,
            loads: row.get(4)?,
            measured_at: unsigned(5)?,
        },
        used: unsigned(6)?,
    })
}

fn upsert(
    connection: &Connection,
    key: &LoadKey,
    measurement: &LoadMeasurement,
    used: u64,
) -> rusqlite::Result<usize> {
    let micros = u64::try_from(measurement.load.as_micros()).unwrap_or(u64::MAX);
    connection.prepare(UPSERT)?.execute(params![
        key.file.as_str(),
        key.arguments.as_str(),
        key.engine.as_str(),
        measurement.reported.as_ref().map(MeasuredMemory::to_json),
        measurement.observed.as_ref().map(MeasuredMemory::to_json),
        signed(micros),
        measurement.context,
        measurement.loads,
        signed(measurement.measured_at),
        signed(used),
    ])
}

/// Converts to `SQLite`'s signed integers.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
