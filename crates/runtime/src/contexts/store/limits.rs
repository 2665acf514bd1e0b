//! The limits of the store, and the pause after a full disk.

use std::time::Duration;

use paddock_config::Config;
use paddock_contexts::{QuotaEntry, choose_deletions};
use tokio::time::Instant;

use super::super::error::ContextsError;
use super::{ContextStore, unsigned};

/// Pause of commits after a full disk: each attempt would write a whole context in vain.
pub(in super::super) const NO_SPACE_PAUSE: Duration = Duration::from_mins(1);

/// Limits of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Maximum size of all files together, in bytes.
    pub quota: u64,
    /// Maximum time since the last use of a context (its save, or a request that continued it).
    pub max_age: Duration,
}

impl StoreLimits {
    /// Returns the configured limits.
    pub fn from_config(config: &Config) -> Self {
        Self {
            quota: config.context_cache.quota,
            max_age: config.context_cache.max_age,
        }
    }
}

/// Pauses commits after a full disk.
#[derive(Debug, Default)]
pub(in super::super) struct SpacePause {
    until: Option<Instant>,
}

impl SpacePause {
    /// Returns true during the pause.
    pub(in super::super) fn is_active(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Starts the pause.
    pub(in super::super) fn begin(&mut self, now: Instant) {
        self.until = Some(now + NO_SPACE_PAUSE);
    }
}

impl ContextStore {
    /// Sets new limits and enforces them at once.
    pub(crate) fn set_limits(
        &mut self,
        limits: StoreLimits,
        now: u64,
    ) -> Result<(), ContextsError> {
        self.limits = limits;
        self.enforce_limits(now)
    }

    /// Deletes the contexts that exceed the limits.
    pub(super) fn enforce_limits(&mut self, now: u64) -> Result<(), ContextsError> {
        let entries = self.quota_entries(now)?;
        for id in choose_deletions(&entries, self.limits.quota, self.limits.max_age) {
            let model: String = self.connection.query_row(
                "SELECT model FROM contexts WHERE id = ?1",
                [id],
                |row| row.get(0),
            )?;
            self.delete(id)?;
            *self.deleted.entry(model).or_default() += 1;
        }
        Ok(())
    }

    fn quota_entries(&self, now: u64) -> Result<Vec<QuotaEntry>, ContextsError> {
        let mut statement = self
            .connection
            .prepare("SELECT id, bytes, used_at, reading_us FROM contexts")?;
        let rows = statement.query_map([], |row| {
            Ok(QuotaEntry {
                id: row.get(0)?,
                bytes: unsigned(row.get(1)?),
                age: Duration::from_secs(now.saturating_sub(unsigned(row.get(2)?))),
                reading_time: Duration::from_micros(unsigned(row.get(3)?)),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_pauses_commits_for_a_minute() {
        let mut pause = SpacePause::default();
        let full = Instant::now();
        assert!(!pause.is_active(full));
        pause.begin(full);
        for (seconds, is_active) in [(0, true), (59, true), (60, false), (61, false)] {
            let now = full + Duration::from_secs(seconds);
            assert_eq!(pause.is_active(now), is_active, "{seconds} s");
        }
    }
}
