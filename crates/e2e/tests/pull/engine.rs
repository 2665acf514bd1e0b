//! The real llama-server takes pulled models from the shared cache, by its own rules.

use std::process::Command;

use paddock_e2e::harness::real;

use crate::support::{Scene, content};

#[test]
fn llama_server_finds_what_paddock_has_pulled() {
    // No models, so that the engine ends at once, and names the file that it has tried to load.
    let file = |name, seed| (name, content(seed, 1000));
    let scene = Scene::new(&[
        file("Q8_0/m-Q8_0-00001-of-00002.gguf", 81),
        file("Q8_0/m-Q8_0-00002-of-00002.gguf", 82),
        file("m-IQ4_0.gguf", 83),
        file("m-Q4_0.gguf", 84),
        file("mmproj-F16.gguf", 85),
    ]);
    for (quantisation, expected) in [
        ("Q8_0", "/Q8_0/m-Q8_0-00001-of-00002.gguf"),
        ("IQ4_0", "/m-IQ4_0.gguf"),
    ] {
        let source = format!("org/model-GGUF:{quantisation}");
        let pulled = scene.pull(&[&format!("hf:{source}")]).succeeded();
        let path = pulled.stdout.lines().next().unwrap();
        assert!(path.ends_with(expected), "{path}");
        let mut engine = Command::new(real::engine());
        engine.args(["--offline", "-hf", &source, "--port", "0"]);
        engine.env_clear().env("HOME", scene.home.path());
        let output = engine.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(
            log.contains(&format!("failed to load model '{path}'")),
            "{log}"
        );
    }
}
