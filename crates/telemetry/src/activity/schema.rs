use crate::database::Database;

/// Where requests and events are kept.
///
/// Rows are small: words are numbers, times are microseconds. `id_hash` stands for the id in an index of
/// blocks of 65,536 rows one after the other: names are random, and an index that is sorted by them alone
/// would be written to all over for every row.
pub(super) const FILE: Database = Database {
    name: "activity.sqlite",
    holds: "the record of requests",
    // Pages that are free can be given back to the system, which is decided before there is a table. What
    // was written ahead is cut to this size again after a burst.
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
        super::words::ALL,
        super::store::INSERT_REQUEST,
        super::store::INSERT_EVENT,
        super::tidy::DELETED,
    ],
    checked: false,
};

/// How many bits of a place number the rows of a block of the index by id.
pub(super) const BLOCK: u32 = 16;
