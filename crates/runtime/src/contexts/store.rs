//! The context store: slot files, and the database that lists them.
//!
//! ```text
//! DIR/contexts.sqlite      one row for each file
//! DIR/contexts.lock        locked while a paddock uses the directory
//! DIR/N.slot               a context, readable only by paddock's user
//! DIR/staging-…/           the staging directory of a child, in which it writes and reads files; on a tmpfs with encryption
//! ```
//!
//! A child has access only to its own staging directory. paddock checks the structure of a file up to its last byte
//! before it takes the file from there. A row is committed after its file; the next start removes files without a row.
//!
//! | file | contents |
//! |---|---|
//! | `commit` | moves a saved conversation into the store |
//! | `comparison` | compares a prompt with contexts |
//! | `files` | reads, writes and stages the files |
//! | `directory` | the store's directory, its lock, and staging directories |
//! | `limits` | quota, age, and the pause after a full disk |

mod commit;
mod comparison;
mod directory;
mod files;
mod limits;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use paddock_config::EncryptionKey;
use paddock_contexts::{ContextCipher, ContextRef, StoredContext};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) use directory::{create_staging, remove_staging};
pub(super) use limits::{NO_SPACE_PAUSE, SpacePause};

pub(crate) use commit::{SavedConversation, SavedFile};
pub use directory::StorePlace;
pub(super) use files::open_regular;
pub use limits::StoreLimits;

use super::error::ContextsError;
use super::next_token::NextToken;
use super::schema;
use crate::dir_lock::DirLock;
use directory::Staging;
use files::{StoreFiles, StoredFile};

pub(super) const SELECT: &str = "
    SELECT identity, bytes, checksum, is_merged, next, key_id, tokens, token_count, model, reading_us, used_at
    FROM contexts WHERE id = ?1";

/// A context that a child can restore from its staging directory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StagedContext {
    /// Number in the store.
    pub(crate) id: i64,
    /// Name of the file in the child's staging directory.
    pub(crate) file: String,
    /// Tokens of the conversation.
    pub(crate) tokens: Vec<i32>,
    /// True if the window was extended: the child must then evaluate the tokens once to create a checkpoint.
    pub(crate) is_merged: bool,
    /// The most probable next token in the child that saved the context.
    pub(crate) next: Option<NextToken>,
    /// Length of the file in bytes.
    pub(crate) bytes: u64,
}

/// Contexts and bytes of one model in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreUsage {
    /// Number of contexts.
    pub contexts: u64,
    /// Total size of their files, in bytes.
    pub bytes: u64,
    /// Number of contexts deleted because of the quota or their age since the last report.
    pub deleted: u64,
}

/// The context store. Every call blocks on disk access.
#[derive(Debug)]
pub(crate) struct ContextStore {
    connection: Connection,
    files: StoreFiles,
    limits: StoreLimits,
    staging: Staging,
    /// Number of contexts of each model deleted because of the quota or their age since the last report.
    deleted: BTreeMap<String, u64>,
    /// Held until drop.
    _lock: DirLock,
}

impl ContextStore {
    /// Opens the store. Deletes leftovers of earlier runs, contexts that exceed the limits, and contexts that are not
    /// encrypted with the configured key.
    pub(crate) fn open(
        place: &StorePlace,
        limits: StoreLimits,
        now: u64,
    ) -> Result<Self, ContextsError> {
        let key_file = place.key_file.as_deref();
        let key = key_file.map(EncryptionKey::read).transpose()?;
        let lock = place.lock()?;
        let connection = schema::DATABASE.open(&place.directory)?;
        restrict_database_access(&place.directory)?;
        let mut store = Self {
            connection,
            files: StoreFiles {
                directory: place.directory.clone(),
                cipher: key.map(|key| ContextCipher::new(key.as_bytes())),
            },
            limits,
            staging: place.staging()?,
            deleted: BTreeMap::new(),
            _lock: lock,
        };
        store.remove_other_keys()?;
        store.remove_unlisted()?;
        store.enforce_limits(now)?;
        Ok(store)
    }

    /// Returns the directory in which children's staging directories are created.
    pub(super) fn staging_parent(&self) -> &Path {
        self.staging.parent()
    }

    /// Enforces the limits and lists the contexts of an identity.
    pub(crate) fn list(
        &mut self,
        identity: &str,
        now: u64,
    ) -> Result<Vec<StoredContext>, ContextsError> {
        self.enforce_limits(now)?;
        let mut statement = self
            .connection
            .prepare("SELECT id, token_count, bytes, used_at FROM contexts WHERE identity = ?1")?;
        let rows = statement.query_map([identity], |row| {
            Ok(StoredContext {
                id: row.get(0)?,
                tokens: row.get(1)?,
                bytes: unsigned(row.get(2)?),
                age: Duration::from_secs(now.saturating_sub(unsigned(row.get(3)?))),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Checks a context and makes it available in a child's staging directory. Deletes the context if it is damaged.
    /// Returns `None` if the store does not have it.
    pub(crate) fn stage(
        &self,
        id: i64,
        staging: &Path,
    ) -> Result<Option<StagedContext>, ContextsError> {
        let found = self
            .connection
            .query_row(SELECT, [id], |row| {
                let stored = StoredFile {
                    bytes: unsigned(row.get(1)?),
                    checksum: row.get::<_, i64>(2)?.cast_unsigned(),
                };
                let next: Vec<u8> = row.get(4)?;
                Ok((row.get::<_, String>(0)?, stored, row.get(3)?, next))
            })
            .optional()?;
        let Some((identity, stored, is_merged, next)) = found else {
            return Ok(None);
        };
        let identity = identity.as_str();
        let context = ContextRef { id, identity };
        match self.files.stage(context, stored, staging) {
            Ok((name, file)) => Ok(Some(StagedContext {
                id,
                file: name,
                bytes: file.len,
                tokens: file.tokens,
                is_merged,
                next: self
                    .files
                    .open_tokens(context, &next)
                    .and_then(|next| NextToken::decode(&next)),
            })),
            Err(error) => {
                if error.is_damage() {
                    self.delete(id)?;
                }
                Err(error)
            }
        }
    }

    /// Records that contexts were used. Ignores contexts that the store no longer has.
    pub(crate) fn touch(&self, ids: &[i64], now: u64) -> Result<(), ContextsError> {
        for id in ids {
            self.connection.execute(
                "UPDATE contexts SET used_at = max(used_at, ?2) WHERE id = ?1",
                params![id, signed(now)],
            )?;
        }
        Ok(())
    }

    /// Deletes a context.
    pub(crate) fn delete(&self, id: i64) -> Result<(), ContextsError> {
        self.connection
            .execute("DELETE FROM contexts WHERE id = ?1", [id])?;
        Ok(self.files.remove(id)?)
    }

    /// Deletes the contexts of an identity.
    pub(crate) fn delete_identity(&mut self, identity: &str) -> Result<(), ContextsError> {
        for context in self.list(identity, 0)? {
            self.delete(context.id)?;
        }
        Ok(())
    }

    /// Enforces the limits, and returns for each model the contexts and bytes in the store and the number deleted since
    /// the last report.
    pub(crate) fn report_usage(
        &mut self,
        now: u64,
    ) -> Result<BTreeMap<String, StoreUsage>, ContextsError> {
        self.enforce_limits(now)?;
        let mut statement = self
            .connection
            .prepare("SELECT model, count(*), sum(bytes) FROM contexts GROUP BY model")?;
        let rows = statement.query_map([], |row| {
            let usage = StoreUsage {
                contexts: unsigned(row.get(1)?),
                bytes: unsigned(row.get(2)?),
                deleted: 0,
            };
            Ok((row.get(0)?, usage))
        })?;
        let mut report: BTreeMap<String, StoreUsage> = rows.collect::<Result<_, _>>()?;
        for (model, deleted) in std::mem::take(&mut self.deleted) {
            report.entry(model).or_default().deleted = deleted;
        }
        Ok(report)
    }

    /// Deletes contexts that were saved with another key, or without encryption if a key is configured, and encrypted
    /// contexts if none is.
    fn remove_other_keys(&self) -> Result<(), ContextsError> {
        let deleted = self.connection.execute(
            "DELETE FROM contexts WHERE key_id != ?1",
            params![self.files.key_id()],
        )?;
        if deleted > 0 {
            tracing::info!(
                contexts = deleted,
                "deleted contexts that were not encrypted with the configured key"
            );
        }
        Ok(())
    }

    /// Removes staging directories, files without a row, and rows without a file.
    fn remove_unlisted(&self) -> Result<(), ContextsError> {
        let mut listed = HashSet::new();
        let mut statement = self.connection.prepare("SELECT id FROM contexts")?;
        let ids = statement.query_map([], |row| row.get::<_, i64>(0))?;
        for id in ids.collect::<Result<Vec<i64>, _>>()? {
            if self.files.has(id) {
                listed.insert(id);
            } else {
                self.delete(id)?;
            }
        }
        if let Err(error) = self.files.remove_unlisted(|id| listed.contains(&id)) {
            tracing::warn!(%error, "files that no context needs were left in the context store");
        }
        Ok(())
    }
}

/// Restricts the database, which holds tokens, to this user: `SQLite` creates it with mode 0644, and gives the files
/// beside it the same mode.
fn restrict_database_access(directory: &Path) -> Result<(), ContextsError> {
    let path = directory.join(schema::DATABASE.name);
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        let closed = fs::set_permissions(name, fs::Permissions::from_mode(0o600));
        if let Err(error) = closed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Converts an integer to `SQLite`'s signed type.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
pub(super) mod tests;
