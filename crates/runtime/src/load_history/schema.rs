//! Defines the database file of the load history: its tables, and their versions.

use super::store::SELECT;
use paddock_telemetry::database::Database;

/// The database of measurements. A row of `lessons` is the measurement of loads of the same files, arguments and
/// engine.
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
