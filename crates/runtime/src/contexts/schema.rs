//! The schema of the context database.

use paddock_telemetry::database::Database;

use super::store::SELECT;

/// The context database. `used_at` is the Unix time of the last use, in seconds: of the save, or of a
/// request that continued the restored context.
pub(super) const DATABASE: Database = Database {
    name: "contexts.sqlite",
    description: "the list of saved contexts",
    // Overwrites the tokens of deleted contexts.
    pragmas: "PRAGMA secure_delete = ON;",
    migrations: &["
    CREATE TABLE contexts (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        model       TEXT NOT NULL,
        identity    TEXT NOT NULL,
        key_id      TEXT NOT NULL,
        tokens      BLOB NOT NULL,
        token_count INTEGER NOT NULL,
        bytes       INTEGER NOT NULL,
        next        BLOB NOT NULL,
        checksum    INTEGER NOT NULL,
        is_merged   INTEGER NOT NULL,
        reading_us  INTEGER NOT NULL,
        used_at     INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX contexts_by_identity ON contexts (identity, used_at);
"],
    probes: &[SELECT],
    check_on_open: true,
};
