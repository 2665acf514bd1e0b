//! Recalling and learning.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::{Key, LearnedError, Lesson, Memory, schema};

/// A lesson nobody asked for in so many seconds is forgotten: 400 days.
const UNUSED: u64 = 400 * DAY;

/// The most lessons that are kept: those used last.
const ROWS: u32 = 10_000;

const DAY: u64 = 24 * 60 * 60;

pub(super) const SELECT: &str = "
    SELECT reported, observed, load_us, context, loads, learned_at, used_at
    FROM lessons WHERE file = ?1 AND arguments = ?2 AND engine = ?3";

const UPSERT: &str = "
    INSERT OR REPLACE INTO lessons
        (file, arguments, engine, reported, observed, load_us, context, loads, learned_at, used_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const USED: &str = "
    UPDATE lessons SET used_at = ?4 WHERE file = ?1 AND arguments = ?2 AND engine = ?3";

const FORGET_OLD: &str = "DELETE FROM lessons WHERE used_at < ?1";

const FORGET_MOST: &str = "
    DELETE FROM lessons WHERE (file, arguments, engine) IN (
        SELECT file, arguments, engine FROM lessons ORDER BY used_at DESC LIMIT -1 OFFSET ?1)";

/// What earlier loads taught. Every call blocks for the disk; async code asks a
/// [`Handle`](super::Handle).
///
/// Several processes may have the same directory open. Times are seconds of Unix time.
#[derive(Debug)]
pub(crate) struct Learned {
    connection: Connection,
    rows: u32,
}

/// A lesson, and when it was last asked for.
struct Kept {
    lesson: Lesson,
    used: u64,
}

impl Learned {
    /// Opens what is in a state directory and forgets what is too old. The directory is made if it is
    /// not there.
    pub(crate) fn open(directory: &Path, now: u64) -> Result<Self, LearnedError> {
        Self::open_with(directory, now, ROWS)
    }

    fn open_with(directory: &Path, now: u64, rows: u32) -> Result<Self, LearnedError> {
        let connection = schema::FILE.open(directory)?;
        let learned = Self { connection, rows };
        learned.prune(now)?;
        Ok(learned)
    }

    /// What loads of this kind taught.
    pub(crate) fn recall(&self, key: &Key, now: u64) -> Result<Option<Lesson>, LearnedError> {
        let Some(kept) = select(&self.connection, key)? else {
            return Ok(None);
        };
        // That it was asked for is written down once a day: else each question would be a write.
        if now >= kept.used.saturating_add(DAY) {
            self.connection.execute(
                USED,
                params![
                    key.file.as_str(),
                    key.arguments.as_str(),
                    key.engine.as_str(),
                    signed(now)
                ],
            )?;
        }
        Ok(Some(kept.lesson))
    }

    /// Adds what one load taught to what is known of loads of its kind.
    pub(crate) fn learn(&mut self, key: &Key, lesson: &Lesson) -> Result<(), LearnedError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (lesson, used) = match select(&transaction, key)? {
            Some(kept) => (lesson.clone().after(kept.lesson), kept.used.max(lesson.at)),
            None => (
                Lesson {
                    loads: 1,
                    ..lesson.clone()
                },
                lesson.at,
            ),
        };
        upsert(&transaction, key, &lesson, used)?;
        transaction.commit()?;
        if lesson.loads == 1 {
            self.prune(lesson.at)?;
        }
        Ok(())
    }

    fn prune(&self, now: u64) -> Result<(), LearnedError> {
        let oldest = signed(now.saturating_sub(UNUSED));
        self.connection.execute(FORGET_OLD, [oldest])?;
        self.connection.execute(FORGET_MOST, [self.rows])?;
        Ok(())
    }
}

fn select(connection: &Connection, key: &Key) -> rusqlite::Result<Option<Kept>> {
    connection
        .prepare(SELECT)?
        .query_row(
            [
                key.file.as_str(),
                key.arguments.as_str(),
                key.engine.as_str(),
            ],
            kept,
        )
        .optional()
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let memory = |column| -> rusqlite::Result<Option<Memory>> {
        let text: Option<String> = row.get(column)?;
        // What cannot be read is as if it had not been learned.
        Ok(text.as_deref().and_then(Memory::from_json))
    };
    let unsigned = |column| {
        row.get(column)
            .map(|value: i64| u64::try_from(value).unwrap_or(0))
    };
    Ok(Kept {
        lesson: Lesson {
            reported: memory(0)?,
            observed: memory(1)?,
            load: Duration::from_micros(unsigned(2)?),
            context: row.get(3)?,
            loads: row.get(4)?,
            at: unsigned(5)?,
        },
        used: unsigned(6)?,
    })
}

fn upsert(
    connection: &Connection,
    key: &Key,
    lesson: &Lesson,
    used: u64,
) -> rusqlite::Result<usize> {
    let micros = u64::try_from(lesson.load.as_micros()).unwrap_or(u64::MAX);
    connection.prepare(UPSERT)?.execute(params![
        key.file.as_str(),
        key.arguments.as_str(),
        key.engine.as_str(),
        lesson.reported.as_ref().map(Memory::to_json),
        lesson.observed.as_ref().map(Memory::to_json),
        signed(micros),
        lesson.context,
        lesson.loads,
        signed(lesson.at),
        signed(used),
    ])
}

/// The integers of `SQLite` have a sign.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
