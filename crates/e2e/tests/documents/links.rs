//! Links between documents lead somewhere.

use crate::page::{document, root};
use std::fs;
use std::path::{Path, PathBuf};

/// Every document, by its path below the repository.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["", "docs"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let name = Path::new(directory).join(entry.unwrap().file_name());
            if name.extension().is_some_and(|ending| ending == "md") {
                found.push(name);
            }
        }
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

/// The links of a text that lead to files.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split([')', ' ', '\n']).next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().chars();
    let kept = letters.filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    let kept = kept.map(|letter| if letter == ' ' { '-' } else { letter });
    kept.flat_map(char::to_lowercase).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    for name in documents() {
        let text = document(name.to_str().unwrap());
        for link in links(&text) {
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let directory = root().join(name.parent().unwrap());
            let path = if file.is_empty() {
                root().join(&name)
            } else {
                directory.join(file)
            };
            let there = part.is_empty() || {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                headings.any(|heading| anchor(heading) == part)
            };
            if !(path.exists() && there) {
                dead.push(format!("{}: {link}", name.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
