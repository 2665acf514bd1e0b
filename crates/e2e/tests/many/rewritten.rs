//! A configuration is read again however it is rewritten, and for nothing else.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Paddock, PaddockBuilder, now, wait_until};

use crate::support::three;

/// A paddock, and the text of its configuration with a model of another name besides.
fn started(builder: PaddockBuilder) -> (Paddock, impl Fn(&str) -> String) {
    let text = builder.config_text();
    let with = move |name: &str| format!("{text}\nmodels.{name}.path = 'm.gguf'\n");
    (builder.start(), with)
}

fn wait_model(paddock: &Paddock, name: &str) {
    wait_until(LIMIT, &format!("the model {name}"), || {
        let status = paddock.status();
        let models = status["models"].as_array().cloned().unwrap_or_default();
        models.iter().any(|model| model["id"] == name)
    });
}

#[test]
fn every_way_to_save_a_file_is_noticed() {
    let (paddock, with) = started(three());
    let file = paddock.directory().join("paddock.toml");
    let beside = paddock.directory().join("paddock.toml.new");
    let backup = paddock.directory().join("paddock.toml~");

    fs::write(&file, with("in-place")).unwrap();
    wait_model(&paddock, "in-place");

    fs::write(&beside, with("renamed-over")).unwrap();
    fs::rename(&beside, &file).unwrap();
    wait_model(&paddock, "renamed-over");

    fs::remove_file(&file).unwrap();
    fs::write(&file, with("made-anew")).unwrap();
    wait_model(&paddock, "made-anew");

    fs::rename(&file, &backup).unwrap();
    fs::write(&file, with("moved-aside")).unwrap();
    fs::remove_file(&backup).unwrap();
    wait_model(&paddock, "moved-aside");

    // As long as the one before.
    fs::write(&beside, with("moved-again")).unwrap();
    fs::rename(&beside, &file).unwrap();
    wait_model(&paddock, "moved-again");

    fs::write(&file, with("at-last")).unwrap();
    wait_model(&paddock, "at-last");
}

/// A volume of a Kubernetes `ConfigMap` with this text, as the kubelet writes it.
fn publish(volume: &Path, version: &str, text: &str) {
    fs::create_dir(volume.join(version)).unwrap();
    fs::write(volume.join(version).join("paddock.toml"), text).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[test]
fn a_config_map_that_changes_is_noticed() {
    let builder = three();
    let volume = builder.directory().join("volume");
    fs::create_dir(&volume).unwrap();
    let (text, model) = (builder.config_text(), builder.model_path().to_owned());
    let with = |name: &str| format!("{text}\nmodels.{name}.path = {model:?}\n");
    publish(&volume, "..1", &with("first"));
    symlink("..data/paddock.toml", volume.join("paddock.toml")).unwrap();
    let paddock = builder.start_as(|serve| {
        let mut command = std::process::Command::new(serve.get_program());
        command
            .arg("serve")
            .arg("--config")
            .arg("volume/paddock.toml");
        command.env_clear().stdin(std::process::Stdio::null());
        for (name, value) in serve.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        if let Some(directory) = serve.get_current_dir() {
            command.current_dir(directory);
        }
        command
    });
    wait_model(&paddock, "first");
    for (before, version, name) in [("..1", "..2", "second"), ("..2", "..3", "third")] {
        publish(&volume, version, &with(name));
        fs::remove_dir_all(volume.join(before)).unwrap();
        wait_model(&paddock, name);
    }
}

/// How far lines are apart that nobody takes together.
const APART: Duration = Duration::from_millis(3);

/// How often the threads of a process have waited for something, and were woken.
fn wakes(paddock: &Paddock) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", paddock.id())).unwrap();
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status"));
    let all = tasks.flatten().flat_map(status);
    all.map(|status| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok())
            .unwrap_or(0)
    })
    .sum()
}

#[test]
fn nothing_that_is_written_beside_it_wakes_paddock() {
    const LINES: u64 = 400;
    let (paddock, with) = started(three());
    let log = paddock.directory().join("log");
    fs::write(&log, "").unwrap();
    let before = wakes(&paddock);
    for _ in 0..LINES {
        let mut file = OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(b"a line\n").unwrap();
        drop(file);
        // Each by itself: the kernel tells of those together that nobody has read.
        let written = now();
        wait_until(LIMIT, "the next line", || written.elapsed() > APART);
    }
    let woken = wakes(&paddock) - before;
    assert!(woken < LINES / 2, "{woken}");
    fs::write(paddock.directory().join("paddock.toml"), with("new")).unwrap();
    wait_model(&paddock, "new");
}
