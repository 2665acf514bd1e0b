//! The store on a real disk, with small slot files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use paddock_contexts::SlotFile;
use paddock_contexts::builder::{Conversation, Shape};
use tempfile::TempDir;

use super::directory::STAGING_PREFIX;
use super::*;

mod cleanup;
mod encrypted;
mod plain;
mod refusals;

pub(in super::super) const LIMITS: StoreLimits = StoreLimits {
    quota: 1 << 30,
    max_age: Duration::from_hours(24),
};

/// A store in a temporary directory, and the staging directory of a child.
pub(in super::super) struct Fixture {
    parent: TempDir,
    pub(in super::super) place: StorePlace,
    store: Option<ContextStore>,
    pub(in super::super) staging: PathBuf,
    /// Directory on a tmpfs, if the store is encrypted.
    memory: Option<TempDir>,
}

impl Fixture {
    pub(in super::super) fn new(limits: StoreLimits) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let place = StorePlace {
            directory: parent.path().join("contexts"),
            is_chosen: false,
            key_file: None,
            runtime_dir: parent.path().to_owned(),
        };
        Self::open(parent, place, limits)
    }

    fn open(parent: TempDir, place: StorePlace, limits: StoreLimits) -> Self {
        let store = ContextStore::open(&place, limits, 0).unwrap();
        let staging = create_staging(store.staging_parent(), 1).unwrap();
        Self {
            parent,
            place,
            store: Some(store),
            staging,
            memory: None,
        }
    }

    pub(in super::super) fn store(&mut self) -> &mut ContextStore {
        self.store.as_mut().unwrap()
    }

    /// Closes the store and opens it again.
    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(ContextStore::open(&self.place, LIMITS, 0).unwrap());
        let parent = self.store().staging_parent().to_owned();
        self.staging = create_staging(&parent, 2).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.directory.join(name)
    }

    /// Returns the names in the store's directory, without the database, the lock and staging directories.
    pub(in super::super) fn files(&self) -> Vec<String> {
        let directory = fs::read_dir(&self.place.directory).unwrap();
        let mut names: Vec<String> = directory
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with(STAGING_PREFIX) && !name.starts_with("contexts."))
            .collect();
        names.sort();
        names
    }

    /// Keeps the database from growing, which `SQLite` reports like a full disk, or lets it grow again.
    pub(in super::super) fn set_full(&mut self, is_full: bool) {
        let connection = &self.store().connection;
        let pages = connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0));
        let pages = if is_full { pages.unwrap() } else { 1 << 20 };
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    }

    /// Closes the store so that a thread can open it.
    pub(in super::super) fn close(&mut self) {
        self.store = None;
    }

    fn staged_count(&self) -> usize {
        fs::read_dir(&self.staging).unwrap().count()
    }

    fn commit(&mut self, conversation: &Conversation, now: u64) -> Result<(), ContextsError> {
        let saved = saved(&self.staging, "a", conversation);
        self.store().commit(&saved, now)
    }

    fn stage(&mut self, id: i64) -> Result<Option<StagedContext>, ContextsError> {
        let staging = self.staging.clone();
        self.store().stage(id, &staging)
    }

    pub(in super::super) fn ids(&mut self) -> Vec<i64> {
        let listed = self.store().list("same", 0).unwrap();
        let mut ids: Vec<i64> = listed.iter().map(|context| context.id).collect();
        ids.sort_unstable();
        ids
    }
}

fn write(staging: &Path, name: &str, conversation: &Conversation) -> SavedFile {
    let (path, bytes) = (staging.join(name), conversation.write());
    fs::write(&path, &bytes).unwrap();
    SavedFile {
        path,
        len: bytes.len() as u64,
    }
}

pub(in super::super) fn saved(
    staging: &Path,
    name: &str,
    conversation: &Conversation,
) -> SavedConversation {
    SavedConversation {
        model: "m".to_owned(),
        identity: "same".to_owned(),
        file: write(staging, name, conversation),
        earlier: None,
        next: None,
        conversation: conversation.tokens.clone(),
        time_per_token: Duration::from_millis(10),
    }
}

pub(in super::super) fn full_attention(len: u32) -> Conversation {
    Conversation::new(len).attention(0, 2, Shape::default())
}

/// Returns a conversation that shares no token with [`full_attention`].
pub(in super::super) fn other(len: u32) -> Conversation {
    let mut conversation = full_attention(len);
    for token in &mut conversation.tokens {
        *token += 1000;
    }
    conversation
}
