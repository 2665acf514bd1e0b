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
