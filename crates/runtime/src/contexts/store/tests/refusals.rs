//! Saved files that are not stored, and stored files that are not restored.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

#[test]
fn a_damaged_file_is_not_stored() {
    let mut fixture = Fixture::new(LIMITS);
    let mut short = saved(&fixture.staging, "short", &full_attention(40));
    short.file.len += 1;
    let mut cut = saved(&fixture.staging, "cut", &full_attention(40));
    cut.file.len -= 1;
    File::options()
        .write(true)
        .open(&cut.file.path)
        .and_then(|file| file.set_len(cut.file.len))
        .unwrap();
    for saved in [short, cut] {
        assert!(matches!(
            fixture.store().commit(&saved, 100),
            Err(ContextsError::SlotFile(_))
        ));
    }
    assert!(fixture.ids().is_empty());
    assert!(fixture.files().is_empty());
    assert_eq!(fixture.staged_count(), 0);
}

/// Damages the file at a path.
type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 7] = [
    ("a flipped bit of cell data", |path| {
        let mut bytes = fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }),
    ("a flipped bit of the header", |path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[0] ^= 1;
        fs::write(path, bytes).unwrap();
    }),
    ("truncated", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("longer", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, [bytes, vec![0]].concat()).unwrap();
    }),
    ("empty", |path| fs::write(path, "").unwrap()),
    ("gone", |path| fs::remove_file(path).unwrap()),
    ("a link to another file", |path| {
        fs::rename(path, path.with_extension("moved")).unwrap();
        symlink(path.with_extension("moved"), path).unwrap();
    }),
];

#[test]
fn a_context_that_was_modified_on_disk_is_deleted_instead_of_staged() {
    for (name, damage) in DAMAGES {
        let mut fixture = Fixture::new(LIMITS);
        fixture.commit(&full_attention(40), 100).unwrap();
        damage(&fixture.file("1.slot"));
        let error = fixture.stage(1).unwrap_err();
        assert!(error.is_damage(), "{name}: {error}");
        assert!(fixture.ids().is_empty(), "{name}");
        assert!(!fixture.file("1.slot").exists(), "{name}");
        assert_eq!(fixture.staged_count(), 0, "{name}");
    }
}

#[test]
fn a_flipped_bit_in_any_byte_is_detected() {
    let mut fixture = Fixture::new(LIMITS);
    let bytes = full_attention(8).write();
    for at in 0..bytes.len() {
        fixture.commit(&full_attention(8), 100).unwrap();
        let id = *fixture.ids().last().unwrap();
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(fixture.file(&format!("{id}.slot")), changed).unwrap();
        assert!(fixture.stage(id).is_err(), "byte {at}");
        assert!(fixture.ids().is_empty(), "byte {at}");
    }
}

#[test]
fn a_failure_to_stage_keeps_the_context() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    let nowhere = fixture.parent.path().join("gone/staging");
    let error = fixture.store().stage(1, &nowhere);
    assert!(error.is_err());
    assert!(fixture.stage(1).unwrap().is_some());
}

#[test]
fn links_and_pipes_of_a_child_are_refused() {
    let mut fixture = Fixture::new(LIMITS);
    let outside = fixture.parent.path().join("outside");
    fs::write(&outside, full_attention(40).write()).unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o644)).unwrap();

    let link = saved(&fixture.staging, "link", &full_attention(40));
    fs::remove_file(&link.file.path).unwrap();
    symlink(&outside, &link.file.path).unwrap();

    let pipe = saved(&fixture.staging, "pipe", &full_attention(40));
    fs::remove_file(&pipe.file.path).unwrap();
    mknodat(CWD, &pipe.file.path, FileType::Fifo, Mode::RWXU, 0).unwrap();

    for saved in [link, pipe] {
        assert!(matches!(
            fixture.store().commit(&saved, 100),
            Err(ContextsError::NotRegular)
        ));
    }
    // The merged file does not follow a link either.
    let window = |len: u32| {
        Conversation::new(len)
            .attention(0, 2, Shape::default())
            .attention(len - 16, 3, Shape::default())
    };
    let mut merged = saved(&fixture.staging, "later", &window(50));
    merged.earlier = Some(write(&fixture.staging, "earlier", &window(40)));
    symlink(&outside, fixture.staging.join("later.merged")).unwrap();
    fixture.store().commit(&merged, 100).unwrap();
    assert!(fs::read(&outside).unwrap() == full_attention(40).write());
    let mode = fs::metadata(&outside).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_context_larger_than_the_quota_displaces_no_other() {
    let size = full_attention(40).write().len() as u64;
    let mut fixture = Fixture::new(StoreLimits {
        quota: size,
        ..LIMITS
    });
    fixture.commit(&full_attention(40), 100).unwrap();
    let refused = fixture.commit(&other(80), 100);
    assert!(matches!(refused, Err(ContextsError::OverQuota { .. })));
    assert_eq!(fixture.ids(), [1]);
    assert_eq!(fixture.files(), ["1.slot"]);
    assert_eq!(fixture.staged_count(), 0);
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.set_full(true);
    // The tokens fill several pages of the database.
    let refused = fixture.commit(&other(20_000), 100);
    assert!(
        matches!(refused, Err(ContextsError::NoSpace)),
        "{refused:?}"
    );
    assert_eq!(fixture.ids(), [1]);
    assert_eq!(fixture.files(), ["1.slot"]);
    assert_eq!(fixture.staged_count(), 0);
    // With free space, the next commit uses the same number.
    fixture.set_full(false);
    fixture.commit(&other(20_000), 100).unwrap();
    assert_eq!(fixture.files(), ["1.slot", "2.slot"]);
}

#[test]
fn a_file_that_cannot_be_moved_into_the_store_is_not_listed() {
    let mut fixture = Fixture::new(LIMITS);
    fs::create_dir(fixture.file("1.slot")).unwrap();
    assert!(fixture.commit(&full_attention(40), 100).is_err());
    assert!(fixture.ids().is_empty());
    assert_eq!(fixture.staged_count(), 0);
    fs::remove_dir(fixture.file("1.slot")).unwrap();
    fixture.commit(&full_attention(40), 100).unwrap();
    assert_eq!(fixture.ids(), [1]);
}

#[test]
fn errors_of_a_full_disk_are_recognised() {
    for kind in [
        std::io::ErrorKind::StorageFull,
        std::io::ErrorKind::QuotaExceeded,
    ] {
        let io = || std::io::Error::from(kind);
        for error in [
            ContextsError::from(io()),
            ContextsError::from(paddock_contexts::SlotFileError::Io(io())),
            ContextsError::from(paddock_contexts::MergeError::Io(io())),
            ContextsError::from(paddock_contexts::CipherError::Io(io())),
        ] {
            assert!(matches!(error, ContextsError::NoSpace), "{error}");
            assert!(!error.is_damage());
        }
    }
}
