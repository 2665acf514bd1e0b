//! Lists the models on disk.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::find::{find_url, local_model, snapshot_files};
use crate::hub_cache::RepoCache;
use crate::{HubModel, LocalModel, ModelSource, RepoName, StoreDirs, url_store, variants};

/// Maximum depth of directories below a host's.
const MAX_DEPTH: usize = 16;

/// Returns the models on disk, sorted by source: all variants in the hub's cache, and the files from URLs.
pub fn list(dirs: &StoreDirs) -> Vec<LocalModel> {
    let mut models = Vec::new();
    for entry in fs::read_dir(&dirs.hub)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let name = entry.file_name();
        if let Some(repo) = name.to_str().and_then(RepoName::from_directory) {
            models.extend(repo_models(&dirs.hub, repo));
        }
    }
    add_url_models(&dirs.own, 0, dirs, &mut models);
    models.sort_by(|one, two| one.source.cmp(&two.source));
    models
}

/// Returns a repository's variants. Of those in several commits, the main branch's or newest counts.
pub(crate) fn repo_models(hub: &Path, repo: RepoName) -> Vec<LocalModel> {
    let cache = RepoCache::new(hub, &repo);
    let model = HubModel {
        repo,
        variant: None,
    };
    let mut names = HashSet::new();
    let mut models = Vec::new();
    for snapshot in cache.snapshot_directories() {
        for variant in variants(&snapshot_files(&snapshot)) {
            if names.insert(variant.name.clone()) {
                models.push(local_model(&model, &variant));
            }
        }
    }
    models
}

/// Adds the files below a directory that have a record.
fn add_url_models(directory: &Path, depth: usize, dirs: &StoreDirs, models: &mut Vec<LocalModel>) {
    for entry in fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < MAX_DEPTH {
                add_url_models(&path, depth + 1, dirs, models);
            }
            continue;
        }
        let Some(ModelSource::Url(url)) =
            url_store::read_record(&path).and_then(|record| record.url.parse().ok())
        else {
            continue;
        };
        // Later parts of a split model have records too, and so may a file that was moved here by hand.
        let is_first = url_store::file(dirs, &url) == path && url.is_first_part();
        if is_first {
            models.extend(find_url(&url, dirs));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelUrl;
    use crate::fixture::Store;
    use crate::url_store::{UrlRecord, write_record};

    #[test]
    fn all_models_are_listed_once() {
        let store = Store::new();
        assert_eq!(list(&store.dirs), []);
        store.add(
            "u/r",
            'a',
            &[("m-Q4_0.gguf", 1, 10), ("m-Q8_0.gguf", 2, 20)],
        );
        store.add("u/r", 'b', &[("m-Q4_0.gguf", 3, 11), ("config.json", 4, 1)]);
        store.add("a/b", 'a', &[("x.gguf", 5, 1)]);
        store.add("a/c", 'a', &[("config.json", 5, 1)]);
        let url: ModelUrl = "https://h/d/m-00001-of-00002.gguf".parse().unwrap();
        for part in url.parts() {
            let file = url_store::file(&store.dirs, &part);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "1234").unwrap();
            let record = UrlRecord::new(&part, 4, "00".repeat(32));
            write_record(&file, &record).unwrap();
            assert_eq!(url_store::read_record(&file), Some(record));
        }
        let listed: Vec<_> = list(&store.dirs)
            .iter()
            .map(|model| (model.source.to_string(), model.size))
            .collect();
        assert_eq!(
            listed,
            [
                ("hf:a/b:x".to_owned(), 1),
                ("hf:u/r:Q4_0".to_owned(), 11),
                ("hf:u/r:Q8_0".to_owned(), 20),
                ("https://h/d/m-00001-of-00002.gguf".to_owned(), 8),
            ]
        );
    }
}
