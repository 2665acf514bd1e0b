//! Test: every configuration key that a message of the program names exists.

use std::fs;
use std::path::{Path, PathBuf};

use super::table::TABLES;

/// Kernel files whose names look like keys.
const KERNEL_FILES: [&str; 10] = [
    "memory.max",
    "memory.current",
    "memory.high",
    "memory.events",
    "memory.events.local",
    "memory.stat",
    "memory.failcnt",
    "memory.oom_control",
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
];

/// Other names with a dot that are no keys: files and JSON fields.
const OTHER_DOTTED_NAMES: [&str; 3] = ["models.gguf", "models.js", "memory.js"];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs")
            && !name.ends_with("tests.rs")
            && name != "advice.rs"
        {
            found.push(path);
        }
    }
}

/// Returns the string literals of a source file, without its tests and comments.
fn literals(source: &str) -> Vec<String> {
    let program = source
        .split("#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default();
    let code = program
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = code
        .collect::<Vec<_>>()
        .join("\n")
        .replace("'\"'", "")
        .replace("b'\"'", "");
    let mut literals = Vec::new();
    let mut chars = code.chars();
    while chars.any(|char| char == '"') {
        let mut literal = String::new();
        while let Some(char) = chars.next().filter(|char| *char != '"') {
            literal.push(char);
            if char == '\\' {
                literal.extend(chars.next());
            }
        }
        literals.push(literal);
    }
    literals
}

/// Returns the names in a text that look like `table.key`.
fn dotted(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "_./-".contains(char);
    let words = text.split(move |char| !is_part(char));
    let words = words.map(|word| word.trim_end_matches(['.', '-', '/']));
    words.filter(|word| {
        let table = word.split_once('.').map(|(table, _)| table);
        let tables = TABLES.iter().map(|table| table.name);
        tables
            .filter(|name| !name.contains('.'))
            .any(|name| Some(name) == table)
    })
}

/// Returns the keys in a text that are named as "`key` under [table]".
fn placed(text: &str) -> Vec<(&str, &str)> {
    let mut placed = Vec::new();
    for (at, _) in text.match_indices("` under [") {
        let key = text[..at].rsplit('`').next().unwrap_or_default();
        let table = text[at + "` under [".len()..]
            .split(']')
            .next()
            .unwrap_or_default();
        let key = key.split([' ', '=']).next().unwrap_or_default();
        placed.push((table, key));
    }
    placed
}

fn exists(table: &str, key: &str) -> bool {
    let mut tables = TABLES.iter().filter(|known| known.name == table);
    tables.any(|known| known.all().any(|known| known.name == key))
}

#[test]
fn every_key_that_the_program_names_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    let names = [
        "admission",
        "cli",
        "config",
        "gguf",
        "proxy",
        "runtime",
        "scheduler",
        "server",
        "supervisor",
        "telemetry",
        "wire",
    ];
    for name in names {
        sources(&crates.join(name).join("src"), &mut files);
    }
    let (mut named, mut wrong) = (0, Vec::new());
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for literal in literals(&source) {
            let mut check = |table: &str, key: &str| {
                named += 1;
                if !exists(table, key) {
                    wrong.push(format!("{}: {table}.{key}", file.display()));
                }
            };
            for word in dotted(&literal) {
                if !KERNEL_FILES.contains(&word) && !OTHER_DOTTED_NAMES.contains(&word) {
                    let (table, key) = word.split_once('.').unwrap();
                    check(table, key);
                }
            }
            for (table, key) in placed(&literal) {
                let parts = table.split('.').map(|part| match part.starts_with('{') {
                    true => "NAME",
                    false => part,
                });
                check(&parts.collect::<Vec<_>>().join("."), key);
            }
        }
    }
    assert!(named > 50, "only {named} keys were found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn keys_are_found_in_texts() {
    let text = "load fewer (memory.budget), or set `x = 1` under [models.NAME]; see server.listen.";
    assert_eq!(
        dotted(text).collect::<Vec<_>>(),
        ["memory.budget", "server.listen"]
    );
    assert_eq!(placed(text), [("models.NAME", "x")]);
    assert!(!exists("memory", "budget") && exists("memory", "ram"));
    let source = "// \"no.such\"\nlet a = \"memory.ram \\\"b\\\"\"; let b = 'c';\n#[cfg(test)]\nmod tests { \"x\" }";
    assert_eq!(literals(source), ["memory.ram \\\"b\\\""]);
}
