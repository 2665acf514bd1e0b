//! Deleting what is too old or too much, in small steps, and giving room back to the system.

use super::store::{Store, micros_since_1970};
use rusqlite::{OptionalExtension, Result, TransactionBehavior, params};
use std::time::SystemTime;

/// How many rows a step deletes: some milliseconds.
const ROWS: i64 = 1_000;

/// How many pages a step gives back: some milliseconds.
const PAGES: i64 = 256;

/// The most events that are kept.
const EVENTS: i64 = 100_000;

/// Of so many pages one may be free before they are given back: what is deleted today is room for what
/// is written tomorrow.
const FREE: i64 = 4;

pub(super) const DELETED: &str = "
    INSERT INTO deleted (what, seq) VALUES (?1, ?2)
    ON CONFLICT (what) DO UPDATE SET seq = max(seq, excluded.seq)";

/// A table whose oldest rows are deleted.
struct Table {
    name: &'static str,
    first: &'static str,
    last: &'static str,
    delete: &'static str,
}

const REQUESTS: Table = Table {
    name: "requests",
    first: "SELECT seq, at_us FROM requests ORDER BY seq LIMIT 1",
    last: "SELECT max(seq) FROM requests",
    delete: "DELETE FROM requests WHERE seq < ?1 AND at_us < ?2",
};

const LIFE: Table = Table {
    name: "events",
    first: "SELECT seq, at_us FROM events ORDER BY seq LIMIT 1",
    last: "SELECT max(seq) FROM events",
    delete: "DELETE FROM events WHERE seq < ?1 AND at_us < ?2",
};

impl Store {
    /// Takes one step: deletes some of what is older than `oldest`, or of the oldest where all of it is
    /// more than `most` bytes, or gives some pages back. Says whether there is more to do.
    pub(super) fn tidy(&mut self, oldest: SystemTime, most: u64) -> Result<bool> {
        let oldest = micros_since_1970(oldest);
        let (pages, free) = (
            self.number("PRAGMA page_count")?,
            self.number("PRAGMA freelist_count")?,
        );
        let size = self.number("PRAGMA page_size")?;
        let used = u64::try_from((pages - free).saturating_mul(size)).unwrap_or(0);
        let before = if used > most { i64::MAX } else { oldest };
        let requests = self.delete(&REQUESTS, before)?;
        let many = self.last(&LIFE)?.unwrap_or(0) - self.first(&LIFE)?.map_or(0, |(seq, _)| seq);
        let before = if many >= EVENTS { i64::MAX } else { oldest };
        let events = self.delete(&LIFE, before)?;
        if requests || events {
            return Ok(true);
        }
        if free == 0 || free < pages / FREE {
            return Ok(false);
        }
        self.give_back()?;
        Ok(true)
    }

    /// Gives some free pages back: one with each step of the statement.
    fn give_back(&self) -> Result<()> {
        let give_back = format!("PRAGMA incremental_vacuum({PAGES})");
        let mut statement = self.connection.prepare_cached(&give_back)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Deletes, of a table's oldest rows, those from before a time. Says whether there were any.
    fn delete(&mut self, table: &Table, before: i64) -> Result<bool> {
        let Some((first, at)) = self.first(table)? else {
            return Ok(false);
        };
        if at >= before {
            return Ok(false);
        }
        let last = self.last(table)?.unwrap_or(first);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .prepare_cached(table.delete)?
            .execute([first + ROWS, before])?;
        // The last row may be among them, and its place is never another one's.
        transaction
            .prepare_cached(DELETED)?
            .execute(params![table.name, last])?;
        transaction.commit()?;
        Ok(true)
    }

    fn first(&self, table: &Table) -> Result<Option<(i64, i64)>> {
        let mut statement = self.connection.prepare_cached(table.first)?;
        statement
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    fn last(&self, table: &Table) -> Result<Option<i64>> {
        self.connection
            .prepare_cached(table.last)?
            .query_row([], |row| row.get(0))
    }

    fn number(&self, statement: &str) -> Result<i64> {
        self.connection
            .prepare_cached(statement)?
            .query_row([], |row| row.get(0))
    }
}
