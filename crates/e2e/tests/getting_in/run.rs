//! `paddock run`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Child;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, PaddockBuilder, processes_with_argument, wait_for};
use paddock_e2e::mirror::archives::{ArchiveEntry, tar_gz};
use paddock_e2e::mirror::releases::{MirrorRelease, ReleasesMirror};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::{ANSWER, home, hub};

/// Starts `paddock run` in the background.
fn start(home: &PaddockBuilder, args: &[&str]) -> Child {
    home.command().arg("run").args(args).spawn().unwrap()
}

fn send(process: &Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).unwrap();
}

/// Waits until a process with these words runs in this home.
fn wait_for_process(home: &PaddockBuilder, words: &str) {
    let directory = home.directory().display().to_string();
    wait_for(LIMIT, "a process", || {
        let processes = processes_with_argument(&directory);
        processes.into_iter().find(|(_, line)| line.contains(words))
    });
}

/// Waits until no process of this home runs.
fn wait_for_no_process(home: &PaddockBuilder) {
    let directory = home.directory().display().to_string();
    wait_for(LIMIT, "the processes to end", || {
        processes_with_argument(&directory).is_empty().then_some(())
    });
}

/// Returns the directories that commands have left for sockets and output.
fn left_directories(home: &PaddockBuilder) -> Vec<OsString> {
    let entries = fs::read_dir(home.directory())
        .unwrap()
        .filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("paddock-run-"))
        .collect()
}

#[test]
fn a_model_of_the_hub_answers_from_an_empty_home() {
    let hub = hub();
    let home = home(&hub.endpoint());
    let first = home.run(["run", "hf:u/r", "hi"]);
    assert_eq!(first.code, Some(0), "{first:#?}");
    assert!(first.stdout.starts_with(ANSWER), "{first:#?}");
    assert_eq!(
        first.stdout.lines().count(),
        1,
        "only the answer: {first:#?}"
    );
    let listed = home.run(["models", "--json"]).stdout;
    assert!(listed.contains("hf:u/r:Q4_K_M"), "{listed}");

    // A second time needs no network.
    let requests = hub.hub_requests().len();
    let second = home.run(["run", "hf:u/r", "hi"]);
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(hub.hub_requests().len(), requests);

    // Nothing is left: no process, no directory.
    let directory = home.directory().display().to_string();
    assert_eq!(processes_with_argument(&directory), []);
    assert_eq!(left_directories(&home), [""; 0]);
}

#[test]
fn an_engine_is_installed_if_there_is_none() {
    let hub = hub();
    let home = home(&hub.endpoint());
    let program = fs::read(home.engine_path()).unwrap();
    let name = "llama-b11434/llama-server";
    let archive = tar_gz(&[ArchiveEntry::File(name, &program, 0o755)]);
    let builds = ["x64", "arm64", "vulkan-x64", "vulkan-arm64"];
    let assets = builds.map(|build| format!("llama-b11434-bin-ubuntu-{build}.tar.gz"));
    let mirror = ReleasesMirror::start();
    mirror.add(MirrorRelease {
        tag: "b11434".to_owned(),
        assets: assets
            .into_iter()
            .map(|name| (name, archive.clone()))
            .collect(),
        source: None,
    });
    let feed = mirror.feed();
    let home = home
        .env("PATH", "/usr/bin:/bin")
        .env("PADDOCK_ENGINE_RELEASES", &feed);
    let first = home.run(["run", "hf:u/r", "hi"]);
    assert_eq!(first.code, Some(0), "{first:#?}");
    assert!(first.stdout.starts_with(ANSWER), "{first:#?}");
    assert!(
        first
            .stderr
            .contains("no llama-server is installed; getting one"),
        "{first:#?}"
    );
    let second = home.run(["run", "hf:u/r", "hi"]);
    assert_eq!(second.stdout, first.stdout);
    assert!(!second.stderr.contains("getting one"), "{second:#?}");
}

#[test]
fn an_interrupted_download_continues() {
    let hub = hub();
    hub.behave(|hub| hub.pause = Some((100, Duration::from_millis(50))));
    let home = home(&hub.endpoint());
    let mut run = start(&home, &["hf:u/r", "hi"]);
    wait_for(LIMIT, "bytes", || (hub.bytes_sent() > 200).then_some(()));
    send(&run, Signal::INT);
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let listed = home.run(["models"]).stdout;
    assert!(
        listed.starts_with("hf:u/r\t") && listed.ends_with("\t-\tunfinished\n"),
        "there is no half model: {listed}"
    );
    hub.behave(|hub| hub.pause = None);
    let answer = home.run(["run", "hf:u/r", "hi"]);
    assert!(answer.stdout.starts_with(ANSWER), "{answer:#?}");
}

#[test]
fn no_signal_leaves_a_process() {
    for (signal, leaves_directory) in [
        (Signal::INT, false),
        (Signal::TERM, false),
        (Signal::HUP, false),
        (Signal::KILL, true),
    ] {
        // The engine is held back while it loads.
        let home = home("http://127.0.0.1:9").hold_load();
        let program = home.directory().join("bin/llama-server");
        fs::remove_file(&program).unwrap();
        symlink(home.engine_path(), &program).unwrap();
        let path = home.model_path().display().to_string();
        let mut run = start(&home, &[&path, "hi"]);
        wait_for_process(&home, "--model");
        send(&run, signal);
        assert!(!run.wait().unwrap().success(), "{signal:?}");
        wait_for_no_process(&home);
        assert_eq!(
            !left_directories(&home).is_empty(),
            leaves_directory,
            "{signal:?}"
        );
    }
}

#[test]
fn a_file_needs_no_network_and_a_url_is_kept() {
    let hub = hub();
    let nowhere = home("http://127.0.0.1:9");
    let path = nowhere.model_path().display().to_string();
    let answer = nowhere.run(["run", &path, "hi"]);
    assert_eq!(
        (answer.code, answer.stdout.starts_with(ANSWER)),
        (Some(0), true),
        "{answer:#?}"
    );

    let url = format!("{}/u/r/resolve/main/m-Q8_0.gguf", hub.endpoint());
    let answer = nowhere.run(["run", &url, "hi"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let listed = nowhere.run(["models"]).stdout;
    assert!(listed.starts_with(&url), "{listed}");
}

#[test]
fn without_network_the_reason_is_named_and_nothing_is_left() {
    let home = home("http://127.0.0.1:9");
    let failed = home.run(["run", "hf:u/r", "hi"]);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    assert!(failed.stderr.contains("127.0.0.1:9"), "{failed:#?}");
    assert_eq!(failed.stdout, "");
    assert_eq!(home.run(["models"]).stdout, "");
}

#[test]
fn wrong_names_get_the_right_spelling() {
    let hub = hub();
    let home = home(&hub.endpoint());
    for (name, code, words) in [
        ("u/r", 2, "did you mean `hf:u/r`?"),
        ("llama3.2:1b", 2, "Ollama"),
        ("hf:u", 2, "names no repository"),
        ("nothing", 2, "there is no model `nothing`"),
        ("./no.gguf", 2, "there is no file ./no.gguf"),
        ("hf:u/r:Q2_K", 1, "Q4_K_M, Q8_0"),
        ("hf:u/absent", 1, "u/absent"),
    ] {
        let failed = home.run(["run", name, "hi"]);
        assert_eq!(failed.code, Some(code), "{name}: {failed:#?}");
        assert!(failed.stderr.contains(words), "{name}: {failed:#?}");
        assert_eq!(failed.stdout, "", "{name}");
    }
}

#[test]
fn a_model_that_cannot_be_loaded_names_its_cause() {
    let home = home("http://127.0.0.1:9");
    fs::write(home.directory().join("broken.gguf"), "GGUF").unwrap();
    let failed = home.run(["run", "broken.gguf", "hi"]);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    assert!(failed.stderr.contains("broken.gguf"), "{failed:#?}");
}

#[test]
fn a_kept_paddock_says_where_it_is_and_how_to_stop_it() {
    let home = home("http://127.0.0.1:9");
    let path = home.model_path().display().to_string();
    let kept = home.run(["run", &path, "hi", "--keep"]);
    assert_eq!(kept.code, Some(0), "{kept:#?}");
    let after = |words: &str| {
        let rest = kept
            .stderr
            .split(words)
            .nth(1)
            .unwrap_or_else(|| panic!("{kept:#?}"));
        rest.split([',', ' ', '`', '\n']).next().unwrap().to_owned()
    };
    let admin = after("dashboard at ");
    let status = home.run(["status", "--admin", &admin]);
    assert!(status.stdout.starts_with("m\tready"), "{status:#?}");
    let pid = Pid::from_raw(after("`kill ").parse().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    wait_for(LIMIT, "the paddock to stop", || {
        test_kill_process(pid).err()
    });
}
