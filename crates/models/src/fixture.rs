//! A store for tests.

use std::fs;

use tempfile::TempDir;

use crate::hub_cache::{Commit, RepoCache};
use crate::{FileDigest, RepoName, StoreDirs};

/// A store in a temporary directory.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) dirs: StoreDirs,
    directory: TempDir,
}

impl Store {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let dirs = StoreDirs {
            hub: directory.path().join("hub"),
            own: directory.path().join("own"),
        };
        Self { dirs, directory }
    }

    /// Adds files to a commit; the content of each is `size` times the byte that identifies it.
    pub(crate) fn add(&self, repo: &str, commit: char, files: &[(&str, u8, usize)]) -> RepoCache {
        let cache = RepoCache::new(&self.dirs.hub, &RepoName::parse(repo).unwrap());
        let commit = Commit::parse(&commit.to_string().repeat(40)).unwrap();
        for (path, byte, size) in files {
            let digest = FileDigest::Sha256([*byte; 32]);
            fs::create_dir_all(cache.blobs()).unwrap();
            fs::write(cache.blob(&digest), vec![*byte; *size]).unwrap();
            cache
                .publish(&commit, &path.parse().unwrap(), &digest)
                .unwrap();
        }
        cache.set_main(&commit).unwrap();
        cache
    }

    /// Returns all files and links of the store, relative to it, without the locks, which stay.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut directories = vec![self.directory.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_name() == ".locks" {
                    continue;
                }
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    let path = entry.path();
                    let path = path.strip_prefix(self.directory.path()).unwrap();
                    found.push(path.to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }
}
