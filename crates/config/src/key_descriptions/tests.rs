//! Tests that the key table, `raw.rs`, the example file and the JSON Schema agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::fixture::Fixture;
use super::super::tests::EVERY_KEY;
use super::super::tests::mistakes::MISTAKES;
use super::super::{Overrides, Problems};
use super::*;

fn table_text(name: &str) -> String {
    format!("[{}]\n", name.replace("NAME", "gemma"))
}

/// The keys that reading a table asks for, as the help for an unknown one lists them.
fn read(table: &str) -> BTreeSet<String> {
    let text = format!("{}qqqqqqqqqqqqqqqq = 1\n", table_text(table));
    let problems: Problems = Fixture::new()
        .config(&text, &Overrides::default())
        .unwrap_err();
    let mut helps = problems.as_slice().iter().filter_map(|it| it.help.as_ref());
    let known = helps.find_map(|help| help.strip_prefix("known keys: "));
    known.unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn the_keys_are_those_that_are_read() {
    for table in TABLES {
        let told: BTreeSet<_> = table.all().map(|key| key.name.to_owned()).collect();
        assert_eq!(told, read(table.name), "{}", table.name);
    }
    let tables: BTreeSet<_> = TABLES
        .iter()
        .map(|table| table.name.split('.').next().unwrap())
        .collect();
    let problems = Fixture::new().problems("qqqqqqqqqqqqqqqq = 1\n");
    let known = problems.split("known keys: ").nth(1).unwrap();
    let known: BTreeSet<_> = known.lines().next().unwrap().split(", ").collect();
    assert_eq!(tables, known);
}

#[test]
fn the_example_is_a_file_of_defaults() {
    let fixture = Fixture::new();
    let none = Overrides::default();
    let shown = fixture.config(&example(), &none).unwrap();
    let least = "[models.gemma]\npath = \"model.gguf\"\n";
    assert_eq!(shown, fixture.config(least, &none).unwrap());
}

#[test]
fn the_example_has_every_key_once() {
    let text = example().replace("\n# preload", "\npreload");
    let text = text.replace("\n# allowed_origins", "\nallowed_origins");
    let text = text.replace("\n# source", "\nsource");
    let (text, keys) = text.split_once("# [auth").unwrap();
    let text = format!("{text}[auth{}", keys.replace("\n# ", "\n"));
    let file: Value = toml::from_str(&text).unwrap();
    for table in TABLES {
        let path = format!("/{}", table.name.replace('.', "/"));
        let path = path.replace("models/NAME", "models/gemma");
        let path = path.replace("keys/NAME", "keys/laptop");
        let section = file.pointer(&path).unwrap().as_object().unwrap();
        let shown: BTreeSet<_> = section.keys().map(String::as_str).collect();
        let keys: BTreeSet<_> = table.keys.iter().map(|key| key.name).collect();
        assert_eq!(shown, keys, "{}", table.name);
    }
}

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn the_schema_accepts_what_is_right() {
    let validator = validator();
    for right in [example(), EVERY_KEY.to_owned()] {
        let file: Value = toml::from_str(&right).unwrap();
        let errors: Vec<_> = validator.iter_errors(&file).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn the_schema_refuses_unknown_keys_and_wrong_types() {
    let validator = validator();
    for mistake in MISTAKES.iter().filter(|mistake| mistake.of_form) {
        let file: Value = toml::from_str(mistake.text).unwrap();
        assert!(!validator.is_valid(&file), "{}", mistake.name);
    }
}

#[test]
fn the_published_schema_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/paddock.schema.json");
    let published = fs::read_to_string(path).unwrap_or_default();
    assert!(
        published == schema(),
        "regenerate it: paddock config schema > docs/paddock.schema.json"
    );
}
