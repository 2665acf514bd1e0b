//! Moves a saved conversation into the store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use paddock_contexts::{ContextRef, SlotFile, merge};
use rusqlite::params;

use super::super::error::ContextsError;
use super::super::next_token::NextToken;
use super::files::{open_regular, remove_file, write_new};
use super::{ContextStore, signed};

const INSERT: &str = "
    INSERT INTO contexts (
        model, identity, key_id, tokens, token_count, bytes, next, checksum, is_merged, reading_us, used_at
    )
    VALUES (?1, ?2, ?3, x'', ?4, 0, x'', 0, ?5, ?6, ?7)";

const COMPLETE: &str =
    "UPDATE contexts SET tokens = ?2, bytes = ?3, checksum = ?4, next = ?5 WHERE id = ?1";

/// A file that a child has saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavedFile {
    /// Path in the child's staging directory.
    pub(crate) path: PathBuf,
    /// Length in bytes, as the child reported it.
    pub(crate) len: u64,
}

/// The files of one conversation that a child has saved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SavedConversation {
    /// Name of the model.
    pub(crate) model: String,
    /// Identity of model files, arguments, environment and engine: the context is restored only for the same identity.
    pub(crate) identity: String,
    /// File of the conversation.
    pub(crate) file: SavedFile,
    /// File of the same conversation some tokens earlier, whose window extends that of `file`.
    pub(crate) earlier: Option<SavedFile>,
    /// The most probable next token, which is compared after a restore.
    pub(crate) next: Option<NextToken>,
    /// Tokens in the slot before any step back. The file replaces every context with which they begin.
    pub(crate) conversation: Vec<i32>,
    /// Time to read one token again.
    pub(crate) time_per_token: Duration,
}

impl SavedConversation {
    /// Removes the files from the staging directory.
    pub(in super::super) fn remove_files(&self) {
        let merged = merged_path(&self.file.path);
        let earlier = self.earlier.iter().map(|earlier| earlier.path.as_path());
        for path in earlier.chain([self.file.path.as_path(), &merged]) {
            // A leftover is removed with the directory.
            let _ = remove_file(path);
        }
    }
}

impl ContextStore {
    /// Checks a saved conversation and moves it into the store. Deletes replaced states of the same conversation, and
    /// other contexts if the limits require it. Removes the files from the staging directory, also after an error.
    pub(crate) fn commit(
        &mut self,
        saved: &SavedConversation,
        now: u64,
    ) -> Result<(), ContextsError> {
        let committed = self.take(saved, now);
        saved.remove_files();
        committed
    }

    fn take(&mut self, saved: &SavedConversation, now: u64) -> Result<(), ContextsError> {
        let file = walk(&saved.file)?;
        let (source, len) = match &saved.earlier {
            Some(earlier) if file.window_parts().next().is_some() => {
                merge_files(&file, &saved.file, earlier)?
            }
            _ => (saved.file.path.clone(), saved.file.len),
        };
        if len > self.limits.quota {
            return Err(ContextsError::OverQuota {
                bytes: len,
                quota: self.limits.quota,
            });
        }
        let superseded = self.superseded(saved)?;
        self.insert(saved, &file, &source, now)?;
        for id in superseded {
            self.delete(id)?;
        }
        self.enforce_limits(now)
    }

    /// Moves the file into the store and lists it.
    fn insert(
        &mut self,
        saved: &SavedConversation,
        file: &SlotFile,
        source: &Path,
        now: u64,
    ) -> Result<(), ContextsError> {
        let tokens = u32::try_from(file.tokens.len()).unwrap_or(u32::MAX);
        let reading_time = saved.time_per_token.saturating_mul(tokens);
        let reading_us = u64::try_from(reading_time.as_micros()).unwrap_or(u64::MAX);
        let files = &self.files;
        let transaction = self.connection.transaction()?;
        transaction.execute(
            INSERT,
            params![
                saved.model,
                saved.identity,
                files.key_id(),
                tokens,
                source != saved.file.path,
                signed(reading_us),
                signed(now),
            ],
        )?;
        let context = ContextRef {
            id: transaction.last_insert_rowid(),
            identity: &saved.identity,
        };
        let stored = files.put(source, context)?;
        let listed = files.seal_tokens(context, &file.tokens).and_then(|tokens| {
            let bytes = signed(stored.bytes);
            let checksum = stored.checksum.cast_signed();
            let next = match saved.next {
                Some(next) => files.seal_tokens(context, &next.encode())?,
                None => Vec::new(),
            };
            transaction.execute(COMPLETE, params![context.id, tokens, bytes, checksum, next])?;
            Ok(transaction.commit()?)
        });
        if listed.is_err() {
            // If this fails, the next start removes the file.
            let _ = files.remove(context.id);
        }
        listed
    }

    /// Returns the contexts of the same conversation that a saved one replaces.
    fn superseded(&self, saved: &SavedConversation) -> Result<Vec<i64>, ContextsError> {
        let identity = saved.identity.as_str();
        let mut statement = self
            .connection
            .prepare("SELECT id, tokens FROM contexts WHERE identity = ?1")?;
        let mut rows = statement.query([identity])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            let earlier = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let context = ContextRef { id, identity };
            let earlier = self.files.open_tokens(context, earlier);
            // Unreadable tokens are of no use either.
            let is_replaced =
                earlier.is_none_or(|earlier| saved.conversation.starts_with(&earlier));
            if is_replaced {
                found.push(id);
            }
        }
        Ok(found)
    }
}

fn walk(saved: &SavedFile) -> Result<SlotFile, ContextsError> {
    Ok(SlotFile::read(open_regular(&saved.path)?, saved.len)?)
}

/// Merges both windows into a new file beside the later file and checks its structure. Returns its path and length.
fn merge_files(
    file: &SlotFile,
    saved: &SavedFile,
    earlier: &SavedFile,
) -> Result<(PathBuf, u64), ContextsError> {
    let earlier_file = walk(earlier)?;
    let path = merged_path(&saved.path);
    let (earlier, later) = (open_regular(&earlier.path)?, open_regular(&saved.path)?);
    let len = write_new(&path, |output| {
        Ok(merge((&earlier_file, earlier), (file, later), output)?)
    })?;
    SlotFile::read(open_regular(&path)?, len)?;
    Ok((path, len))
}

fn merged_path(saved: &Path) -> PathBuf {
    saved.with_extension("merged")
}
