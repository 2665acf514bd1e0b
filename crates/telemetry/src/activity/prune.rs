//! Deletes old and excess entries in small steps, and returns free pages to the system.

use super::store::{ActivityStore, micros_since_1970};
use rusqlite::{OptionalExtension, Result, TransactionBehavior, params};
use std::time::SystemTime;

/// Rows deleted per step, which takes some milliseconds.
const MAX_ROWS_PER_STEP: i64 = 1_000;

/// Pages released per step, which takes some milliseconds.
const MAX_PAGES_PER_STEP: i64 = 256;

/// Maximum number of events kept.
const MAX_EVENTS: i64 = 100_000;

/// Pages are released once one page in `MIN_FREE_DIVISOR` is free; fewer free pages are left for later writes.
const MIN_FREE_DIVISOR: i64 = 4;

/// Records the greatest sequence number deleted from a table.
pub(super) const UPSERT_DELETED: &str = "
    INSERT INTO deleted (what, seq) VALUES (?1, ?2)
    ON CONFLICT (what) DO UPDATE SET seq = max(seq, excluded.seq)";

/// A table, and the statements that find its first and last row and delete its oldest rows.
struct PrunedTable {
    name: &'static str,
    first: &'static str,
    last: &'static str,
    delete: &'static str,
}

const REQUESTS_TABLE: PrunedTable = PrunedTable {
    name: "requests",
    first: "SELECT seq, at_us FROM requests ORDER BY seq LIMIT 1",
    last: "SELECT max(seq) FROM requests",
    delete: "DELETE FROM requests WHERE seq < ?1 AND at_us < ?2",
};

const EVENTS_TABLE: PrunedTable = PrunedTable {
    name: "events",
    first: "SELECT seq, at_us FROM events ORDER BY seq LIMIT 1",
    last: "SELECT max(seq) FROM events",
    delete: "DELETE FROM events WHERE seq < ?1 AND at_us < ?2",
};

impl ActivityStore {
    /// Runs one step: deletes rows older than `oldest`, or the oldest rows while the file exceeds `max_bytes`,
    /// or else releases free pages. Returns true if more remains.
    pub(super) fn prune(&mut self, oldest: SystemTime, max_bytes: u64) -> Result<bool> {
        let oldest = micros_since_1970(oldest);
        let (pages, free) = (
            self.query_number("PRAGMA page_count")?,
            self.query_number("PRAGMA freelist_count")?,
        );
        let size = self.query_number("PRAGMA page_size")?;
        let used = u64::try_from((pages - free).saturating_mul(size)).unwrap_or(0);
        let before = if used > max_bytes { i64::MAX } else { oldest };
        let requests = self.delete_oldest(&REQUESTS_TABLE, before)?;
        let count = self.last_seq(&EVENTS_TABLE)?.unwrap_or(0)
            - self.first_row(&EVENTS_TABLE)?.map_or(0, |(seq, _)| seq);
        let before = if count >= MAX_EVENTS {
            i64::MAX
        } else {
            oldest
        };
        let events = self.delete_oldest(&EVENTS_TABLE, before)?;
        if requests || events {
            return Ok(true);
        }
        if free == 0 || free < pages / MIN_FREE_DIVISOR {
            return Ok(false);
        }
        self.release_pages()?;
        Ok(true)
    }

    /// Releases some free pages; each step of the statement releases one.
    fn release_pages(&self) -> Result<()> {
        let release_pages = format!("PRAGMA incremental_vacuum({MAX_PAGES_PER_STEP})");
        let mut statement = self.connection.prepare_cached(&release_pages)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Deletes rows from before a time, starting with the oldest. Returns true if there were any.
    fn delete_oldest(&mut self, table: &PrunedTable, before: i64) -> Result<bool> {
        let Some((first, at)) = self.first_row(table)? else {
            return Ok(false);
        };
        if at >= before {
            return Ok(false);
        }
        let last = self.last_seq(table)?.unwrap_or(first);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .prepare_cached(table.delete)?
            .execute([first + MAX_ROWS_PER_STEP, before])?;
        // The last row may be deleted too, and its sequence number must never be reused.
        transaction
            .prepare_cached(UPSERT_DELETED)?
            .execute(params![table.name, last])?;
        transaction.commit()?;
        Ok(true)
    }

    fn first_row(&self, table: &PrunedTable) -> Result<Option<(i64, i64)>> {
        let mut statement = self.connection.prepare_cached(table.first)?;
        statement
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    fn last_seq(&self, table: &PrunedTable) -> Result<Option<i64>> {
        self.connection
            .prepare_cached(table.last)?
            .query_row([], |row| row.get(0))
    }

    fn query_number(&self, statement: &str) -> Result<i64> {
        self.connection
            .prepare_cached(statement)?
            .query_row([], |row| row.get(0))
    }
}
