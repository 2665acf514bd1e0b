//! Engines from archives made here.

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};
use tempfile::TempDir;

use super::*;

struct Store {
    place: TempDir,
    dirs: EngineDirs,
}

impl Store {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let own = Some(place.path().join("engines"));
        Self {
            place,
            dirs: EngineDirs { own, system: None },
        }
    }

    /// Makes an archive of programs.
    fn archive(&self, asset: &str, sha256: &str, files: &[&str]) -> ArchiveFile {
        let path = self.place.path().join(asset);
        let encoder = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
        let mut builder = Builder::new(encoder);
        for name in files {
            let mut header = Header::new_gnu();
            header.set_size(2);
            header.set_mode(0o755);
            builder.append_data(&mut header, name, &b"#!"[..]).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
        ArchiveFile {
            path,
            record: ArchiveRecord {
                asset: asset.to_owned(),
                url: format!("https://example.org/{asset}"),
                sha256: sha256.to_owned(),
            },
        }
    }

    fn unpack(&self, archives: &[ArchiveFile]) -> Result<UnpackedEngine, InstallError> {
        UnpackedEngine::unpack(&self.dirs, "b1".parse().unwrap(), archives)
    }

    /// Lists the directory of engines.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dirs.own.as_ref().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

fn install(unpacked: UnpackedEngine) -> InstalledEngine {
    let flavour = Flavour::new("cuda-12.8");
    let version = "version: 1".to_owned();
    unpacked.install("b1", &flavour, version, None, 7).unwrap()
}

#[test]
fn an_engine_is_installed_whole_with_its_libraries_and_receipt() {
    let store = Store::new();
    let main = store.archive(
        "main.tar.gz",
        "11",
        &["llama-b1/llama-server", "llama-b1/libggml.so"],
    );
    let runtime = store.archive("cudart.tar.gz", "22", &["cudart-llama-b1/libcudart.so.12"]);
    let unpacked = store.unpack(&[main.clone(), runtime.clone()]).unwrap();
    assert!(unpacked.program().is_file());
    assert_eq!(store.dirs.installed(), []);
    let engine = install(unpacked);
    assert_eq!(engine.receipt.program, Path::new("llama-b1/llama-server"));
    assert_eq!(engine.receipt.archives, [main.record, runtime.record]);
    assert_eq!(engine.receipt.version, "version: 1");
    assert!(engine.directory.join("llama-b1/libcudart.so.12").is_file());
    assert_eq!(store.dirs.installed(), [engine]);
    assert_eq!(store.names(), [".lock", "b1", "digests.json"]);
}

#[test]
fn an_engine_that_is_not_installed_leaves_nothing() {
    let store = Store::new();
    let main = store.archive("main.tar.gz", "11", &["build/bin/llama-server"]);
    let unpacked = store.unpack(&[main]).unwrap();
    assert!(unpacked.program().ends_with("build/bin/llama-server"));
    drop(unpacked);
    assert_eq!(store.names(), [".lock"]);

    let empty = store.archive("empty.tar.gz", "11", &["llama-b1/llama-cli"]);
    let error = store.unpack(&[empty]).unwrap_err().to_string();
    assert_eq!(error, "empty.tar.gz contains no program llama-server");
    assert_eq!(store.names(), [".lock"]);
}

#[test]
fn what_a_killed_installation_left_is_removed() {
    let store = Store::new();
    for name in ["b1.unpacking/x", "b0.removing/y"] {
        fs::create_dir_all(store.dirs.own.as_ref().unwrap().join(name)).unwrap();
    }
    let main = store.archive("main.tar.gz", "11", &["llama-server"]);
    install(store.unpack(&[main]).unwrap());
    assert_eq!(store.names(), [".lock", "b1", "digests.json"]);
}

#[test]
fn a_changed_archive_is_refused_even_after_its_engine_was_removed() {
    let store = Store::new();
    let main = store.archive("main.tar.gz", "11", &["llama-server"]);
    let engine = install(store.unpack(std::slice::from_ref(&main)).unwrap());
    store.dirs.remove(&engine.name).unwrap();
    let mut changed = main.clone();
    changed.record.sha256 = "22".to_owned();
    let error = store.unpack(&[changed]).unwrap_err().to_string();
    assert!(error.contains("22 now, 11 then"), "{error}");
    install(store.unpack(&[main]).unwrap());
}

#[test]
fn an_engine_is_replaced_by_one_of_the_same_name() {
    let store = Store::new();
    let first = store.archive("first.tar.gz", "11", &["llama-server"]);
    install(store.unpack(&[first]).unwrap());
    let second = store.archive("second.tar.gz", "22", &["bin/llama-server"]);
    let engine = install(store.unpack(&[second]).unwrap());
    assert!(engine.program.ends_with("b1/bin/llama-server"));
    assert!(!engine.directory.join("llama-server").exists());
    assert_eq!(store.names(), [".lock", "b1", "digests.json"]);
}

#[test]
fn a_compiled_engine_is_copied() {
    let store = Store::new();
    let built = store.place.path().join("built");
    fs::create_dir_all(built.join("bin")).unwrap();
    fs::write(built.join("bin/llama-server"), "").unwrap();
    std::os::unix::fs::symlink("llama-server", built.join("bin/link")).unwrap();
    let error = UnpackedEngine::copy(&store.dirs, "b1".parse().unwrap(), &built).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("contains no program llama-server")
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(built.join("bin/llama-server"), mode).unwrap();
    let engine = UnpackedEngine::copy(&store.dirs, "b1".parse().unwrap(), &built).unwrap();
    let engine = install(engine);
    assert!(engine.directory.join("bin/link").is_symlink());
}

#[test]
fn links_that_leave_the_engine_are_found() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("engine");
    fs::create_dir_all(root.join("lib")).unwrap();
    fs::write(root.join("lib/a.so.1"), "").unwrap();
    fs::write(place.path().join("outside"), "").unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
    link("a.so.1", "lib/a.so");
    let root = fs::canonicalize(&root).unwrap();
    check_links(&root, &root).unwrap();
    link("../../outside", "lib/b.so");
    let error = check_links(&root, &root).unwrap_err();
    assert!(error.to_string().contains("b.so leads out"), "{error}");
}
