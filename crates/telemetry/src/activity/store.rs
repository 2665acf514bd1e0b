//! Writing to the file, and reading pages of it.

use super::schema::{BLOCK, FILE};
use super::words::Words;
use super::{Lifecycle, Listed, Page, Wanted, Word};
use crate::database::DatabaseError;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, TransactionBehavior, params};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) const INSERT_REQUEST: &str = "
    INSERT INTO requests (seq, at_us, id, id_hash, model, key, route, status, outcome, error, queue_us,
        load_us, ttft_us, total_us, token_ns, prompt, cached, generated, bytes_in, bytes_out, engine_us)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
        ?21)";

pub(super) const INSERT_EVENT: &str = "
    INSERT INTO events (seq, at_us, model, event, reason, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const REQUEST: &str = "
    SELECT seq, at_us, id, model, key, route, status, outcome, error, queue_us, load_us, ttft_us, total_us,
        token_ns, prompt, cached, generated, bytes_in, bytes_out, engine_us
    FROM requests WHERE ";

const EVENT: &str = "SELECT seq, at_us, model, event, reason, message FROM events WHERE ";

/// Those whose id may be the one, in one block.
const BY_ID: &str = "seq >> 16 = ?1 AND id_hash = ?2 AND id = ?3 ORDER BY seq DESC";

/// The least and the greatest place, and the greatest that is gone.
const PLACES: [&str; 2] = [
    "SELECT (SELECT min(seq) FROM requests), (SELECT max(seq) FROM requests),
        (SELECT seq FROM deleted WHERE what = 'requests')",
    "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events),
        (SELECT seq FROM deleted WHERE what = 'events')",
];

/// The file. Every call blocks for the disk.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) connection: Connection,
    words: Words,
}

/// A page of what is wanted: the rest of a statement, and its values.
fn page(wanted: &Wanted, model: Option<i64>) -> (String, Vec<Value>) {
    let mut clauses = vec!["seq > ?1 AND seq < ?2"];
    let place = |seq: Option<u64>, else_: i64| seq.map_or(else_, signed);
    let mut values = vec![
        Value::from(place(wanted.after, -1)),
        Value::from(place(wanted.before, i64::MAX)),
        Value::from(signed(wanted.limit as u64)),
    ];
    if let Some(model) = model {
        clauses.push("model = ?4");
        values.push(model.into());
    }
    let direction = if wanted.after.is_some() {
        "ASC"
    } else {
        "DESC"
    };
    let clauses = clauses.join(" AND ");
    (
        format!("{clauses} ORDER BY seq {direction} LIMIT ?3"),
        values,
    )
}

impl Store {
    /// Opens the file in a state directory.
    pub(super) fn open(directory: &Path) -> std::result::Result<Self, DatabaseError> {
        let connection = FILE.open(directory)?;
        let words = Words::read(&connection).map_err(|source| DatabaseError::Open {
            path: directory.join(FILE.name),
            source,
        })?;
        Ok(Self { connection, words })
    }

    /// The places that come next, of requests and of events.
    pub(super) fn next(&self) -> Result<(u64, u64)> {
        let next = |statement| -> Result<u64> {
            let (_, last, gone) = self.places(statement)?;
            Ok(unsigned(last.max(gone).unwrap_or(0)) + 1)
        };
        Ok((next(PLACES[0])?, next(PLACES[1])?))
    }

    fn places(&self, statement: &str) -> Result<(Option<i64>, Option<i64>, Option<i64>)> {
        let mut statement = self.connection.prepare_cached(statement)?;
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Writes all of these or none.
    pub(super) fn write<'a>(
        &mut self,
        requests: impl Iterator<Item = &'a (u64, Listed)> + Clone,
        events: impl Iterator<Item = &'a (u64, Lifecycle)> + Clone,
    ) -> Result<()> {
        for (_, listed) in requests.clone() {
            let words = [&listed.route, &listed.outcome]
                .into_iter()
                .chain(&listed.error);
            let words = words.map(AsRef::as_ref);
            let names = listed.model.iter().chain(&listed.key).map(AsRef::as_ref);
            self.learn(words.chain(names))?;
        }
        for (_, event) in events.clone() {
            let words = [&event.event].into_iter().chain(&event.reason);
            let words = words.map(AsRef::as_ref);
            self.learn(words.chain([event.model.as_ref()]))?;
        }
        let words = &self.words;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(INSERT_REQUEST)?;
            for (seq, listed) in requests {
                insert.execute(params![
                    signed(*seq),
                    micros_since_1970(listed.at),
                    listed.id,
                    hash(&listed.id),
                    listed
                        .model
                        .as_deref()
                        .and_then(|model| words.number(model)),
                    listed.key.as_deref().and_then(|key| words.number(key)),
                    words.number(&listed.route),
                    listed.status,
                    words.number(&listed.outcome),
                    listed
                        .error
                        .as_deref()
                        .and_then(|error| words.number(error)),
                    micros(listed.queue),
                    micros(listed.load),
                    listed.ttft.map(micros),
                    micros(listed.total),
                    listed.per_token.map(nanos),
                    listed.prompt.map(signed),
                    listed.cached.map(signed),
                    listed.generated.map(signed),
                    signed(listed.bytes_in),
                    signed(listed.bytes_out),
                    micros(listed.engine_wait),
                ])?;
            }
            let mut insert = transaction.prepare_cached(INSERT_EVENT)?;
            for (seq, event) in events {
                insert.execute(params![
                    signed(*seq),
                    micros_since_1970(event.at),
                    words.number(&event.model),
                    words.number(&event.event),
                    event
                        .reason
                        .as_deref()
                        .and_then(|reason| words.number(reason)),
                    event.message,
                ])?;
            }
        }
        transaction.commit()
    }

    fn learn<'a>(&mut self, words: impl Iterator<Item = &'a str>) -> Result<()> {
        for word in words {
            self.words.learn(&self.connection, word)?;
        }
        Ok(())
    }

    /// The requests that are wanted, in the order of [`Recent::find`](super::recent::Recent::find).
    pub(super) fn requests(&self, wanted: &Wanted) -> Result<Page<Listed>> {
        if let Some(id) = &wanted.id {
            return self.requests_of(id, wanted);
        }
        self.page(REQUEST, wanted, Self::listed)
    }

    /// The same of events.
    pub(super) fn events(&self, wanted: &Wanted) -> Result<Page<Lifecycle>> {
        self.page(EVENT, wanted, Self::event)
    }

    fn page<T>(
        &self,
        select: &str,
        wanted: &Wanted,
        read: fn(&Self, &Row<'_>) -> Result<(u64, T)>,
    ) -> Result<Page<T>> {
        let model = match &wanted.model {
            None => None,
            Some(model) => match self.words.number(model) {
                None => return Ok(Vec::new()),
                number => number,
            },
        };
        let (rest, values) = page(wanted, model);
        let mut statement = self.connection.prepare_cached(&format!("{select}{rest}"))?;
        let rows =
            statement.query_map(rusqlite::params_from_iter(values), |row| read(self, row))?;
        rows.collect()
    }

    /// The requests of one id: block after block is asked, the newest first.
    fn requests_of(&self, id: &str, wanted: &Wanted) -> Result<Page<Listed>> {
        let (Some(first), Some(last), _) = self.places(PLACES[0])? else {
            return Ok(Vec::new());
        };
        let mut statement = self
            .connection
            .prepare_cached(&format!("{REQUEST}{BY_ID}"))?;
        let mut found = Vec::new();
        let (mut block, first) = (last >> BLOCK, first >> BLOCK);
        while block >= first && found.len() < wanted.limit {
            let rows = statement.query_map(params![block, hash(id), id], |row| self.listed(row))?;
            for row in rows {
                let row = row?;
                let of_it = |model: &String| row.1.model.as_deref() == Some(model);
                if wanted.has(row.0) && wanted.model.as_ref().is_none_or(of_it) {
                    found.push(row);
                }
            }
            block -= 1;
        }
        if wanted.after.is_some() {
            found.reverse();
        }
        found.truncate(wanted.limit);
        Ok(found)
    }

    fn word(&self, row: &Row<'_>, column: usize) -> Result<Option<&str>> {
        let number: Option<i64> = row.get(column)?;
        Ok(number.map(|number| self.words.word(number)))
    }

    fn listed(&self, row: &Row<'_>) -> Result<(u64, Listed)> {
        let name =
            |column| -> Result<Option<Arc<str>>> { Ok(self.word(row, column)?.map(Arc::from)) };
        let word = |column| -> Result<Option<Word>> {
            Ok(self.word(row, column)?.map(|word| word.to_owned().into()))
        };
        let number = |column| -> Result<Option<u64>> {
            let number: Option<i64> = row.get(column)?;
            Ok(number.map(unsigned))
        };
        let time =
            |column| -> Result<Option<Duration>> { Ok(number(column)?.map(Duration::from_micros)) };
        let listed = Listed {
            at: time_of(row.get(1)?),
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
        Ok((unsigned(row.get(0)?), listed))
    }

    fn event(&self, row: &Row<'_>) -> Result<(u64, Lifecycle)> {
        let word = |column| -> Result<String> {
            Ok(self.word(row, column)?.unwrap_or_default().to_owned())
        };
        let event = Lifecycle {
            at: time_of(row.get(1)?),
            model: word(2)?.into(),
            event: word(3)?.into(),
            reason: self.word(row, 4)?.map(|reason| reason.to_owned().into()),
            message: row.get(5)?,
        };
        Ok((unsigned(row.get(0)?), event))
    }
}

/// 32 bits of an id, by FNV-1a: they are kept, so they must be the same in every version.
fn hash(id: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    id.bytes().fold(0x811c_9dc5, step)
}

pub(super) fn micros_since_1970(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, micros)
}

fn time_of(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(unsigned(micros))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// The integers of `SQLite` have a sign.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests;
