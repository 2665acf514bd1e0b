//! Directories that the operator chose, and directories in memory.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn place(directory: &Path) -> StorePlace {
    StorePlace {
        directory: directory.to_owned(),
        is_chosen: true,
        key_file: None,
        runtime_dir: directory.to_owned(),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn a_chosen_directory_is_created_private() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    let lock = place(&path).lock().unwrap();
    assert_eq!(mode(&path), 0o700);
    let error = place(&path).lock().unwrap_err().to_string();
    let me = std::process::id();
    let expected = format!("another paddock (process {me}) is using it");
    assert!(error.contains(&expected), "{error}");
    assert!(error.contains("`dir` under [context_cache]"), "{error}");
    drop(lock);
    place(&path).lock().unwrap();
}

#[test]
fn a_chosen_directory_that_others_may_enter_is_refused_and_left_unchanged() {
    let parent = tempfile::tempdir().unwrap();
    for open in [0o755, 0o770, 0o701, 0o1777] {
        let permissions = fs::Permissions::from_mode(open);
        fs::set_permissions(parent.path(), permissions).unwrap();
        let error = place(parent.path()).lock().unwrap_err().to_string();
        let expected = format!("other users have access to it (mode {open:o}; `chmod go= ");
        assert!(error.contains(&expected), "{error}");
        assert_eq!(mode(parent.path()), open & 0o777);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_chosen_directory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("theirs");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
    let error = place(&path).lock().unwrap_err().to_string();
    assert!(error.contains("user 65534 owns it"), "{error}");
}

#[test]
fn staging_directories_of_encrypted_contexts_are_in_memory() {
    assert!(!is_in_memory(Path::new("/proc")));
    assert!(!is_in_memory(Path::new("/no/such/directory")));
    let name = shared_memory_name(Path::new("/a"));
    assert_eq!(name, shared_memory_name(Path::new("/a")));
    assert_ne!(name, shared_memory_name(Path::new("/b")));
    if is_in_memory(Path::new(SHARED_MEMORY)) {
        let parent = tempfile::tempdir().unwrap();
        let in_memory = StorePlace {
            key_file: Some("key".into()),
            ..place(parent.path())
        };
        let staging = in_memory.staging().unwrap();
        assert!(is_in_memory(staging.parent()));
        let child = create_staging(staging.parent(), 1).unwrap();
        assert_eq!(mode(&child), 0o700);
        fs::write(child.join("0.save"), "plain text").unwrap();
        let path = staging.parent().to_owned();
        drop(staging);
        assert!(!path.exists());
    }
}
