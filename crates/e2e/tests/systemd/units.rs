//! The units in `dist/systemd`, as systemd's own tools judge them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The most that `systemd-analyze security` may say, in tenths: below 2.0 a service is `OK`.
const MOST_EXPOSED: &str = "20";

/// Where the unit has the program.
const PROGRAM: &str = "/usr/local/bin/paddock";

fn unit(name: &str) -> PathBuf {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/systemd");
    dist.join(name)
}

/// The units in a directory of their own, with the program that was built.
fn installed() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["paddock.service", "paddock.socket"] {
        let text = fs::read_to_string(unit(name)).unwrap();
        let text = text.replace(PROGRAM, env!("CARGO_BIN_EXE_paddock-e2e"));
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn analyze(verb: &str, more: &[&str], files: &[PathBuf]) -> Output {
    let mut command = Command::new("systemd-analyze");
    command.arg(verb).args(more).args(files);
    command.output().expect("systemd-analyze")
}

fn words(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The words of every line of the service that sets this.
fn values(name: &str) -> Vec<String> {
    let text = fs::read_to_string(unit("paddock.service")).unwrap();
    let lines = text.lines();
    let values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let words = values.flat_map(str::split_whitespace);
    words.map(str::to_owned).collect()
}

#[test]
fn systemd_finds_nothing_to_say_of_the_units() {
    let directory = installed();
    let files = ["paddock.service", "paddock.socket"].map(|name| directory.path().join(name));
    let output = analyze("verify", &[], &files);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(words(&output), "");
}

#[test]
fn the_service_is_exposed_to_little() {
    let threshold = format!("--threshold={MOST_EXPOSED}");
    let output = analyze(
        "security",
        &["--offline=true", &threshold],
        &[unit("paddock.service")],
    );
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("Overall exposure level"));
}

/// `@system-service` of systemd 252 has none of them, and a call that is denied looks like a kernel
/// without Landlock or filters: children would run, unconfined.
#[test]
fn the_sandbox_of_the_children_is_not_filtered_away() {
    let allowed = values("SystemCallFilter");
    for call in [
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
        "seccomp",
    ] {
        let call = call.to_owned();
        assert!(allowed.contains(&call), "{call} is not in {allowed:?}");
    }
}

#[test]
fn the_service_says_what_paddock_relies_on() {
    for (name, expected) in [
        ("Type", "notify"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("KillMode", "mixed"),
        ("OOMPolicy", "continue"),
        ("RestartPreventExitStatus", "2 64"),
    ] {
        assert_eq!(values(name).join(" "), expected, "{name}");
    }
}
