use crate::desk::Desk;
use crate::page::{blocks, commands, document, root};
use paddock_e2e::harness;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn every_command_runs() {
    let readme = document("README.md");
    let configuration = blocks(&readme, "toml").remove(0);
    let engine = Path::new(env!("CARGO_BIN_EXE_fake-llama-server"));
    let mut desk = Desk::new(engine, Path::new("fetched.gguf"));
    fs::write(desk.at("fetched.gguf"), harness::model()).unwrap();
    for shown in commands(&readme) {
        let word = shown.line.split(' ').next().unwrap();
        if word.starts_with("scripts/") {
            // The checks before a change lands run these whole.
            let mode = fs::metadata(root().join(word)).unwrap().permissions();
            assert!(mode.mode() & 0o111 != 0, "{word} cannot be run");
            continue;
        }
        // A command that names its model is shown to somebody who has no file yet.
        let names_model = shown.line.contains("model.gguf");
        desk.write(
            "paddock.toml",
            if names_model { "" } else { &configuration },
        );
        desk.types(&shown);
    }
    desk.stops();
}
