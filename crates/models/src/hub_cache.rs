//! The layout of the Hugging Face hub's cache, which `huggingface_hub` and llama.cpp share:
//!
//! ```text
//! models--USER--REPO/blobs/DIGEST                              the contents
//! models--USER--REPO/snapshots/COMMIT/FILE -> ../../blobs/DIGEST   the files of a commit
//! models--USER--REPO/refs/main                                 the commit of a branch
//! ```
//!
//! A snapshot links only to complete blobs.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::{FileDigest, RepoName, RepoPath, atomic_file};

/// The branch whose files paddock fetches.
const MAIN_BRANCH: &str = "main";
/// Most bytes to read of a file that names a commit.
const MAX_REF_BYTES: u64 = 64;

/// A commit's hash: 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commit(String);

impl Commit {
    /// Parses 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_commit = text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_commit.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The directory of one repository in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoCache {
    directory: PathBuf,
}

impl RepoCache {
    /// Returns the directory of a repository; it need not exist.
    pub fn new(hub: &Path, repo: &RepoName) -> Self {
        Self {
            directory: hub.join(repo.directory()),
        }
    }

    /// Returns the repository's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the directory of the contents.
    pub fn blobs(&self) -> PathBuf {
        self.directory.join("blobs")
    }

    /// Returns the file of a content; a download writes it, under this name only once it is complete.
    pub fn blob(&self, digest: &FileDigest) -> PathBuf {
        self.blobs().join(digest.to_string())
    }

    /// Returns the lock of a content, which `huggingface_hub` takes, too.
    pub(crate) fn lock(&self, content: &Path) -> PathBuf {
        let part = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        let mut name = part(content);
        name.push(".lock");
        let locks = self.directory.with_file_name(".locks");
        locks.join(part(&self.directory)).join(name)
    }

    /// Returns the directory of all commits.
    pub fn snapshots(&self) -> PathBuf {
        self.directory.join("snapshots")
    }

    /// Returns the directory of a commit's files.
    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.snapshots().join(commit.as_str())
    }

    fn refs(&self) -> PathBuf {
        self.directory.join("refs")
    }

    /// Makes a complete blob a file of a commit, and returns the file's path.
    ///
    /// # Errors
    ///
    /// A directory or the link cannot be created.
    pub fn publish(
        &self,
        commit: &Commit,
        path: &RepoPath,
        digest: &FileDigest,
    ) -> io::Result<PathBuf> {
        let file = path.below(&self.snapshot(commit));
        let parents = path.directories().len();
        let mut target = PathBuf::from("../".repeat(parents + 2));
        target.push("blobs");
        target.push(digest.to_string());
        if fs::read_link(&file).is_ok_and(|existing| existing == target) {
            return Ok(file);
        }
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        atomic_file::link(&self.directory, &file, &target)?;
        Ok(file)
    }

    /// Records a commit as the newest of the main branch. Done after [`publish`](Self::publish), so that programs that
    /// have no network find the commit's files.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn set_main(&self, commit: &Commit) -> io::Result<()> {
        let refs = self.refs();
        fs::create_dir_all(&refs)?;
        let file = refs.join(MAIN_BRANCH);
        if read_commit(&file).as_ref() == Some(commit) {
            return Ok(());
        }
        atomic_file::write(&self.directory, &file, commit.as_str().as_bytes())
    }

    /// Returns the commit of the main branch, as recorded by the last download.
    pub fn main(&self) -> Option<Commit> {
        read_commit(&self.refs().join(MAIN_BRANCH))
    }

    /// Deletes the names of commits that have no directory, and empty directories. `huggingface_hub` counts a repository
    /// as corrupted if it has such names, or no directory of commits.
    pub(crate) fn clean_up(&self) {
        let mut found = vec![self.refs()];
        let mut directories = Vec::new();
        while let Some(directory) = found.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    found.push(path);
                } else if let Some(commit) = read_commit(&path)
                    && !self.snapshot(&commit).is_dir()
                {
                    let _stays = fs::remove_file(path);
                }
            }
            directories.push(directory);
        }
        directories.reverse();
        directories.extend([self.snapshots(), self.blobs(), self.directory.clone()]);
        for directory in directories {
            // Fails for a directory that is not empty.
            let _stays = fs::remove_dir(directory);
        }
        if self.directory.is_dir() {
            let _absent = fs::create_dir(self.snapshots());
        }
    }

    /// Returns the directories of commits: of the main branch first, then the others, newest first.
    pub(crate) fn snapshot_directories(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.snapshots()) else {
            return Vec::new();
        };
        let main = self.main();
        let mut found: Vec<_> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let commit = Commit::parse(entry.file_name().to_str()?)?;
                let changed = entry
                    .metadata()
                    .ok()
                    .filter(fs::Metadata::is_dir)?
                    .modified()
                    .ok();
                Some((main.as_ref() == Some(&commit), changed, entry.path()))
            })
            .collect();
        found.sort_by(|one, two| two.cmp(one));
        found.into_iter().map(|(_, _, path)| path).collect()
    }
}

/// Reads the commit that a file names. Neither waits for the writer of a pipe, which another user of the cache may have
/// put there, nor reads a long file.
fn read_commit(file: &Path) -> Option<Commit> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(file)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(MAX_REF_BYTES).read_to_string(&mut text).ok()?;
    Commit::parse(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(hub: &Path) -> RepoCache {
        RepoCache::new(hub, &RepoName::parse("u/r").unwrap())
    }

    #[test]
    fn a_published_file_is_found_at_its_path() {
        let hub = tempfile::tempdir().unwrap();
        let cache = cache(hub.path());
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let digest = FileDigest::Sha256([7; 32]);
        fs::create_dir_all(cache.blobs()).unwrap();
        fs::write(cache.blob(&digest), "content").unwrap();
        for path in ["m.gguf", "Q4/deep/m.gguf"] {
            let path: RepoPath = path.parse().unwrap();
            // A second time changes nothing.
            for _ in 0..2 {
                let file = cache.publish(&commit, &path, &digest).unwrap();
                assert_eq!(fs::read_to_string(file).unwrap(), "content");
            }
        }
        assert_eq!(cache.main(), None);
        cache.set_main(&commit).unwrap();
        assert_eq!(cache.main(), Some(commit));
        let names = fs::read_dir(cache.directory())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(
            names,
            ["blobs", "refs", "snapshots"],
            "no temporary file is left"
        );
    }

    #[test]
    fn a_pipe_or_a_long_file_names_no_commit() {
        let hub = tempfile::tempdir().unwrap();
        let cache = cache(hub.path());
        let file = cache.refs().join(MAIN_BRANCH);
        fs::create_dir_all(cache.refs()).unwrap();
        fs::write(&file, format!("{}{}", "a".repeat(40), " ".repeat(1 << 20))).unwrap();
        assert!(cache.main().is_some());
        fs::remove_file(&file).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        assert!(made.unwrap().success());
        assert_eq!(cache.main(), None);
    }

    #[test]
    fn another_content_replaces_a_link() {
        let hub = tempfile::tempdir().unwrap();
        let cache = cache(hub.path());
        let commit = Commit::parse(&"b".repeat(40)).unwrap();
        fs::create_dir_all(cache.blobs()).unwrap();
        let path: RepoPath = "m.gguf".parse().unwrap();
        for byte in [1, 2] {
            let digest = FileDigest::GitBlob([byte; 20]);
            fs::write(cache.blob(&digest), [byte]).unwrap();
            let file = cache.publish(&commit, &path, &digest).unwrap();
            assert_eq!(fs::read(file).unwrap(), [byte]);
        }
    }
}
