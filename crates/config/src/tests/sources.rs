//! Models that are configured by their source.

use std::fs;
use std::path::Path;

use paddock_models::hub_cache::{Commit, RepoCache};
use paddock_models::{FileDigest, RepoName};

use super::super::fixture::{Fixture, model};
use super::super::{ModelFlag, Overrides, configured_models};

/// Puts model files into the cache of the hub.
fn pull(fixture: &Fixture, files: &[&str]) {
    let cache = RepoCache::new(&fixture.path("hub"), &RepoName::parse("u/r").unwrap());
    let commit = Commit::parse(&"a".repeat(40)).unwrap();
    let digest = FileDigest::Sha256([1; 32]);
    fs::create_dir_all(cache.blobs()).unwrap();
    fs::write(cache.blob(&digest), model().build()).unwrap();
    for file in files {
        cache
            .publish(&commit, &file.parse().unwrap(), &digest)
            .unwrap();
    }
    cache.set_main(&commit).unwrap();
}

const TWO_MODELS: &str = "models.m.path = 'model.gguf'\nmodels.s.source = 'hf:u/r:Q4_0'\n";

#[test]
fn a_source_on_disk_is_a_model_with_its_projector() {
    let fixture = Fixture::new();
    pull(&fixture, &["m-Q4_0.gguf", "mmproj-F16.gguf"]);
    let config = fixture.config(TWO_MODELS, &Overrides::default()).unwrap();
    assert_eq!(config.faults, []);
    let model = config.model("s").unwrap();
    assert!(model.path.as_ref().unwrap().ends_with("m-Q4_0.gguf"));
    assert!(model.mmproj.as_ref().unwrap().ends_with("mmproj-F16.gguf"));
    assert_eq!(model.source.as_ref().unwrap().to_string(), "hf:u/r:Q4_0");

    let without = format!("{TWO_MODELS}models.s.mmproj = ''\n");
    let config = fixture.config(&without, &Overrides::default()).unwrap();
    assert_eq!(config.model("s").unwrap().mmproj, None);
}

#[test]
fn a_source_that_is_not_on_disk_is_a_fault_of_its_model_alone() {
    let fixture = Fixture::new();
    let config = fixture.config(TWO_MODELS, &Overrides::default()).unwrap();
    assert!(!config.is_at_fault(config.model("m").unwrap()));
    let missing = config.model("s").unwrap();
    assert!(config.is_at_fault(missing));
    assert!(!missing.path.as_ref().unwrap().exists());
    let shown = fixture.problems(TWO_MODELS);
    assert!(
        shown.starts_with("error: models.s.source: hf:u/r:Q4_0 is not on disk\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with("= help: `paddock pull s` downloads it"),
        "{shown}"
    );

    pull(&fixture, &["m-Q8_0.gguf"]);
    let shown = fixture.problems(TWO_MODELS);
    assert!(
        shown.contains("of this repository, there is only Q8_0"),
        "{shown}"
    );
}

#[test]
fn a_file_of_a_source_that_is_broken_is_a_fault() {
    let fixture = Fixture::new();
    let text = "models.m.path = 'model.gguf'\nmodels.s.source = 'https://h:1/m.gguf'\n";
    fs::create_dir_all(fixture.path("own/h_1")).unwrap();
    fixture.write("own/h_1/m.gguf", b"GGUF");
    let shown = fixture.problems(text);
    assert!(
        shown.starts_with("error: models.s.source: DIR/own/h_1/m.gguf "),
        "{shown}"
    );
    fixture.write("own/h_1/m.gguf", &model().build());
    assert_eq!(
        fixture.config(text, &Overrides::default()).unwrap().faults,
        []
    );
}

#[test]
fn a_model_has_either_a_path_or_a_source() {
    let fixture = Fixture::new();
    let both = "[models.m]\npath = 'model.gguf'\nsource = 'hf:u/r'\n";
    let shown = fixture.problems(both);
    let expected = "error: models.m.source: a model has either `source` or models.m.path on line 2, not both\n";
    assert!(shown.starts_with(expected), "{shown}");
    let shown = fixture.problems("models.m.source = 'u/r'\n");
    assert!(shown.contains("did you mean `hf:u/r`?"), "{shown}");
    assert!(!shown.contains("needs `path`"), "one problem: {shown}");
    // A flag replaces the source.
    let overrides = Overrides {
        models: vec![ModelFlag {
            name: Some("s".to_owned()),
            path: fixture.path("model.gguf"),
        }],
        ..Overrides::default()
    };
    let config = fixture
        .config("models.s.source = 'hf:u/r'\n", &overrides)
        .unwrap();
    assert_eq!(config.model("s").unwrap().source, None);
}

#[test]
fn configured_sources_are_read_though_nothing_is_there() {
    let text = "engine.command = '/nowhere'\nmodels.a.source = 'hf:u/r'\nmodels.a.aliases = ['b']\nmodels.c.path = 'x'\n";
    let models = configured_models(text, Path::new("paddock.toml")).unwrap();
    let shown: Vec<_> = models
        .iter()
        .map(|model| (&*model.name, model.source.is_some()))
        .collect();
    assert_eq!(shown, [("a", true), ("c", false)]);
    assert!(models[0].has_name("b"));
    for wrong in ["models.a.source = 'u/r'", "models.a.source ="] {
        configured_models(wrong, Path::new("paddock.toml")).unwrap_err();
    }
}
