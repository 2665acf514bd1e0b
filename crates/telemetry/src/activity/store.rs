//! Writes entries of the activity log to the database file, and reads pages of them.

use super::interned_words::WordInterner;
use super::schema::{ACTIVITY_DATABASE, BLOCK_BITS};
use super::{ActivityQuery, Keyword, LifecycleEvent, LoggedRequest, Page};
use crate::database::DatabaseError;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, TransactionBehavior, params};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Adds an ended request. Words are stored as numbers, times in microseconds.
pub(super) const INSERT_REQUEST: &str = "
    INSERT INTO requests (seq, at_us, id, id_hash, model, key, route, status, outcome, error, queue_us,
        load_us, ttft_us, total_us, token_ns, prompt, cached, generated, bytes_in, bytes_out, engine_us)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
        ?21)";

/// Adds a lifecycle event.
pub(super) const INSERT_EVENT: &str = "
    INSERT INTO events (seq, at_us, model, event, reason, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Reads requests; the condition follows.
const SELECT_REQUESTS: &str = "
    SELECT seq, at_us, id, model, key, route, status, outcome, error, queue_us, load_us, ttft_us, total_us,
        token_ns, prompt, cached, generated, bytes_in, bytes_out, engine_us
    FROM requests WHERE ";

/// Reads lifecycle events; the condition follows.
const SELECT_EVENTS: &str = "SELECT seq, at_us, model, event, reason, message FROM events WHERE ";

/// Selects the requests with this id in one block of 65,536 consecutive rows.
const WHERE_ID_IN_BLOCK: &str = "seq >> 16 = ?1 AND id_hash = ?2 AND id = ?3 ORDER BY seq DESC";

/// Statements for requests and for events that read the least and the greatest sequence number, and the greatest one
/// deleted.
const SELECT_SEQ_BOUNDS: [&str; 2] = [
    "SELECT (SELECT min(seq) FROM requests), (SELECT max(seq) FROM requests),
        (SELECT seq FROM deleted WHERE what = 'requests')",
    "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events),
        (SELECT seq FROM deleted WHERE what = 'events')",
];

/// The open file. Every call blocks for the disk.
#[derive(Debug)]
pub(super) struct ActivityStore {
    pub(super) connection: Connection,
    words: WordInterner,
}

/// Returns the end of the statement that reads a page, and its values.
fn page_clause(query: &ActivityQuery, model: Option<i64>) -> (String, Vec<Value>) {
    let mut clauses = vec!["seq > ?1 AND seq < ?2"];
    let bound = |seq: Option<u64>, else_: i64| seq.map_or(else_, signed);
    let mut values = vec![
        Value::from(bound(query.after, -1)),
        Value::from(bound(query.before, i64::MAX)),
        Value::from(signed(query.limit as u64)),
    ];
    if let Some(model) = model {
        clauses.push("model = ?4");
        values.push(model.into());
    }
    let direction = if query.after.is_some() { "ASC" } else { "DESC" };
    let clauses = clauses.join(" AND ");
    (
        format!("{clauses} ORDER BY seq {direction} LIMIT ?3"),
        values,
    )
}

impl ActivityStore {
    /// Opens the file in a state directory.
    pub(super) fn open(directory: &Path) -> std::result::Result<Self, DatabaseError> {
        let connection = ACTIVITY_DATABASE.open(directory)?;
        let words = WordInterner::read(&connection).map_err(|source| DatabaseError::Open {
            path: directory.join(ACTIVITY_DATABASE.name),
            source,
        })?;
        Ok(Self { connection, words })
    }

    /// Returns the next sequence numbers of requests and of events.
    pub(super) fn next_seqs(&self) -> Result<(u64, u64)> {
        let next = |statement| -> Result<u64> {
            let (_, last, deleted) = self.seq_bounds(statement)?;
            Ok(unsigned(last.max(deleted).unwrap_or(0)) + 1)
        };
        Ok((next(SELECT_SEQ_BOUNDS[0])?, next(SELECT_SEQ_BOUNDS[1])?))
    }

    fn seq_bounds(&self, statement: &str) -> Result<(Option<i64>, Option<i64>, Option<i64>)> {
        let mut statement = self.connection.prepare_cached(statement)?;
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Writes all entries or none.
    pub(super) fn write<'a>(
        &mut self,
        requests: impl Iterator<Item = &'a (u64, LoggedRequest)> + Clone,
        events: impl Iterator<Item = &'a (u64, LifecycleEvent)> + Clone,
    ) -> Result<()> {
        for (_, logged) in requests.clone() {
            let words = [&logged.route, &logged.outcome]
                .into_iter()
                .chain(&logged.error);
            let words = words.map(AsRef::as_ref);
            let names = logged.model.iter().chain(&logged.key).map(AsRef::as_ref);
            self.intern_words(words.chain(names))?;
        }
        for (_, event) in events.clone() {
            let words = [&event.event].into_iter().chain(&event.reason);
            let words = words.map(AsRef::as_ref);
            self.intern_words(words.chain([event.model.as_ref()]))?;
        }
        let words = &self.words;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(INSERT_REQUEST)?;
            for (seq, logged) in requests {
                insert.execute(params![
                    signed(*seq),
                    micros_since_1970(logged.at),
                    logged.id,
                    id_hash(&logged.id),
                    logged
                        .model
                        .as_deref()
                        .and_then(|model| words.number_of(model)),
                    logged.key.as_deref().and_then(|key| words.number_of(key)),
                    words.number_of(&logged.route),
                    logged.status,
                    words.number_of(&logged.outcome),
                    logged
                        .error
                        .as_deref()
                        .and_then(|error| words.number_of(error)),
                    micros(logged.queue),
                    micros(logged.load),
                    logged.ttft.map(micros),
                    micros(logged.total),
                    logged.per_token.map(nanos),
                    logged.prompt.map(signed),
                    logged.cached.map(signed),
                    logged.generated.map(signed),
                    signed(logged.bytes_in),
                    signed(logged.bytes_out),
                    micros(logged.engine_wait),
                ])?;
            }
            let mut insert = transaction.prepare_cached(INSERT_EVENT)?;
            for (seq, event) in events {
                insert.execute(params![
                    signed(*seq),
                    micros_since_1970(event.at),
                    words.number_of(&event.model),
                    words.number_of(&event.event),
                    event
                        .reason
                        .as_deref()
                        .and_then(|reason| words.number_of(reason)),
                    event.message,
                ])?;
            }
        }
        transaction.commit()
    }

    fn intern_words<'a>(&mut self, words: impl Iterator<Item = &'a str>) -> Result<()> {
        for word in words {
            self.words.intern(&self.connection, word)?;
        }
        Ok(())
    }

    /// Returns the selected requests, in the order of
    /// [`RecentEntries::page`](super::recent_entries::RecentEntries::page).
    pub(super) fn requests(&self, query: &ActivityQuery) -> Result<Page<LoggedRequest>> {
        if let Some(id) = &query.id {
            return self.requests_by_id(id, query);
        }
        self.page(SELECT_REQUESTS, query, Self::read_request)
    }

    /// Returns the selected events, in the same order.
    pub(super) fn events(&self, query: &ActivityQuery) -> Result<Page<LifecycleEvent>> {
        self.page(SELECT_EVENTS, query, Self::read_event)
    }

    fn page<T>(
        &self,
        select: &str,
        query: &ActivityQuery,
        read: fn(&Self, &Row<'_>) -> Result<(u64, T)>,
    ) -> Result<Page<T>> {
        let model = match &query.model {
            None => None,
            Some(model) => match self.words.number_of(model) {
                None => return Ok(Vec::new()),
                number => number,
            },
        };
        let (rest, values) = page_clause(query, model);
        let mut statement = self.connection.prepare_cached(&format!("{select}{rest}"))?;
        let rows =
            statement.query_map(rusqlite::params_from_iter(values), |row| read(self, row))?;
        rows.collect()
    }

    /// Returns the requests with one id, searching block by block from the newest.
    fn requests_by_id(&self, id: &str, query: &ActivityQuery) -> Result<Page<LoggedRequest>> {
        let (Some(first), Some(last), _) = self.seq_bounds(SELECT_SEQ_BOUNDS[0])? else {
            return Ok(Vec::new());
        };
        let mut statement = self
            .connection
            .prepare_cached(&format!("{SELECT_REQUESTS}{WHERE_ID_IN_BLOCK}"))?;
        let mut found = Vec::new();
        let (mut block, first) = (last >> BLOCK_BITS, first >> BLOCK_BITS);
        while block >= first && found.len() < query.limit {
            let rows = statement.query_map(params![block, id_hash(id), id], |row| {
                self.read_request(row)
            })?;
            for row in rows {
                let row = row?;
                let is_of_model = |model: &String| row.1.model.as_deref() == Some(model);
                if query.includes(row.0) && query.model.as_ref().is_none_or(is_of_model) {
                    found.push(row);
                }
            }
            block -= 1;
        }
        if query.after.is_some() {
            found.reverse();
        }
        found.truncate(query.limit);
        Ok(found)
    }

    fn word_in(&self, row: &Row<'_>, column: usize) -> Result<Option<&str>> {
        let number: Option<i64> = row.get(column)?;
        Ok(number.map(|number| self.words.word(number)))
    }

    fn read_request(&self, row: &Row<'_>) -> Result<(u64, LoggedRequest)> {
        let name =
            |column| -> Result<Option<Arc<str>>> { Ok(self.word_in(row, column)?.map(Arc::from)) };
        let word = |column| -> Result<Option<Keyword>> {
            Ok(self
                .word_in(row, column)?
                .map(|word| word.to_owned().into()))
        };
        let number = |column| -> Result<Option<u64>> {
            let number: Option<i64> = row.get(column)?;
            Ok(number.map(unsigned))
        };
        let time =
            |column| -> Result<Option<Duration>> { Ok(number(column)?.map(Duration::from_micros)) };
        let logged = LoggedRequest {
            at: time_from_micros(row.get(1)?),
            id: row.get(2)?,
            model: name(3)?,
            key: name(4)?,
            route: word(5)?.unwrap_or_default(),
            status: row.get(6)?,
            outcome: word(7)?.unwrap_or_default(),
            error: word(8)?,
            queue: time(9)?.unwrap_or_default(),
            load: time(10)?.unwrap_or_default(),
            engine_wait: time(19)?.unwrap_or_default(),
            ttft: time(11)?,
            total: time(12)?.unwrap_or_default(),
            per_token: number(13)?.map(Duration::from_nanos),
            prompt: number(14)?,
            cached: number(15)?,
            generated: number(16)?,
            bytes_in: number(17)?.unwrap_or_default(),
            bytes_out: number(18)?.unwrap_or_default(),
        };
        Ok((unsigned(row.get(0)?), logged))
    }

    fn read_event(&self, row: &Row<'_>) -> Result<(u64, LifecycleEvent)> {
        let word = |column| -> Result<String> {
            Ok(self.word_in(row, column)?.unwrap_or_default().to_owned())
        };
        let event = LifecycleEvent {
            at: time_from_micros(row.get(1)?),
            model: word(2)?.into(),
            event: word(3)?.into(),
            reason: self.word_in(row, 4)?.map(|reason| reason.to_owned().into()),
            message: row.get(5)?,
        };
        Ok((unsigned(row.get(0)?), event))
    }
}

/// Returns 32 bits of an id by FNV-1a. Files store the hash, so it must be the same in every version.
fn id_hash(id: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    id.bytes().fold(0x811c_9dc5, step)
}

pub(super) fn micros_since_1970(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, micros)
}

fn time_from_micros(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(unsigned(micros))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Converts to `SQLite`'s signed integers.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests;
