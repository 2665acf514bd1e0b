//! Without arguments, what the configuration names is pulled.

use std::fs;

use paddock_e2e::harness::model;

use crate::support::{Outcome, Scene, content};

fn pull_configured(scene: &Scene, config: &str) -> Outcome {
    let file = scene.home.path().join("paddock.toml");
    fs::write(&file, config).unwrap();
    scene.pull(&["--config", file.to_str().unwrap()])
}

#[test]
fn each_source_is_pulled_once_and_a_failure_keeps_no_other_from_it() {
    let bytes = content(71, 1 << 20);
    let scene = Scene::new(&[("m-Q4_K_M.gguf", model()), ("m-Q8_0.gguf", bytes.clone())]);
    let config = "
        [models.absent]
        source = 'hf:org/absent:Q4_0'
        [models.default]
        source = 'hf:org/model-GGUF'
        [models.large]
        source = 'hf:org/model-GGUF:Q8_0'
        [models.again]
        source = 'hf:org/model-GGUF:Q8_0'
        [models.file]
        path = '/nonexistent.gguf'
    ";
    for _ in 0..2 {
        let outcome =
            pull_configured(&scene, config).failed_with("there is no repository org/absent");
        assert_eq!(outcome.stdout.lines().count(), 2, "{outcome:?}");
    }
    scene.assert_files(&[("m-Q4_K_M.gguf", &model()), ("m-Q8_0.gguf", &bytes)]);
    assert_eq!(scene.hub.bytes_sent(), (bytes.len() + model().len()) as u64);
}

#[test]
fn a_configuration_without_sources_is_reported() {
    let scene = Scene::new(&[]);
    let outcome = pull_configured(&scene, "models.m.path = 'm.gguf'").succeeded();
    assert!(
        outcome.stderr.contains("nothing to download"),
        "{outcome:?}"
    );
    let outcome = pull_configured(&scene, "models.m.source = 'org/model'");
    assert_eq!(outcome.code, Some(64), "{outcome:?}");
    let outcome = scene.pull(&[]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let outcome = scene.pull(&["org/model-GGUF"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("hf:org/model-GGUF"), "{outcome:?}");
}
