//! Damaged files, on which the engine would abort or answer wrongly, are never restored.

use std::fs;
use std::path::Path;

use paddock_e2e::harness::Signal;
use rusqlite::Connection;

use crate::answer::Completes;
use crate::support::{SavedState, assert_no_crash, context_count, is_long, store, text};

/// Number of damaged copies in the store per round.
const COPIES: usize = 60;

const SEED: u64 = 17;

/// Replaces the only context by copies, each of which is damaged in a different way.
fn replace_by_damaged_copies(state: &Path, random: &mut fastrand::Rng) {
    let database = Connection::open(store(state).join("contexts.sqlite")).unwrap();
    let columns = "SELECT group_concat(name) FROM pragma_table_info('contexts') WHERE name != 'id'";
    let columns: String = database.query_row(columns, [], |row| row.get(0)).unwrap();
    let only = "SELECT id FROM contexts";
    let id: i64 = database.query_row(only, [], |row| row.get(0)).unwrap();
    let path = |id: i64| store(state).join(format!("{id}.slot"));
    let whole = fs::read(path(id)).unwrap();
    for copy in 0..COPIES {
        let insert = format!(
            "INSERT INTO contexts ({columns}) SELECT {columns} FROM contexts WHERE id = ?1"
        );
        database.execute(&insert, [id]).unwrap();
        let mut bytes = whole.clone();
        let place = random.usize(..bytes.len());
        if copy % 2 == 0 {
            bytes.truncate(place);
        } else {
            bytes[place] ^= 1 << random.u8(..8);
        }
        let path = path(database.last_insert_rowid());
        fs::write(&path, bytes).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, mode).unwrap();
    }
    // The child could restore the undamaged context.
    database
        .execute("DELETE FROM contexts WHERE id = ?1", [id])
        .unwrap();
}

#[test]
fn no_damaged_file_reaches_a_child() {
    let mut random = fastrand::Rng::with_seed(SEED);
    let rounds = if is_long() {
        1000_usize.div_ceil(COPIES)
    } else {
        1
    };
    for round in 0..rounds {
        let state = SavedState::new();
        let mut paddock = state.start(&[]);
        let prompt = paddock.tokens(&text("A story", 320));
        let cold = paddock.complete(&prompt);
        assert_eq!(cold.cached, 0);
        assert!(paddock.stop(Signal::TERM).success());
        assert_eq!(context_count(state.directory()), 1, "a context is kept");

        replace_by_damaged_copies(state.directory(), &mut random);
        let mut paddock = state.start(&[]);
        let answer = paddock.complete(&prompt);
        assert_eq!(answer.cached, 0, "round {round}");
        cold.assert_equal(&answer, 0.0, "the answer beside damaged files");
        assert_no_crash(&paddock);
        assert_eq!(
            context_count(state.directory()),
            0,
            "damaged files are deleted"
        );
        assert!(paddock.stop(Signal::TERM).success());
    }
}
