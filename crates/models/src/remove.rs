//! Deletes models from disk.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::find::{SnapshotFile, find_url, local_model, snapshot_files};
use crate::hub_cache::RepoCache;
use crate::store_lock::StoreLock;
use crate::unfinished::{self, Remnant};
use crate::variants::find_exact;
use crate::{
    HubModel, LocalModel, ModelSource, ModelUrl, NotOnDisk, StoreDirs, Variant, url_store, variants,
};

/// The deletion of a model, planned and not yet done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The models that will be gone.
    pub models: Vec<LocalModel>,
    /// The bytes of unfinished downloads that will be gone; `None` if there are none.
    pub unfinished: Option<u64>,
    /// The bytes that will be free: contents that other commits link to stay.
    pub bytes: u64,
    /// Links and contents, in the order in which they are deleted.
    files: Vec<PathBuf>,
    /// The locks of the contents.
    locks: BTreeSet<PathBuf>,
    source: ModelSource,
    dirs: StoreDirs,
}

/// A reason why files are not deleted.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// A file cannot be deleted, or locked.
    #[error("cannot delete {}: {error}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// A download holds a lock.
    #[error("another process is downloading {0}; nothing was deleted")]
    Busy(ModelSource),
    /// The files are no longer those of the plan.
    #[error("the files of {0} have changed meanwhile; nothing was deleted")]
    Changed(ModelSource),
}

impl Removal {
    /// Plans the deletion of a model; without a variant, of all models of the repository and what unfinished downloads
    /// have left there.
    ///
    /// # Errors
    ///
    /// The model is not on disk.
    pub fn plan(source: &ModelSource, dirs: &StoreDirs) -> Result<Self, NotOnDisk> {
        match source {
            ModelSource::Hub(model) => plan_hub(model, dirs),
            ModelSource::Url(url) => plan_url(&url.first_part(), dirs),
        }
    }

    fn empty(source: ModelSource, dirs: &StoreDirs) -> Self {
        Self {
            models: Vec::new(),
            unfinished: None,
            bytes: 0,
            files: Vec::new(),
            locks: BTreeSet::new(),
            source,
            dirs: dirs.clone(),
        }
    }

    fn add_remnant(&mut self, remnant: Remnant, lock: PathBuf) {
        self.unfinished = Some(self.unfinished.unwrap_or(0) + remnant.bytes);
        self.bytes += remnant.bytes;
        self.files.push(remnant.path);
        self.locks.insert(lock);
    }

    /// Deletes the files, and the directories that are empty then. Holds the locks of downloads meanwhile.
    ///
    /// # Errors
    ///
    /// A download runs, or the files have changed since the plan: then nothing is deleted. Or a file cannot be deleted;
    /// the ones before it are.
    pub fn apply(&self) -> Result<(), RemoveError> {
        let locks = self.lock()?;
        // A download that has ended meanwhile may have made links to the contents.
        if Self::plan(&self.source, &self.dirs).as_ref() != Ok(self) {
            return Err(RemoveError::Changed(self.source.clone()));
        }
        for file in &self.files {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let file = file.clone();
                    return Err(RemoveError::File { file, error });
                }
                _ => {}
            }
        }
        drop(locks);
        let root = match &self.source {
            ModelSource::Hub(model) => RepoCache::new(&self.dirs.hub, &model.repo)
                .directory()
                .to_owned(),
            ModelSource::Url(_) => self.dirs.own.clone(),
        };
        for file in &self.files {
            remove_empty_parents(file, &root);
        }
        if let ModelSource::Hub(model) = &self.source {
            RepoCache::new(&self.dirs.hub, &model.repo).clean_up();
        }
        Ok(())
    }

    fn lock(&self) -> Result<Vec<StoreLock>, RemoveError> {
        // Python's filelock does not expect its file to vanish.
        let remove = matches!(self.source, ModelSource::Url(_));
        let locks = self.locks.iter().map(|path| {
            let lock = StoreLock::try_take(path, remove).map_err(|error| RemoveError::File {
                file: path.clone(),
                error,
            })?;
            lock.ok_or_else(|| RemoveError::Busy(self.source.clone()))
        });
        locks.collect()
    }
}

/// Plans the deletion of the files of a URL, complete or not.
fn plan_url(url: &ModelUrl, dirs: &StoreDirs) -> Result<Removal, NotOnDisk> {
    let model = find_url(url, dirs);
    let source = ModelSource::Url(url.clone());
    let mut removal = Removal::empty(source.clone(), dirs);
    for part in url.parts() {
        let file = url_store::file(dirs, &part);
        if !url_store::is_usable(&file, &part) {
            continue;
        }
        // A download holds it until the record is written, too.
        let lock = url_store::with_suffix(&file, ".json.lock");
        for remnant in unfinished::of_file(&file) {
            removal.add_remnant(remnant, lock.clone());
        }
        let Ok(metadata) = fs::symlink_metadata(&file) else {
            continue;
        };
        removal.bytes += metadata.len();
        if model.is_none() {
            removal.unfinished = Some(removal.unfinished.unwrap_or(0) + metadata.len());
        }
        let record = url_store::record_file(&file);
        removal.files.extend([file, record]);
        removal.locks.insert(lock);
    }
    removal.models.extend(model);
    if removal.files.is_empty() {
        return Err(NotOnDisk::Absent(source));
    }
    Ok(removal)
}

/// Plans the deletion of a model of the hub in all commits.
fn plan_hub(model: &HubModel, dirs: &StoreDirs) -> Result<Removal, NotOnDisk> {
    let cache = RepoCache::new(&dirs.hub, &model.repo);
    let snapshots = cache.snapshot_directories();
    let snapshots: Vec<_> = snapshots
        .iter()
        .map(|snapshot| variants(&snapshot_files(snapshot)))
        .collect();
    let wanted = model
        .variant
        .as_deref()
        .map(|wanted| resolve(&snapshots, wanted));
    let (mut models, mut removed) = (Vec::<LocalModel>::new(), Vec::new());
    for variants in &snapshots {
        for variant in variants_to_remove(variants, wanted) {
            let local = local_model(model, variant);
            if models.iter().all(|known| known.source != local.source) {
                models.push(local);
            }
        }
        removed.extend(files_to_remove(variants, wanted));
    }
    let (freed, bytes) = freed_contents(&cache, &removed);
    let lock = |content: &Path| cache.lock(content);
    let mut removal = Removal {
        models,
        bytes,
        locks: freed.iter().map(|content| lock(content)).collect(),
        // Links first: a link whose content is gone would be a broken file.
        files: removed
            .into_iter()
            .map(|file| file.file)
            .chain(freed)
            .collect(),
        ..Removal::empty(ModelSource::Hub(model.clone()), dirs)
    };
    if wanted.is_none() {
        for remnant in unfinished::of_repo(&cache, dirs) {
            let lock = lock(&remnant.target);
            removal.add_remnant(remnant, lock);
        }
    }
    if removal.files.is_empty() {
        return Err(not_on_disk(model, &snapshots));
    }
    let contents = removal
        .files
        .iter()
        .filter(|file| file.parent() == Some(&cache.blobs()));
    let receipts: Vec<_> = contents
        .map(|content| unfinished::receipt(dirs, content))
        .collect();
    removal.files.extend(receipts);
    Ok(removal)
}

/// Returns the file or the exact name to delete in all commits: of the first commit that has the wanted model.
///
/// A deletion must not guess as [`choose`](crate::choose) does.
fn resolve<'a>(snapshots: &'a [Vec<Variant<SnapshotFile>>], wanted: &'a str) -> &'a str {
    let found = snapshots
        .iter()
        .find_map(|variants| find_exact(variants, wanted));
    match found {
        Some(found) if !found.has_file(wanted) => &found.name,
        _ => wanted,
    }
}

fn not_on_disk(model: &HubModel, snapshots: &[Vec<Variant<SnapshotFile>>]) -> NotOnDisk {
    let names = snapshots.iter().flatten();
    let mut available: Vec<_> = names.map(|variant| variant.name.clone()).collect();
    available.sort();
    available.dedup();
    let model = ModelSource::Hub(model.clone());
    match available.is_empty() {
        true => NotOnDisk::Absent(model),
        false => NotOnDisk::VariantAbsent { model, available },
    }
}

/// Returns the models of one commit that have this file or exactly this name; all of them without either.
fn variants_to_remove<'a>(
    variants: &'a [Variant<SnapshotFile>],
    wanted: Option<&'a str>,
) -> impl Iterator<Item = &'a Variant<SnapshotFile>> {
    variants.iter().filter(move |variant| {
        wanted.is_none_or(|wanted| variant.name == wanted || variant.has_file(wanted))
    })
}

/// Returns the files of one commit to delete, without those that the models that stay need, such as the projector.
fn files_to_remove(variants: &[Variant<SnapshotFile>], wanted: Option<&str>) -> Vec<SnapshotFile> {
    let removed: Vec<_> = variants_to_remove(variants, wanted).collect();
    let stays = |variant: &&Variant<_>| !removed.iter().any(|gone| gone.name == variant.name);
    let needed: HashSet<_> = variants
        .iter()
        .filter(stays)
        .flat_map(Variant::files)
        .map(|file| &file.file)
        .collect();
    let mut seen = HashSet::new();
    let files = removed.iter().flat_map(|variant| variant.files());
    files
        .filter(|file| !needed.contains(&file.file) && seen.insert(&file.file))
        .cloned()
        .collect()
}

/// Returns the contents that no other link needs, sorted, and the bytes that the deletion frees.
fn freed_contents(cache: &RepoCache, removed: &[SnapshotFile]) -> (Vec<PathBuf>, u64) {
    let blobs = cache.blobs();
    let paths: HashSet<_> = removed.iter().map(|file| &*file.file).collect();
    let kept = linked_contents(cache, &paths);
    let mut freed = BTreeSet::new();
    let mut bytes = 0;
    for file in removed {
        match blob_of(&file.file, &blobs) {
            Some(blob) => {
                let is_free = kept.as_ref().is_some_and(|kept| !kept.contains(&blob));
                if is_free && freed.insert(blob) {
                    bytes += file.size;
                }
            }
            // A copy instead of a link has its content in itself; a link out of the cache frees nothing.
            None if file.file.is_symlink() => {}
            None => bytes += file.size,
        }
    }
    // The plan is below the cache's directory as the user names it.
    let names = freed.iter().filter_map(|blob| blob.file_name());
    (names.map(|name| blobs.join(name)).collect(), bytes)
}

/// Returns the contents that any file of any commit links to, except the links in `without`. Files of all kinds count,
/// at any depth. Returns `None` if a directory cannot be read: then every content may be in use.
pub(crate) fn linked_contents(
    cache: &RepoCache,
    without: &HashSet<&Path>,
) -> Option<HashSet<PathBuf>> {
    let blobs = cache.blobs();
    let mut linked = HashSet::new();
    let mut directories = vec![cache.snapshots()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return None,
        };
        for entry in entries {
            let entry = entry.ok()?;
            let (path, kind) = (entry.path(), entry.file_type().ok()?);
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_symlink() && !without.contains(&*path) {
                linked.extend(blob_of(&path, &blobs));
            }
        }
    }
    Some(linked)
}

/// Returns the content that a file of a commit links to, if that lies in the repository's directory of contents.
fn blob_of(file: &Path, blobs: &Path) -> Option<PathBuf> {
    let target = fs::read_link(file).ok()?;
    let content = fs::canonicalize(file.parent()?.join(target)).ok()?;
    (content.parent()? == fs::canonicalize(blobs).ok()?).then_some(content)
}

/// Deletes the directories above a file, up to `root`, as long as they are empty.
fn remove_empty_parents(file: &Path, root: &Path) {
    let parents = file.ancestors().skip(1);
    for directory in
        parents.take_while(|directory| *directory != root && directory.starts_with(root))
    {
        // Fails for a directory that is not empty.
        if fs::remove_dir(directory).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Store;
    use crate::hub_cache::Commit;
    use crate::url_store::{UrlRecord, write_record};
    use crate::{FileDigest, find};

    fn plan(source: &str, store: &Store) -> Result<Removal, NotOnDisk> {
        Removal::plan(&source.parse().unwrap(), &store.dirs)
    }

    #[test]
    fn one_variant_goes_and_the_others_keep_their_projector() {
        let store = Store::new();
        store.add(
            "u/r",
            'a',
            &[
                ("m-Q4_0.gguf", 1, 10),
                ("m-Q8_0.gguf", 2, 20),
                ("mmproj-F16.gguf", 3, 5),
            ],
        );
        let before = store.files();
        let removal = plan("hf:u/r:q4_0", &store).unwrap();
        assert_eq!((removal.models.len(), removal.bytes), (1, 10));
        assert_eq!(store.files(), before, "a plan deletes nothing");
        removal.apply().unwrap();
        let gone: Vec<_> = before
            .iter()
            .filter(|file| !store.files().contains(file))
            .collect();
        assert_eq!(gone.len(), 2, "{gone:?}");
        let removal = plan("hf:u/r:Q8_0", &store).unwrap();
        assert_eq!(removal.bytes, 25, "the last one takes the projector along");
        removal.apply().unwrap();
        assert_eq!(store.files(), [""; 0]);
        assert!(!store.dirs.hub.join("models--u--r").exists());
    }

    #[test]
    fn no_branch_names_a_commit_that_is_gone() {
        let store = Store::new();
        store.add("u/r", 'b', &[("m-Q8_0.gguf", 2, 20)]);
        let cache = store.add("u/r", 'a', &[("m-Q4_0.gguf", 1, 10)]);
        plan("hf:u/r:Q4_0", &store).unwrap().apply().unwrap();
        assert_eq!(cache.main(), None);
        fs::write(cache.blobs().join("of-another-program"), "").unwrap();
        plan("hf:u/r", &store).unwrap().apply().unwrap();
        assert!(cache.snapshots().is_dir(), "else the cache is corrupted");
    }

    #[test]
    fn a_download_that_runs_or_has_changed_the_files_is_respected() {
        let store = Store::new();
        let cache = store.add("u/r", 'a', &[("m-Q4_0.gguf", 1, 10)]);
        let removal = plan("hf:u/r:Q4_0", &store).unwrap();
        let digest = FileDigest::Sha256([1; 32]);
        let lock = store
            .dirs
            .hub
            .join(format!(".locks/models--u--r/{digest}.lock"));
        let held = StoreLock::try_take(&lock, false).unwrap().unwrap();
        assert!(matches!(removal.apply(), Err(RemoveError::Busy(_))));
        let commit = Commit::parse(&"b".repeat(40)).unwrap();
        let path = "model.bin".parse().unwrap();
        let published = cache.publish(&commit, &path, &digest).unwrap();
        drop(held);
        assert!(matches!(removal.apply(), Err(RemoveError::Changed(_))));
        assert!(find(&"hf:u/r:Q4_0".parse().unwrap(), &store.dirs).is_ok());
        plan("hf:u/r:Q4_0", &store).unwrap().apply().unwrap();
        assert!(published.is_file());
    }

    #[test]
    fn a_later_part_stands_for_the_whole_model() {
        let store = Store::new();
        let url: ModelUrl = "https://h/m-00001-of-00002.gguf".parse().unwrap();
        for part in url.parts() {
            let file = url_store::file(&store.dirs, &part);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "1234").unwrap();
            write_record(&file, &UrlRecord::new(&part, 4, String::new())).unwrap();
        }
        let removal = plan("https://h/m-00002-of-00002.gguf", &store).unwrap();
        assert_eq!((removal.models.len(), removal.bytes), (1, 8));
        removal.apply().unwrap();
        assert_eq!(store.files(), [""; 0]);
    }

    #[test]
    fn contents_that_another_file_links_to_stay() {
        let store = Store::new();
        // The same content under two names, and in two commits.
        store.add(
            "u/r",
            'a',
            &[("m-Q4_0.gguf", 1, 10), ("copy-Q8_0.gguf", 1, 10)],
        );
        store.add("u/r", 'b', &[("m-Q4_0.gguf", 1, 10), ("m-F16.gguf", 2, 20)]);
        let removal = plan("hf:u/r:Q4_0", &store).unwrap();
        assert_eq!(removal.bytes, 0);
        removal.apply().unwrap();
        assert_eq!(
            find(&"hf:u/r:Q8_0".parse().unwrap(), &store.dirs)
                .unwrap()
                .size,
            10
        );
        assert!(plan("hf:u/r:Q4_0", &store).is_err(), "gone in both commits");
    }

    #[test]
    fn a_quantisation_of_another_name_stays_in_every_commit() {
        let store = Store::new();
        store.add("u/r", 'b', &[("m-IQ4_0.gguf", 2, 20)]);
        let error = plan("hf:u/r:Q4_0", &store).unwrap_err().to_string();
        assert!(error.ends_with("there is only IQ4_0"), "{error}");
        store.add("u/r", 'a', &[("m-Q4_0.gguf", 1, 10)]);
        let removal = plan("hf:u/r:q4_0", &store).unwrap();
        assert_eq!(removal.bytes, 10);
        removal.apply().unwrap();
        let other = find(&"hf:u/r:IQ4_0".parse().unwrap(), &store.dirs);
        assert_eq!(other.unwrap().size, 20);
    }

    #[test]
    fn a_plan_names_every_model_that_it_deletes() {
        let store = Store::new();
        // The same file has two names, because in one commit it shares its quantisation.
        store.add(
            "u/r",
            'b',
            &[("a-Q4_0.gguf", 1, 10), ("b-Q4_0.gguf", 2, 20)],
        );
        store.add("u/r", 'a', &[("a-Q4_0.gguf", 1, 10)]);
        let removal = plan("hf:u/r:a-Q4_0.gguf", &store).unwrap();
        let mut names: Vec<_> = removal
            .models
            .iter()
            .map(|model| model.source.to_string())
            .collect();
        names.sort();
        assert_eq!(names, ["hf:u/r:Q4_0", "hf:u/r:a-Q4_0"]);
        assert_eq!(removal.bytes, 10);
    }

    #[test]
    fn contents_stay_that_files_of_any_kind_and_depth_link_to() {
        let store = Store::new();
        let deep = format!("{}x.gguf", "d/".repeat(12));
        let cache = store.add(
            "u/r",
            'a',
            &[
                ("m-Q4_0.gguf", 1, 10),
                ("model.bin", 1, 10),
                ("m-Q8_0.gguf", 2, 20),
                (&deep, 2, 20),
                ("m-F16.gguf", 3, 30),
            ],
        );
        let removal = plan("hf:u/r", &store).unwrap();
        assert_eq!(removal.bytes, 30);
        removal.apply().unwrap();
        let snapshot = cache.snapshot(&cache.main().unwrap());
        for file in ["model.bin", &deep] {
            assert!(snapshot.join(file).is_file(), "{file}");
        }
    }

    #[test]
    fn without_a_variant_all_models_go_and_nothing_else() {
        let store = Store::new();
        let cache = store.add(
            "u/r",
            'a',
            &[("m-Q4_0.gguf", 1, 10), ("m.safetensors", 2, 20)],
        );
        let outside = store.dirs.hub.join("outside.gguf");
        fs::write(&outside, "12345").unwrap();
        let snapshot = cache.snapshot(&cache.main().unwrap());
        std::os::unix::fs::symlink(&outside, snapshot.join("m-Q8_0.gguf")).unwrap();
        let removal = plan("hf:u/r", &store).unwrap();
        assert_eq!((removal.models.len(), removal.bytes), (2, 10));
        removal.apply().unwrap();
        assert!(outside.exists(), "a link out of the cache frees nothing");
        assert!(snapshot.join("m.safetensors").exists());
        assert!(!snapshot.join("m-Q8_0.gguf").is_symlink());
        assert!(plan("hf:other/r", &store).is_err());
    }

    #[test]
    fn a_url_goes_with_record_and_empty_directories() {
        let store = Store::new();
        let url: ModelUrl = "https://h/d/m.gguf".parse().unwrap();
        let file = url_store::file(&store.dirs, &url);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "1234").unwrap();
        let (url, sha256) = (url.to_string(), String::new());
        write_record(
            &file,
            &UrlRecord {
                url,
                size: 4,
                sha256,
                query_sha256: None,
            },
        )
        .unwrap();
        let removal = plan("https://h/d/m.gguf", &store).unwrap();
        assert_eq!(removal.bytes, 4);
        removal.apply().unwrap();
        assert_eq!(store.files(), [""; 0]);
        assert!(store.dirs.own.exists() && !store.dirs.own.join("h").exists());
    }
}
