//! Pulls a model into the hub's cache.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use paddock_models::hub_cache::{Commit, RepoCache};
use paddock_models::{FileDigest, RepoFile, RepoName, RepoPath, StoreDirs, Variant, receipt};

use super::{Hub, HubError, RepoListing};
use crate::file_lock::FileLock;
use crate::free_space::check_free_space;
use crate::part_file::{parent_of, with_suffix};
use crate::{FileRequest, Progress, fetch_file};

/// Times that files are fetched because another process has deleted them before they had a name.
const MAX_ATTEMPTS: usize = 3;

/// A model whose files are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledModel {
    /// The model file, or all its parts in order.
    pub files: Vec<PathBuf>,
    /// The projector for images and sound.
    pub projector: Option<PathBuf>,
    /// The size of all these files in bytes.
    pub size: u64,
    /// False if all files were on disk already.
    pub downloaded: bool,
}

/// A repository's place on disk.
struct Place<'a> {
    dirs: &'a StoreDirs,
    repo: &'a RepoName,
    commit: &'a Commit,
    cache: RepoCache,
}

impl Hub {
    /// Downloads the files of a variant that are missing, and enters them into the hub's cache.
    ///
    /// Fails before the first byte if the disk has too little space for all of them. `progress` gets the file of each
    /// step.
    ///
    /// # Errors
    ///
    /// Any [`HubError`]; what has arrived is kept, and the next call continues.
    pub async fn pull(
        &self,
        repo: &RepoName,
        listing: &RepoListing,
        variant: &Variant,
        dirs: &StoreDirs,
        progress: impl Fn(&RepoPath, Progress),
    ) -> Result<PulledModel, HubError> {
        let place = Place {
            dirs,
            repo,
            commit: &listing.commit,
            cache: RepoCache::new(&dirs.hub, repo),
        };
        let cache = &place.cache;
        // `huggingface_hub` counts a repository without directory of commits as corrupted.
        for directory in [cache.blobs(), cache.snapshots()] {
            fs::create_dir_all(directory).map_err(|cause| place.error(cause))?;
        }
        let missing = variant
            .files()
            .map(|file| missing_bytes(&cache.blob(&file.digest), file.size));
        check_free_space(&cache.blobs(), saturating_sum(missing))?;
        let mut downloaded = false;
        for _ in 0..MAX_ATTEMPTS {
            for file in variant.files() {
                downloaded |= self.fetch_blob(&place, file, &progress).await?;
            }
            let Some((files, projector)) = place.publish_all(variant, &progress).await? else {
                continue;
            };
            cache
                .set_main(&listing.commit)
                .map_err(|cause| place.error(cause))?;
            return Ok(PulledModel {
                files,
                projector,
                size: saturating_sum(variant.files().map(|file| file.size)),
                downloaded,
            });
        }
        Err(place.error(io::Error::other("another process deletes its files")))
    }

    async fn fetch_blob(
        &self,
        place: &Place<'_>,
        file: &RepoFile,
        progress: &impl Fn(&RepoPath, Progress),
    ) -> Result<bool, HubError> {
        let blob = place.cache.blob(&file.digest);
        let request = FileRequest {
            headers: self.private_headers()?,
            size: Some(file.size),
            sha256: file.digest.sha256(),
            git_blob: match file.digest {
                FileDigest::GitBlob(digest) => Some(digest),
                FileDigest::Sha256(_) => None,
            },
            lock: Some(place.lock(&file.digest)),
            receipt: Some(receipt(place.dirs, &blob)),
            ..FileRequest::new(self.file_url(place.repo, place.commit, &file.path))
        };
        let fetched = fetch_file(&self.client, &request, &blob, |step| {
            progress(&file.path, step);
        })
        .await;
        let fetched = fetched
            .map_err(|error| HubError::from_transfer(place.repo, self.has_token(), error))?;
        Ok(fetched.downloaded)
    }
}

impl Place<'_> {
    /// Returns the lock of a content: the one of `huggingface_hub` (`_hf_hub_download_to_cache_dir`),
    /// so that both exclude each other.
    fn lock(&self, digest: &FileDigest) -> PathBuf {
        let locks = self.dirs.hub.join(".locks").join(self.repo.directory());
        locks.join(format!("{digest}.lock"))
    }

    fn error(&self, cause: io::Error) -> HubError {
        HubError::Cache {
            path: self.cache.directory().to_owned(),
            cause,
        }
    }

    /// Gives all complete blobs of a variant their names, the parts of a split model together. Returns `None` if a blob
    /// is gone.
    async fn publish_all(
        &self,
        variant: &Variant,
        progress: &impl Fn(&RepoPath, Progress),
    ) -> Result<Option<(Vec<PathBuf>, Option<PathBuf>)>, HubError> {
        let mut projector = None;
        if let Some(file) = &variant.projector {
            projector = self.publish(file, progress).await?;
            if projector.is_none() {
                return Ok(None);
            }
        }
        let mut files = Vec::new();
        for part in &variant.parts {
            let Some(file) = self.publish(part, progress).await? else {
                return Ok(None);
            };
            files.push(file);
        }
        Ok(Some((files, projector)))
    }

    /// Gives a complete blob its name, and returns the path. Returns `None` if another process has deleted the blob since
    /// it was fetched.
    async fn publish(
        &self,
        file: &RepoFile,
        progress: &impl Fn(&RepoPath, Progress),
    ) -> Result<Option<PathBuf>, HubError> {
        let blob = self.cache.blob(&file.digest);
        let path = file.path.below(&self.cache.snapshot(self.commit));
        // In a cache that this user cannot write to, the lock cannot be taken.
        if is_same_file(&path, &blob) {
            return Ok(Some(path));
        }
        let lock = self.lock(&file.digest);
        let create = fs::create_dir_all(parent_of(&lock));
        create.map_err(|cause| self.error(cause))?;
        let waiting = || progress(&file.path, Progress::Waiting);
        let _lock = FileLock::acquire(&lock, false, waiting).await?;
        if !blob.is_file() {
            return Ok(None);
        }
        let published = self.cache.publish(self.commit, &file.path, &file.digest);
        published.map(Some).map_err(|cause| self.error(cause))
    }
}

/// Returns true if both paths lead to the same existing file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// Adds sizes of a listing, which may be any number.
fn saturating_sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

/// Returns the bytes that a download of this file will still write.
pub(crate) fn missing_bytes(target: &Path, size: u64) -> u64 {
    if fs::metadata(target).is_ok_and(|metadata| metadata.len() == size) {
        return 0;
    }
    let part = fs::metadata(with_suffix(target, ".part"));
    let held = part.map_or(0, |metadata| metadata.blocks().saturating_mul(512));
    size.saturating_sub(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpClient;

    fn file(name: &str, byte: u8, size: u64) -> RepoFile {
        RepoFile {
            path: name.parse().unwrap(),
            size,
            digest: FileDigest::Sha256([byte; 32]),
        }
    }

    #[tokio::test]
    async fn a_blob_that_is_gone_gets_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let dirs = StoreDirs {
            hub: directory.path().join("hub"),
            own: directory.path().join("own"),
        };
        let repo = RepoName::parse("u/r").unwrap();
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let place = Place {
            dirs: &dirs,
            repo: &repo,
            commit: &commit,
            cache: RepoCache::new(&dirs.hub, &repo),
        };
        let file = file("m.gguf", 1, 7);
        assert_eq!(place.publish(&file, &|_, _| {}).await.unwrap(), None);
        assert!(!place.cache.snapshot(&commit).exists());
        let blob = place.cache.blob(&file.digest);
        fs::create_dir_all(place.cache.blobs()).unwrap();
        fs::write(blob, "content").unwrap();
        let path = place.publish(&file, &|_, _| {}).await.unwrap();
        assert_eq!(fs::read(path.unwrap()).unwrap(), b"content");
    }

    #[tokio::test]
    async fn sizes_that_exceed_all_disks_are_refused_before_the_first_request() {
        let directory = tempfile::tempdir().unwrap();
        let dirs = StoreDirs {
            hub: directory.path().join("hub"),
            own: directory.path().join("own"),
        };
        let client = HttpClient::new("test").unwrap();
        let hub = Hub::new(client, "http://127.0.0.1:1", None).unwrap();
        let repo = RepoName::parse("u/r").unwrap();
        let parts = vec![
            file("m-00001-of-00002.gguf", 1, 1 << 63),
            file("m-00002-of-00002.gguf", 2, 1 << 63),
        ];
        let listing = RepoListing {
            commit: Commit::parse(&"a".repeat(40)).unwrap(),
            files: parts.clone(),
        };
        let variant = Variant {
            name: "m".to_owned(),
            parts,
            projector: None,
        };
        let pulled = hub.pull(&repo, &listing, &variant, &dirs, |_, _| {}).await;
        let error = pulled.unwrap_err().to_string();
        assert!(error.contains("has too little space"), "{error}");
        let cache = RepoCache::new(&dirs.hub, &repo);
        assert!(cache.snapshots().exists());
    }
}
