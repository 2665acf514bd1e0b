//! docs/cli.md, which is made of the commands themselves.

use crate::desk::Desk;
use crate::page::{Shown, commands, document};
use paddock_e2e::harness;
use paddock_e2e::mirror::archives::{ArchiveEntry, tar_gz};
use paddock_e2e::mirror::releases::{MirrorRelease, ReleasesMirror};
use std::fs;
use std::path::Path;

/// The paddock that the commands ask.
const SERVED: &str = "\
models.gemma.path = 'gemma-3-270m.gguf'
models.qwen.path = 'qwen3-8b.gguf'
";

#[test]
fn every_command_runs() {
    let engine = Path::new(env!("CARGO_BIN_EXE_fake-llama-server"));
    let mut desk = Desk::new(engine, Path::new("model.gguf"));
    for name in ["model.gguf", "gemma-3-270m.gguf", "qwen3-8b.gguf"] {
        fs::write(desk.at(name), harness::model()).unwrap();
    }
    fs::create_dir(desk.at("models")).unwrap();
    fs::write(desk.at("models/x.gguf"), harness::model()).unwrap();
    for (name, text) in [
        ("paddock.toml", SERVED),
        (
            "etc/paddock/paddock.toml",
            "models.m.path = '../../model.gguf'\n",
        ),
        ("photo.jpg", "\u{feff}"),
        ("report.txt", "A report."),
        ("question.txt", "A question?"),
        (".zfunc/README", ""),
        (".config/fish/completions/README", ""),
        ("usr/share/bash-completion/completions/README", ""),
    ] {
        desk.write(name, text);
    }
    fs::write(desk.at("photo.jpg"), b"\xff\xd8\xff\xe0").unwrap();
    let mirrors = [mirror_engines(&mut desk, engine), mirror_paddock(&mut desk)];
    let mut is_served = false;
    for each in commands(&document("docs/cli.md")) {
        let serves = ["paddock serve", "paddock wrap"];
        let serves = serves.iter().any(|words| each.line.starts_with(words));
        if !serves && !is_served {
            desk.write("served.toml", SERVED);
            desk.types(&Shown::line("paddock serve --config served.toml"));
            // It has to wait for its model, so that it can be explained.
            desk.types(&Shown::line(
                "curl -fsS http://127.0.0.1:8080/v1/chat/completions -H 'X-Request-Id: 0198f2c4' \
                 -d '{\"model\":\"gemma\",\"messages\":[]}'",
            ));
        }
        is_served = !serves;
        desk.types(&each);
    }
    desk.stops();
    drop(mirrors);
}

/// Lets the commands find llama.cpp's releases, whose program is this engine.
fn mirror_engines(desk: &mut Desk, engine: &Path) -> ReleasesMirror {
    let program = fs::read(engine).unwrap();
    let archive = tar_gz(&[ArchiveEntry::File(
        "llama-b11434/llama-server",
        &program,
        0o755,
    )]);
    let builds = ["x64", "arm64", "vulkan-x64", "vulkan-arm64"];
    let builds = builds.map(|build| format!("llama-b11434-bin-ubuntu-{build}.tar.gz"));
    let mirror = ReleasesMirror::start();
    mirror.add(MirrorRelease {
        tag: "b11434".to_owned(),
        assets: builds
            .into_iter()
            .map(|name| (name, archive.clone()))
            .collect(),
        source: None,
    });
    desk.sets("PADDOCK_ENGINE_RELEASES", mirror.feed());
    mirror
}

/// Lets the commands find a release of paddock.
fn mirror_paddock(desk: &mut Desk) -> ReleasesMirror {
    let mirror = ReleasesMirror::start();
    mirror.add(MirrorRelease {
        tag: "v999.0.0".to_owned(),
        ..MirrorRelease::default()
    });
    desk.sets("PADDOCK_RELEASES", mirror.feed());
    mirror
}
