//! Resolves `[context_cache]`, the settings of the context store.

use super::super::ContextCache;
use super::super::encryption_key::EncryptionKey;
use super::super::raw::RawContextCache;
use super::{Resolver, value_or};

impl Resolver<'_> {
    pub(super) fn context_cache(&self, raw: RawContextCache) -> ContextCache {
        let default = ContextCache::default();
        let dir = self.optional_path(raw.dir);
        if let Some(at) = &dir {
            self.check_creatable_dir(at);
        }
        let key_file = self.optional_path(raw.encryption_key_file);
        if let Some(at) = &key_file
            && let Err(error) = EncryptionKey::read(&at.value)
        {
            let problem = at.problem(error.to_string());
            self.report.push(problem.help(error.advice(&at.value)));
        }
        ContextCache {
            dir: dir.map(|at| at.value),
            quota: value_or(raw.quota, default.quota),
            max_age: value_or(raw.max_age, default.max_age),
            sliding_windows: value_or(raw.sliding_windows, default.sliding_windows),
            encryption_key_file: key_file.map(|at| at.value),
        }
    }
}
