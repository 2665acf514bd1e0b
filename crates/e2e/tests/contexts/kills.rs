//! The child or paddock is killed while a context is saved, committed or restored. The next child answers as before.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use paddock_e2e::harness::{Address, Connection, Paddock, Signal, post};
use serde_json::{Value, json};

use crate::answer::Completes;
use crate::support::{SavedState, is_long, store, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Child,
    Paddock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The child writes a file into its staging directory.
    Save,
    /// The file appears in the store.
    Commit,
    /// The file appears in the next child's staging directory.
    Restore,
}

const MAX_ATTEMPTS: usize = 30;

const CASES: [(Victim, Moment); 5] = [
    (Victim::Child, Moment::Save),
    (Victim::Paddock, Moment::Save),
    (Victim::Paddock, Moment::Commit),
    (Victim::Child, Moment::Restore),
    (Victim::Paddock, Moment::Restore),
];

impl Moment {
    /// Returns true if a new file shows that the moment has come.
    fn has_come(self, state: &Path, before: &[PathBuf]) -> bool {
        let store = store(state);
        let files = files(&store).into_iter();
        let mut new = files.filter(|path| !before.contains(path));
        match self {
            Self::Commit => new.any(|path| path.parent() == Some(&store) && is_context(&path)),
            Self::Save | Self::Restore => new.any(|path| path.parent() != Some(&store)),
        }
    }
}

fn is_context(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix == "slot")
}

/// Returns the files in a directory and its subdirectories.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// Sends requests and ignores errors.
fn send(address: &Address, requests: &[Value]) {
    for body in requests {
        let connection = Connection::try_connect(address);
        let request = post("/completion", &body.to_string());
        let _ = connection.map(|mut connection| connection.try_ask(request));
    }
}

/// Kills the victim as soon as the moment has come. Returns false if the moment was missed: some files exist only for
/// milliseconds.
fn kill_at(paddock: &mut Paddock, state: &Path, longer: &[i64], case: (Victim, Moment)) -> bool {
    let (victim, moment) = case;
    // paddock saves the conversation while the child serves, or when the other model replaces it.
    let longer = json!({"model": "m", "prompt": longer, "n_predict": 1});
    let other = json!({"model": "other", "prompt": "a", "n_predict": 1});
    let again = json!({"model": "m", "prompt": "a", "n_predict": 1});
    let mut requests = vec![longer, other];
    if moment == Moment::Restore {
        send(paddock.public(), &requests);
        requests = vec![again];
    } else {
        // An attempt that has missed the moment has left the other model in memory.
        send(paddock.public(), &[again]);
    }
    let before = files(&store(state));
    let child = (moment != Moment::Restore).then(|| paddock.child());
    let address = paddock.public().clone();
    thread::scope(|scope| {
        let client = scope.spawn(|| send(&address, &requests));
        while !moment.has_come(state, &before) {
            if client.is_finished() {
                return false;
            }
            thread::yield_now();
        }
        match victim {
            Victim::Child => child
                .unwrap_or_else(|| paddock.child())
                .signal(Signal::KILL),
            Victim::Paddock => paddock.kill9(),
        }
        true
    })
}

/// Repeats [`kill_at`] until it succeeds. `conversation` returns a new conversation each time, because a conversation
/// that is already in the store is not saved again.
fn kill(
    paddock: &mut Paddock,
    state: &Path,
    case: (Victim, Moment),
    mut conversation: impl FnMut() -> Vec<i64>,
) {
    let mut attempts = 0..MAX_ATTEMPTS;
    let is_killed = attempts.any(|_| kill_at(paddock, state, &conversation(), case));
    assert!(is_killed, "{case:?} was missed each time");
}

#[test]
fn the_next_child_answers_as_before_after_a_kill_at_any_moment() {
    let state = SavedState::with_load_time(0);
    let mut paddock = state.start(&[]);
    let prompt = paddock.tokens(&text("A story", 320));
    let cold = paddock.complete(&prompt);
    let rounds = if is_long() { 10 } else { 1 };
    let cases = CASES.into_iter().cycle().take(rounds * CASES.len());
    let mut first = 0;
    let mut conversation = || {
        first = (first + 7) % 200;
        [&prompt[..], &prompt[first..first + 40]].concat()
    };
    for case in cases {
        kill(&mut paddock, state.directory(), case, &mut conversation);
        if case.0 == Victim::Paddock {
            paddock = state.start(&[]);
        }
        let answer = paddock.complete(&prompt);
        answer.assert_equal(&cold, 1e-5, &format!("after {case:?}"));
    }
    assert!(paddock.stop(Signal::TERM).success());
}
