//! Finds a model's files on disk, without network.

use std::fs;
use std::path::{Path, PathBuf};

use crate::hub_cache::RepoCache;
use crate::variants::ENDING;
use crate::{
    ChooseError, HasRepoPath, HubModel, ModelSource, ModelUrl, RepoPath, StoreDirs, Variant,
    choose, url_store, variants,
};

/// Maximum depth of directories in a snapshot.
const MAX_DEPTH: usize = 8;
/// Maximum number of files in a snapshot.
const MAX_FILES: usize = 10_000;

/// A model whose files are on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalModel {
    /// The origin of the model; always with its variant.
    pub source: ModelSource,
    /// The model file, or all its parts in order.
    pub files: Vec<PathBuf>,
    /// The projector for images and sound.
    pub projector: Option<PathBuf>,
    /// The size of all these files in bytes.
    pub size: u64,
}

impl LocalModel {
    /// Returns the file to load: the first part.
    pub fn path(&self) -> &Path {
        self.files.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

/// A model that is not on disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOnDisk {
    /// None of its files are.
    #[error("{0} is not on disk")]
    Absent(ModelSource),
    /// Other models of the same repository are.
    #[error("{model} is not on disk; of this repository, there is only {}", .available.join(", "))]
    VariantAbsent {
        /// The model.
        model: ModelSource,
        /// The models that there are.
        available: Vec<String>,
    },
}

/// Returns a path for a model that is not on disk: of a URL, the file that a download creates; of the hub, a path that
/// no file has, because the names of file and commit are unknown.
pub fn expected_path(source: &ModelSource, dirs: &StoreDirs) -> PathBuf {
    match source {
        ModelSource::Hub(model) => {
            let snapshots = RepoCache::new(&dirs.hub, &model.repo).snapshots();
            // A commit's directory is named by 40 digits, so this one is no commit's.
            let variant = model.variant.as_deref().unwrap_or("model");
            snapshots.join("not-on-disk").join(variant)
        }
        ModelSource::Url(url) => url_store::file(dirs, url),
    }
}

/// A file in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotFile {
    pub(crate) path: RepoPath,
    pub(crate) file: PathBuf,
    pub(crate) size: u64,
}

impl HasRepoPath for SnapshotFile {
    fn repo_path(&self) -> &RepoPath {
        &self.path
    }
}

/// Finds a model on disk.
///
/// # Errors
///
/// The model, or a part of it, is not on disk.
pub fn find(source: &ModelSource, dirs: &StoreDirs) -> Result<LocalModel, NotOnDisk> {
    match source {
        ModelSource::Hub(model) => find_in_cache(model, dirs),
        ModelSource::Url(url) => {
            find_url(url, dirs).ok_or_else(|| NotOnDisk::Absent(source.clone()))
        }
    }
}

fn find_in_cache(model: &HubModel, dirs: &StoreDirs) -> Result<LocalModel, NotOnDisk> {
    let mut available = Vec::new();
    for snapshot in RepoCache::new(&dirs.hub, &model.repo).snapshot_directories() {
        let found = variants(&snapshot_files(&snapshot));
        match choose(&found, model.variant.as_deref()) {
            Ok(variant) => return Ok(local_model(model, variant)),
            Err(ChooseError::Empty) => {}
            Err(ChooseError::Absent {
                available: names, ..
            }) => available.extend(names),
        }
    }
    let model = ModelSource::Hub(model.clone());
    available.sort();
    available.dedup();
    Err(match available.is_empty() {
        true => NotOnDisk::Absent(model),
        false => NotOnDisk::VariantAbsent { model, available },
    })
}

/// Describes a variant of a snapshot.
pub(crate) fn local_model(model: &HubModel, variant: &Variant<SnapshotFile>) -> LocalModel {
    LocalModel {
        source: ModelSource::Hub(HubModel {
            repo: model.repo.clone(),
            variant: Some(variant.name.clone()),
        }),
        files: variant.parts.iter().map(|part| part.file.clone()).collect(),
        projector: variant.projector.as_ref().map(|file| file.file.clone()),
        size: variant.files().map(|file| file.size).sum(),
    }
}

/// Returns the complete GGUF files of a snapshot, sorted by path. A link whose blob is missing is left out.
pub(crate) fn snapshot_files(snapshot: &Path) -> Vec<SnapshotFile> {
    let mut files = Vec::new();
    let mut directories = vec![(snapshot.to_owned(), String::new(), 0)];
    while let Some((directory, prefix, depth)) = directories.pop() {
        let Ok(entries) = fs::read_dir(directory) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = format!("{prefix}{name}");
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < MAX_DEPTH {
                    directories.push((entry.path(), format!("{path}/"), depth + 1));
                }
                continue;
            }
            // Follows the link to the blob.
            let metadata = fs::metadata(entry.path())
                .ok()
                .filter(fs::Metadata::is_file);
            if let (true, Some(metadata), Ok(path)) =
                (path.ends_with(ENDING), metadata, path.parse())
            {
                files.push(SnapshotFile {
                    path,
                    file: entry.path(),
                    size: metadata.len(),
                });
            }
            if files.len() >= MAX_FILES {
                return files;
            }
        }
    }
    files.sort_by(|one, two| one.path.cmp(&two.path));
    files
}

/// Finds the file of a URL, with all its parts; not one of another scheme or query. A file without record is whole too, because a download renames it last.
pub(crate) fn find_url(url: &ModelUrl, dirs: &StoreDirs) -> Option<LocalModel> {
    let usable_file = |part: &ModelUrl| {
        let file = url_store::file(dirs, part);
        url_store::is_usable(&file, part).then_some(file)
    };
    let files: Vec<_> = url.parts().iter().map(usable_file).collect::<Option<_>>()?;
    let sizes = files.iter().map(|file| {
        let metadata = fs::metadata(file).ok()?;
        metadata.is_file().then_some(metadata.len())
    });
    Some(LocalModel {
        source: ModelSource::Url(url.clone()),
        size: sizes.sum::<Option<u64>>()?,
        files,
        projector: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Store;

    fn find(source: &str, store: &Store) -> Result<LocalModel, NotOnDisk> {
        super::find(&source.parse().unwrap(), &store.dirs)
    }

    #[test]
    fn a_model_is_found_with_its_parts_and_projector() {
        let store = Store::new();
        store.add(
            "u/r",
            'a',
            &[
                ("Q8_0/m-00001-of-00002.gguf", 1, 10),
                ("Q8_0/m-00002-of-00002.gguf", 2, 20),
                ("mmproj-F16.gguf", 3, 5),
                ("README.md", 4, 1000),
            ],
        );
        let found = find("hf:u/r", &store).unwrap();
        assert_eq!(found.source.to_string(), "hf:u/r:Q8_0");
        assert_eq!((found.files.len(), found.size), (2, 35));
        assert!(found.path().ends_with("Q8_0/m-00001-of-00002.gguf"));
        assert!(found.projector.unwrap().ends_with("mmproj-F16.gguf"));
        assert_eq!(find("hf:u/r:q8_0", &store).unwrap().size, 35);
    }

    #[test]
    fn the_main_branch_counts_first_and_older_commits_after_it() {
        let store = Store::new();
        store.add(
            "u/r",
            'a',
            &[("m-Q4_0.gguf", 1, 10), ("m-Q8_0.gguf", 2, 20)],
        );
        store.add("u/r", 'b', &[("m-Q4_0.gguf", 3, 11)]);
        assert_eq!(find("hf:u/r:Q4_0", &store).unwrap().size, 11);
        assert_eq!(find("hf:u/r:Q8_0", &store).unwrap().size, 20);
    }

    #[test]
    fn absent_models_are_reported_with_what_there_is() {
        let store = Store::new();
        assert_eq!(
            find("hf:u/r", &store).unwrap_err().to_string(),
            "hf:u/r is not on disk"
        );
        let cache = store.add(
            "u/r",
            'a',
            &[
                ("m-Q4_0.gguf", 1, 10),
                ("m-Q8_0-00001-of-00002.gguf", 2, 20),
            ],
        );
        assert_eq!(
            find("hf:u/r:Q8_0", &store).unwrap_err().to_string(),
            "hf:u/r:Q8_0 is not on disk; of this repository, there is only Q4_0"
        );
        // A link to a content that is gone is no file.
        fs::remove_dir_all(cache.blobs()).unwrap();
        assert!(matches!(find("hf:u/r", &store), Err(NotOnDisk::Absent(_))));
    }

    #[test]
    fn a_url_is_found_with_all_parts() {
        let store = Store::new();
        let url = "https://h/m-00001-of-00002.gguf";
        let parsed: ModelUrl = url.parse().unwrap();
        for part in parsed.parts() {
            assert!(find(url, &store).is_err());
            let file = url_store::file(&store.dirs, &part);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "1234").unwrap();
        }
        let found = find(url, &store).unwrap();
        assert_eq!((found.files.len(), found.size), (2, 8));
    }

    #[test]
    fn a_file_of_another_scheme_or_query_is_not_found() {
        let store = Store::new();
        let url: ModelUrl = "https://h/m.gguf?rev=1".parse().unwrap();
        let file = url_store::file(&store.dirs, &url);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "1234").unwrap();
        let record = url_store::UrlRecord::new(&url, 4, "00".repeat(32));
        url_store::write_record(&file, &record).unwrap();
        for (url, expected) in [
            ("https://h/m.gguf?rev=1", true),
            ("https://h/m.gguf?rev=2", false),
            ("http://h/m.gguf?rev=1", false),
            ("http://h/m.gguf", false),
            // As the list names it.
            ("https://h/m.gguf", true),
        ] {
            assert_eq!(find(url, &store).is_ok(), expected, "{url}");
            let is_from = expected && url.ends_with("rev=1");
            assert_eq!(record.is_from(&url.parse().unwrap()), is_from, "{url}");
        }
        let text = fs::read_to_string(url_store::record_file(&file)).unwrap();
        assert!(!text.contains("rev=1"), "a query may be secret: {text}");
    }
}
