//! A system that grants too few threads.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use paddock_e2e::harness::PaddockBuilder;
use paddock_e2e::paddock;

/// Returns a user that owns nothing and runs nothing: the limit counts all processes of a user, those of another test
/// included.
fn new_user() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Tests run in several processes at once.
    1_000_000 + std::process::id() * 64 + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Makes a command run as a user who may have as many processes and threads: root may have any number.
fn limited(command: &Command, directory: &Path, threads: u32) -> Command {
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nproc={threads}"));
    let mut program = command.get_program().into();
    if rustix::process::geteuid().is_root() {
        let user = new_user();
        // It may lie where this user cannot go.
        let copy = directory.join("paddock-here");
        if fs::hard_link(&program, &copy).is_err() {
            fs::copy(&program, &copy).expect("a copy");
        }
        program = copy.into_os_string();
        for entry in fs::read_dir(directory).expect("the directory").flatten() {
            // A program with another link keeps its owner there.
            let metadata = entry.metadata().expect("metadata");
            if !metadata.is_file() || metadata.nlink() == 1 {
                chown(entry.path(), Some(user), None).expect("an owner");
            }
        }
        chown(directory, Some(user), None).expect("an owner");
        limited.args(["setpriv", &format!("--reuid={user}"), "--clear-groups"]);
    }
    limited.arg(program).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited.current_dir(directory);
    limited
}

fn says_what_to_do(stderr: &str) {
    assert!(stderr.contains("error: cannot start"), "{stderr}");
    assert!(stderr.contains("`ulimit -u`"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_start_without_threads_says_what_to_do() {
    for threads in 1..4 {
        // The stand-in's own directory may be closed to this user, and three threads suffice to look for it.
        let builder = paddock!();
        let engine = builder.link_engine("engine");
        let builder = builder.engine(engine);
        let directory = builder.directory().to_owned();
        let end = builder.run_serve_as(|serve| limited(serve, &directory, threads));
        assert_eq!(end.code, Some(1), "{end:?}");
        says_what_to_do(&end.stderr);
    }
}

#[test]
fn a_command_without_threads_says_what_to_do() {
    let run = |args: &[&str]| {
        let builder: PaddockBuilder = paddock!();
        let mut command = builder.command();
        command.args(args);
        let end = limited(&command, builder.directory(), 1).output();
        end.expect("an end")
    };
    for args in [&["logs", "m"][..], &["status", "--admin", "localhost:9"]] {
        let end = run(args);
        assert_eq!(end.status.code(), Some(1), "{end:?}");
        says_what_to_do(&String::from_utf8_lossy(&end.stderr));
    }
    // This needs no thread.
    let end = run(&["status", "--admin", "127.0.0.1:9"]);
    assert_eq!(end.status.code(), Some(69), "{end:?}");
}
