//! Defines the tables of the activity database, and the migrations from earlier versions.

use crate::database::Database;

/// The activity database: its tables for ended requests and lifecycle events.
///
/// Rows are small: words are numbers, times are microseconds. `id_hash` indexes the id within blocks of 65,536
/// consecutive rows: ids are random, and an index sorted by id alone would write to random pages for every
/// row.
pub(super) const ACTIVITY_DATABASE: Database = Database {
    name: "activity.sqlite",
    description: "the activity database",
    // `auto_vacuum` lets free pages be returned to the system, and must be set before the first table. The
    // size limit truncates the write-ahead log after a burst.
    pragmas: "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_size_limit = 8388608;",
    migrations: &[
        "
    CREATE TABLE words (
        id   INTEGER PRIMARY KEY,
        word TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE requests (
        seq       INTEGER PRIMARY KEY,
        at_us     INTEGER NOT NULL,
        id        TEXT NOT NULL,
        id_hash   INTEGER NOT NULL,
        model     INTEGER REFERENCES words,
        key       INTEGER REFERENCES words,
        route     INTEGER NOT NULL REFERENCES words,
        status    INTEGER,
        outcome   INTEGER NOT NULL REFERENCES words,
        error     INTEGER REFERENCES words,
        queue_us  INTEGER NOT NULL,
        load_us   INTEGER NOT NULL,
        ttft_us   INTEGER,
        total_us  INTEGER NOT NULL,
        token_ns  INTEGER,
        prompt    INTEGER,
        cached    INTEGER,
        generated INTEGER,
        bytes_in  INTEGER NOT NULL,
        bytes_out INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX requests_by_model ON requests (model);
    CREATE INDEX requests_by_id ON requests (seq >> 16, id_hash);
    CREATE TABLE events (
        seq     INTEGER PRIMARY KEY,
        at_us   INTEGER NOT NULL,
        model   INTEGER NOT NULL REFERENCES words,
        event   INTEGER NOT NULL REFERENCES words,
        reason  INTEGER REFERENCES words,
        message TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_model ON events (model);
    CREATE TABLE deleted (
        what TEXT PRIMARY KEY,
        seq  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
        "    ALTER TABLE requests ADD COLUMN engine_us INTEGER;
",
    ],
    probes: &[
        super::interned_words::SELECT_WORDS,
        super::store::INSERT_REQUEST,
        super::store::INSERT_EVENT,
        super::prune::UPSERT_DELETED,
    ],
    check_on_open: false,
};

/// Low bits of a sequence number that number the rows within one block of the id index.
pub(super) const BLOCK_BITS: u32 = 16;
