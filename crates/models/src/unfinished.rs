//! Finds what interrupted downloads have left.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::hub_cache::RepoCache;
use crate::remove::linked_contents;
use crate::url_store::{self, with_suffix};
use crate::{FileDigest, HubModel, ModelSource, ModelUrl, Removal, RepoName, StoreDirs};

/// Endings of the files that a download writes before the file that it is for.
const PART_SUFFIXES: [&str; 3] = [".part", ".part.json", ".part.json.new"];
/// The directory of receipts below paddock's own files: a download notes each content there that it has completed.
const RECEIPTS: &str = ".verified";
/// Maximum depth of directories below a host's.
const MAX_DEPTH: usize = 16;

/// The remains of interrupted downloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The repository, or the URL. The scheme of a URL is not recorded before its file is complete.
    pub source: ModelSource,
    /// The bytes on disk.
    pub size: u64,
}

/// A file that an interrupted download has left.
#[derive(Debug)]
pub(crate) struct Remnant {
    pub(crate) path: PathBuf,
    /// The file that was to be written; its name is that of the lock.
    pub(crate) target: PathBuf,
    pub(crate) bytes: u64,
}

/// Lists the remains of interrupted downloads: one entry for a repository or URL.
pub fn list_unfinished(dirs: &StoreDirs) -> Vec<Unfinished> {
    let mut sources = BTreeSet::new();
    for entry in fs::read_dir(&dirs.hub).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(repo) = name.to_str().and_then(RepoName::from_directory) {
            let variant = None;
            sources.insert(ModelSource::Hub(HubModel { repo, variant }));
        }
    }
    add_urls(&dirs.own, 0, dirs, &mut sources);
    let sources = sources.into_iter();
    let unfinished = sources.filter_map(|source| {
        let size = Removal::plan(&source, dirs).ok()?.unfinished?;
        Some(Unfinished { source, size })
    });
    unfinished.collect()
}

/// Adds the URLs of the files below a directory.
fn add_urls(directory: &Path, depth: usize, dirs: &StoreDirs, sources: &mut BTreeSet<ModelSource>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < MAX_DEPTH {
                add_urls(&path, depth + 1, dirs, sources);
            }
            continue;
        }
        let url = match url_store::read_record(&path) {
            Some(record) => record.url.parse().ok(),
            None => unfinished_url(&path, dirs),
        };
        sources.extend(url.map(|url: ModelUrl| ModelSource::Url(url.first_part())));
    }
}

/// Returns a URL whose unfinished file has this path.
fn unfinished_url(path: &Path, dirs: &StoreDirs) -> Option<ModelUrl> {
    let path = path.strip_prefix(&dirs.own).ok()?.to_str()?;
    let (host, path) = path.strip_suffix(PART_SUFFIXES[0])?.split_once('/')?;
    // No host has an underscore, so that it stands for the colon before the port.
    let host = host.replace('_', ":");
    format!("https://{host}/{path}").parse().ok()
}

/// Returns the path of the receipt for a content of the hub's cache. A download writes it once the content is verified.
pub fn receipt(dirs: &StoreDirs, content: &Path) -> PathBuf {
    let name = content.file_name().unwrap_or_default();
    dirs.own.join(RECEIPTS).join(name)
}

/// Returns the files that unfinished downloads of a repository have left, sorted: parts of contents, and contents that
/// no file of a commit links to. Those without receipt are not paddock's: `huggingface_hub` before 1.0 makes links to
/// contents from directories elsewhere.
pub(crate) fn of_repo(cache: &RepoCache, dirs: &StoreDirs) -> Vec<Remnant> {
    let blobs = cache.blobs();
    let entries = fs::read_dir(&blobs).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let linked = linked_contents(cache, &HashSet::new());
    let remnants = names.iter().filter_map(|name| {
        let digest = name.split('.').next()?;
        FileDigest::from_hex(digest)?;
        let suffix = &name[digest.len()..];
        let path = blobs.join(name);
        let is_remnant = match suffix {
            "" => {
                let is_linked = linked.as_ref()?.contains(&fs::canonicalize(&path).ok()?);
                !is_linked && receipt(dirs, &path).exists()
            }
            suffix => PART_SUFFIXES.contains(&suffix),
        };
        is_remnant.then(|| remnant(path, blobs.join(digest)))?
    });
    remnants.collect()
}

/// Returns the files that an unfinished download of a URL's file has left.
pub(crate) fn of_file(target: &Path) -> impl Iterator<Item = Remnant> {
    let parts = PART_SUFFIXES.iter();
    parts.filter_map(|suffix| remnant(with_suffix(target, suffix), target.to_owned()))
}

fn remnant(path: PathBuf, target: PathBuf) -> Option<Remnant> {
    let metadata = fs::symlink_metadata(&path).ok()?;
    let bytes = bytes_on_disk(&metadata);
    (!metadata.is_dir()).then_some(Remnant {
        path,
        target,
        bytes,
    })
}

/// Returns the bytes that a file takes, which may have holes, up to its length.
fn bytes_on_disk(metadata: &Metadata) -> u64 {
    metadata.len().min(metadata.blocks().saturating_mul(512))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Store;

    #[test]
    fn interrupted_downloads_are_listed_and_deleted() {
        let store = Store::new();
        let cache = store.add("u/r", 'a', &[("m-Q4_0.gguf", 1, 10), ("config.json", 9, 1)]);
        assert_eq!(list_unfinished(&store.dirs), []);
        let blob = |byte| cache.blob(&FileDigest::Sha256([byte; 32]));
        // A complete part of a split model, and the second one as far as it has arrived.
        fs::write(blob(2), "1234567").unwrap();
        let receipt = receipt(&store.dirs, &blob(2));
        fs::create_dir_all(receipt.parent().unwrap()).unwrap();
        fs::write(&receipt, "").unwrap();
        fs::write(blob(5), "of another program").unwrap();
        for suffix in PART_SUFFIXES {
            fs::write(with_suffix(&blob(3), suffix), "123").unwrap();
        }
        fs::write(with_suffix(&blob(4), ".incomplete"), "of another program").unwrap();
        let url: ModelUrl = "http://h:80/m-00002-of-00002.gguf".parse().unwrap();
        let file = url_store::file(&store.dirs, &url);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(with_suffix(&file, ".part"), "12345").unwrap();
        let listed: Vec<_> = list_unfinished(&store.dirs)
            .iter()
            .map(|entry| (entry.source.to_string(), entry.size))
            .collect();
        let url = "https://h:80/m-00001-of-00002.gguf";
        assert_eq!(listed, [("hf:u/r".to_owned(), 16), (url.to_owned(), 5)]);
        for (source, bytes, models) in [("hf:u/r:Q4_0", 10, 1), ("hf:u/r", 16, 0), (url, 5, 0)] {
            let removal = Removal::plan(&source.parse().unwrap(), &store.dirs).unwrap();
            assert_eq!(
                (removal.bytes, removal.models.len()),
                (bytes, models),
                "{source}"
            );
            removal.apply().unwrap();
        }
        let left = store.files();
        assert_eq!(left.len(), 5, "{left:?}");
        assert!(with_suffix(&blob(4), ".incomplete").exists() && blob(5).exists());
        assert!(!receipt.exists());
        assert_eq!(list_unfinished(&store.dirs), []);
    }
}
