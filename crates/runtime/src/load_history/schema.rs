//! Defines the database file of the load history: its tables, and their versions.

use super::store::SELECT;
use paddock_telemetry::database::Database;

/// The database of what earlier loads showed, from which the next load is estimated.
///
/// A row of `lessons` sums up the loads of the same model files with the same arguments and engine: the memory that the
/// engine reported (`reported`) and that the system showed (`observed`), both as JSON by device; the time of a load in
/// microseconds (`load_us`); the context size in tokens, if the engine chose it (`context`); the number of loads; and the
/// Unix times of the last measurement (`learned_at`) and of the last lookup, by the day (`used_at`).
pub(super) const DATABASE: Database = Database {
    name: "learned.sqlite",
    description: "the load history",
    pragmas: "",
    migrations: &["
    CREATE TABLE lessons (
        file       TEXT NOT NULL,
        arguments  TEXT NOT NULL,
        engine     TEXT NOT NULL,
        reported   TEXT,
        observed   TEXT,
        load_us    INTEGER NOT NULL,
        context    INTEGER,
        loads      INTEGER NOT NULL,
        learned_at INTEGER NOT NULL,
        used_at    INTEGER NOT NULL,
        PRIMARY KEY (file, arguments, engine)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lessons_by_use ON lessons (used_at);
"],
    probes: &[SELECT],
    check_on_open: true,
};
