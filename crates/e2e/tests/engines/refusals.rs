//! Archives that are not what they should be, and programs that do not run.

use std::fs;

use paddock_e2e::mirror::archives::{ArchiveEntry, sha256, tar_gz};

use crate::support::{User, asset, script};

/// Checks that nothing is installed and nothing escaped.
fn has_nothing(user: &User) {
    let names = user.names();
    assert!(names.iter().all(|name| name == "digests.json"), "{names:?}");
    assert!(!user.paddock.directory().join("escaped").exists());
}

#[test]
fn a_wrong_digest_is_refused() {
    let user = User::new();
    user.release("b1");
    let other = format!("sha256:{}", sha256(b"other"));
    user.mirror.state_digest(&asset("b1", ""), Some(&other));
    let error = user.fails("engine install --backend cpu");
    assert!(error.contains(&sha256(b"other")), "{error}");
    has_nothing(&user);
}

#[test]
fn a_release_that_changed_is_refused_with_both_digests() {
    let user = User::new();
    user.release("b1");
    user.release("b2");
    user.succeeds("engine install b1 --backend cpu");
    user.succeeds("engine install b2 --backend cpu");
    user.succeeds("engine remove b1");
    let records = fs::read_to_string(user.engines().join("digests.json")).unwrap();
    let changed = tar_gz(&[ArchiveEntry::File(
        "llama-server",
        script("b9").as_bytes(),
        0o755,
    )]);
    user.mirror.replace(&asset("b1", ""), changed.clone());
    for stated in [true, false] {
        if !stated {
            user.mirror.state_digest(&asset("b1", ""), None);
        }
        let error = user.fails("engine install b1 --backend cpu");
        assert!(
            error.contains("has changed since it was first installed"),
            "{error}"
        );
        assert!(error.contains(&sha256(&changed)), "{error}");
        let recorded = error
            .split_once(" now, ")
            .unwrap()
            .1
            .split(' ')
            .next()
            .unwrap();
        assert!(records.contains(recorded), "{error}");
        assert_eq!(user.names(), ["b2", "current", "digests.json"]);
    }
}

#[test]
fn hostile_and_damaged_archives_are_refused() {
    let program = script("b1");
    let program = program.as_bytes();
    let up = "../../escaped";
    let cases: [(Vec<u8>, &str); 5] = [
        (
            tar_gz(&[ArchiveEntry::File(up, program, 0o755)]),
            "leads out of the directory",
        ),
        (
            tar_gz(&[ArchiveEntry::File("/tmp/paddock-escaped", program, 0o755)]),
            "leads out of",
        ),
        (
            tar_gz(&[
                ArchiveEntry::Link("l", "/etc"),
                ArchiveEntry::File("llama-server", program, 0o755),
            ]),
            "leads out of the directory",
        ),
        (
            tar_gz(&[ArchiveEntry::File("README", b"", 0o644)]),
            "contains no program llama-server",
        ),
        (b"not an archive".to_vec(), "cannot unpack"),
    ];
    for (number, (archive, want)) in cases.into_iter().enumerate() {
        let user = User::new();
        user.release_archive(&format!("b{number}"), &archive);
        let error = user.fails("engine install --backend cpu");
        assert!(error.contains(want), "{error}");
        has_nothing(&user);
    }
}

#[test]
fn a_program_that_does_not_run_is_not_installed() {
    let loader = "echo 'llama-server: error while loading shared libraries: libgomp.so.1: cannot open shared object \
                  file: No such file or directory' >&2; exit 127";
    for (program, want) in [
        (format!("#!/bin/sh\n{loader}\n"), "apt install libgomp1"),
        (
            "#!/bin/sh\necho broken; exit 3\n".to_owned(),
            "it does not run: exit code 3: broken",
        ),
        ("#!/no/such/loader\n".to_owned(), "it does not run"),
    ] {
        let user = User::new();
        user.release_of("b1", program.as_bytes());
        let error = user.fails("engine install --backend cpu");
        assert!(error.contains(want), "{error}");
        has_nothing(&user);
    }
}

#[test]
fn a_feed_that_does_not_answer_is_an_error_with_advice() {
    let user = User::new();
    let error = user.fails("engine install");
    assert!(
        error.contains("cannot read llama.cpp's releases"),
        "{error}"
    );
    assert!(error.contains("PADDOCK_ENGINE_RELEASES"), "{error}");
}

#[test]
fn an_engine_whose_backends_lack_libraries_is_not_installed() {
    let user = User::new();
    user.release("b1");
    // The program itself needs neither, so that it runs.
    let ldd = "for file; do echo \"$file:\"; done; echo '  libgomp.so.1 => not found'; \
               echo '  libssl.so.3 => not found'; echo '  libc.so.6 => /lib/libc.so.6 (0x7f)'; exit 1";
    user.paddock.script("ldd", ldd);
    let path = format!("{}:/usr/bin:/bin", user.paddock.directory().display());
    let user = User {
        paddock: user.paddock.env("PATH", &path),
        ..user
    };
    let error = user.fails("engine install --backend cpu");
    assert!(
        error.contains("missing libraries: libgomp.so.1, libssl.so.3"),
        "{error}"
    );
    assert!(error.contains("apt install libgomp1 libssl3"), "{error}");
    has_nothing(&user);
}

#[test]
fn a_version_has_no_terminal_sequences() {
    let user = User::new();
    user.release_of("b1", b"#!/bin/sh\nprintf 'version: \\033[31mred\\n'\n");
    let shown = user.succeeds("engine install --backend cpu") + &user.succeeds("engine list");
    assert!(
        shown.contains("[31mred") && !shown.contains('\u{1b}'),
        "{shown:?}"
    );
}
