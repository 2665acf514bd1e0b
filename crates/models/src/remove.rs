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
mod tests;
