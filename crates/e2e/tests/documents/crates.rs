//! The crates depend on each other as ARCHITECTURE.md draws them.

use crate::page::{document, root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Crates outside the graph: tests and benchmarks of the whole.
const OUTSIDE: [&str; 2] = ["e2e", "bench"];

/// Dependencies that would break a crate's invariant.
const FORBIDDEN: [(&str, &[&str]); 10] = [
    ("proxy", &["axum", "rusqlite"]),
    ("runtime", &["axum", "hyper"]),
    ("api", &["tokio", "serde_json"]),
    ("config", &["tokio", "hyper", "axum"]),
    ("engines", &["tokio", "reqwest"]),
    ("gguf", &["tokio", "tracing"]),
    ("models", &["tokio", "reqwest"]),
    ("contexts", &["tokio", "tracing", "rusqlite"]),
    ("wire", &["tokio", "tracing"]),
    ("scheduler", &["tokio", "tracing"]),
];

type Graph = BTreeMap<String, BTreeSet<String>>;

fn drawn() -> Graph {
    let page = document("ARCHITECTURE.md");
    let lines = page.lines().filter_map(|line| line.rsplit_once("-> "));
    let lines =
        lines.filter(|(left, _)| left.starts_with(|first: char| first.is_ascii_lowercase()));
    lines
        .map(|(left, right)| {
            let name = left.split_whitespace().next().unwrap().to_owned();
            let below = right.split(", ").filter(|name| *name != "nothing");
            (name, below.map(str::to_owned).collect())
        })
        .collect()
}

fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]);
    let output = cargo.current_dir(root()).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Returns the name of a package of this workspace as the drawing has it.
fn short(name: &str) -> Option<&str> {
    match name {
        "paddock" => Some("cli"),
        name => name.strip_prefix("paddock-"),
    }
}

/// Returns the names of a package's dependencies, without those of its tests.
fn dependencies(package: &Value) -> BTreeSet<&str> {
    let all = package["dependencies"].as_array().unwrap().iter();
    let shipped = all.filter(|dependency| dependency["kind"].is_null());
    shipped
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect()
}

#[test]
fn dependencies_are_those_of_the_drawing() {
    let packages = packages();
    let found: Graph = packages
        .iter()
        .map(|package| {
            let below = dependencies(package).into_iter().filter_map(short);
            let name = short(package["name"].as_str().unwrap()).unwrap();
            (name.to_owned(), below.map(str::to_owned).collect())
        })
        .filter(|(name, _): &(String, _)| !OUTSIDE.contains(&name.as_str()))
        .collect();
    assert_eq!(found, drawn());
}

#[test]
fn crates_lack_what_would_break_their_invariants() {
    let packages = packages();
    for (name, forbidden) in FORBIDDEN {
        let package = packages
            .iter()
            .find(|package| short(package["name"].as_str().unwrap()) == Some(name))
            .unwrap();
        let below = dependencies(package);
        for other in forbidden {
            assert!(!below.contains(other), "{name} depends on {other}");
        }
    }
}
