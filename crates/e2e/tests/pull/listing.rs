//! Quantisations, parts and projectors.

use paddock_e2e::harness::model;
use serde_json::Value;

use crate::support::{Scene, content};

fn events(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn quantisations_are_listed_with_what_fits() {
    let scene = Scene::new(&[
        ("README.md", b"# A model".to_vec()),
        ("m-Q4_0.gguf", model()),
        ("m-Q8_0-00001-of-00002.gguf", model()),
        ("m-Q8_0-00002-of-00002.gguf", content(51, 1 << 20)),
        ("mmproj-m-F16.gguf", content(52, 1000)),
    ]);
    let outcome = scene.pull(&["hf:org/model-GGUF"]).succeeded();
    let rows: Vec<Vec<&str>> = outcome
        .stdout
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 2, "{outcome:?}");
    // A machine with a GPU says "in the GPU".
    let (name, fits) = (rows[0][0], rows[0][3]);
    assert!(name == "Q4_0" && fits.starts_with("in "), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("paddock pull hf:org/model-GGUF:Q8_0"),
        "{outcome:?}"
    );
    scene.assert_no_file();
    let outcome = scene.pull(&["--json", "hf:org/model-GGUF"]).succeeded();
    let event = &events(&outcome.stdout)[0];
    let large = &event["variants"][1];
    let size = model().len() + (1 << 20) + 1000;
    assert_eq!(
        (&event["event"], &large["name"], &large["size"]),
        (&"variants".into(), &"Q8_0".into(), &size.into())
    );
    assert_eq!(large["files"].as_array().unwrap().len(), 2);
    assert_eq!(large["projector"], "mmproj-m-F16.gguf");
    assert!(large["memory"].as_u64().unwrap() > size as u64, "{large}");
}

#[test]
fn a_model_whose_header_cannot_be_read_may_or_may_not_fit() {
    let scene = Scene::new(&[
        ("m-Q4_0.gguf", content(53, 1000)),
        ("m-Q8_0.gguf", content(54, 2000)),
    ]);
    let outcome = scene.pull(&["hf:org/model-GGUF"]).succeeded();
    assert!(
        outcome
            .stdout
            .lines()
            .all(|line| line.ends_with("\t-\tunknown")),
        "{outcome:?}"
    );
}

#[test]
fn parts_and_projector_come_along() {
    let parts = [content(55, 1 << 20), content(56, 5000)];
    let projector = content(57, 3000);
    let scene = Scene::new(&[
        ("Q8_0/m-Q8_0-00001-of-00002.gguf", parts[0].clone()),
        ("Q8_0/m-Q8_0-00002-of-00002.gguf", parts[1].clone()),
        ("mmproj-F16.gguf", projector.clone()),
    ]);
    // There is only one quantisation, so it need not be named.
    let outcome = scene.pull(&["--json", "hf:org/model-GGUF"]).succeeded();
    scene.assert_files(&[
        ("m-Q8_0-00001-of-00002.gguf", &parts[0]),
        ("m-Q8_0-00002-of-00002.gguf", &parts[1]),
        ("mmproj-F16.gguf", &projector),
    ]);
    let events = events(&outcome.stdout);
    let done = events.last().unwrap();
    assert_eq!(
        (&done["event"], &done["downloaded"]),
        (&"done".into(), &true.into())
    );
    assert_eq!(done["files"].as_array().unwrap().len(), 2);
    assert!(
        done["projector"]
            .as_str()
            .unwrap()
            .ends_with("/mmproj-F16.gguf")
    );
    assert!(events.iter().any(|event| event["event"] == "started"));
    let main = std::fs::read_to_string(scene.cache().join("refs/main")).unwrap();
    assert!(scene.cache().join("snapshots").join(main).is_dir());
}

#[test]
fn an_absent_quantisation_is_answered_with_those_that_there_are() {
    let scene = Scene::new(&[("m-Q4_0.gguf", model())]);
    scene
        .pull(&["hf:org/model-GGUF:Q2_K"])
        .failed_with("there is no Q2_K, only Q4_0");
    let empty = Scene::new(&[("README.md", b"x".to_vec())]);
    empty
        .pull(&["hf:org/model-GGUF"])
        .failed_with("there is no GGUF model");
}
