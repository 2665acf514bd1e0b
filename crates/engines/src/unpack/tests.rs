//! Archives that are fine, damaged and hostile.

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};
use tempfile::TempDir;

use super::*;

/// An entry of an archive: its type, its path, its contents or the path that it links to.
type TestEntry<'a> = (EntryType, &'a str, &'a str);

const FILE: EntryType = EntryType::Regular;
const LINK: EntryType = EntryType::Symlink;
const HARD: EntryType = EntryType::Link;

fn archive(entries: &[TestEntry<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (kind, path, contents) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o6777);
        // The builder refuses paths that a hostile archive may have.
        let name = &mut header.as_gnu_mut().unwrap().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        let mut bytes = contents.as_bytes();
        if matches!(*kind, EntryType::Symlink | EntryType::Link) {
            let link = &mut header.as_gnu_mut().unwrap().linkname;
            link[..bytes.len()].copy_from_slice(bytes);
            bytes = &[];
        }
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn unpack(bytes: &[u8]) -> (TempDir, Result<(), UnpackError>) {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    fs::create_dir(&target).unwrap();
    let limits = UnpackLimits {
        entries: 10,
        bytes: 1000,
    };
    let result = unpack_tar_gz(bytes, &target, limits);
    (place, result)
}

#[test]
fn files_directories_and_links_are_unpacked() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, result) = unpack(&archive(&[
        (EntryType::Directory, "./llama-b1/", ""),
        (LINK, "llama-b1/libllama.so", "libllama.so.0"),
        (FILE, "./llama-b1/libllama.so.0", "library"),
        (FILE, "llama-b1/deep/llama-server", "program"),
        (LINK, "llama-b1/deep/up", "../libllama.so"),
        (HARD, "copy", "llama-b1/deep/llama-server"),
    ]));
    result.unwrap();
    let read = |name: &str| fs::read_to_string(place.path().join("target").join(name)).unwrap();
    assert_eq!(read("llama-b1/libllama.so"), "library");
    assert_eq!(read("llama-b1/deep/up"), "library");
    assert_eq!(read("copy"), "program");
    let program = place.path().join("target/llama-b1/deep/llama-server");
    let mode = fs::metadata(program).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn nothing_is_written_outside() {
    let long: Vec<TestEntry<'_>> = vec![(EntryType::Directory, "d", ""); 11];
    let big = "x".repeat(600);
    let hostile: [(&[TestEntry<'_>], &str); 14] = [
        (&[(FILE, "../escaped", "x")], "leads out"),
        (&[(FILE, "/escaped", "x")], "leads out"),
        (&[(FILE, "a/../../escaped", "x")], "leads out"),
        (&[(LINK, "link", "/")], "leads out"),
        (&[(LINK, "link", "..")], "leads out"),
        (
            &[(LINK, "link", ".."), (FILE, "link/escaped", "x")],
            "twice",
        ),
        (
            &[(LINK, "a", ".."), (LINK, "a/escaped", "target")],
            "leads out",
        ),
        // Each link alone looks harmless, and together they lead out.
        (
            &[
                (FILE, "a/f", ""),
                (LINK, "x/y/l", "../../a"),
                (LINK, "m", "x/y/l/../.."),
            ],
            "leads out",
        ),
        (&[(LINK, "link", "nowhere")], "leads nowhere"),
        (&[(HARD, "link", "../outside")], "leads out"),
        (&[(EntryType::Char, "device", "")], "not a file"),
        (&[(EntryType::Fifo, "pipe", "")], "not a file"),
        (&[(FILE, "a", "1"), (FILE, "a", "2")], "twice"),
        (
            &[(FILE, "a", &big), (FILE, "b", &big)],
            "more than 1000 bytes",
        ),
    ];
    let many: (&[TestEntry<'_>], &str) = (&long, "more than 10 entries");
    for (entries, want) in hostile.into_iter().chain([many]) {
        let (place, result) = unpack(&archive(entries));
        let error = result.expect_err(want).to_string();
        assert!(error.contains(want), "{entries:?}: {error}");
        let outside: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
        assert_eq!(outside.len(), 1, "{entries:?}");
    }
}

#[test]
fn a_cut_archive_is_an_error() {
    // Random bytes, so that the cut is inside the file.
    let contents: String = (0..900u32)
        .map(|n| char::from(b'a' + (n * n % 23) as u8))
        .collect();
    let whole = archive(&[(FILE, "a", &contents)]);
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        let (_place, result) = unpack(&whole[..length]);
        assert!(result.is_err(), "{length} of {}", whole.len());
    }
}
