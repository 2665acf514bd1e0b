//! docs/metrics.md and docs/events.md have the names that paddock has, and no others.

use crate::page::{document, quoted, root, rows};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, post, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A metric: its kind, and what its samples are labelled with.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// The metrics that the page lists.
fn documented() -> Metrics {
    let rows = rows(&document("docs/metrics.md")).into_iter();
    let metrics = rows.filter(|row| row[0].starts_with("`paddock_"));
    metrics
        .map(|row| {
            let name = quoted(&row[0]).remove(0);
            let (name, labels) = name.split_once('{').unwrap_or((&name, ""));
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels.filter(|label| !label.is_empty());
            let labels = labels.map(str::to_owned).collect();
            (name.to_owned(), (row[1].clone(), labels))
        })
        .collect()
}

/// The labels of a sample, without those that a histogram adds.
fn labels(sample: &str) -> BTreeSet<String> {
    let inside = sample.split_once('{').map_or("", |(_, rest)| rest);
    let names = inside.split('"').step_by(2).filter_map(|part| {
        let name = part.trim_start_matches(',').strip_suffix('=')?;
        (name != "le").then(|| name.to_owned())
    });
    names.collect()
}

/// The metrics of a page of them; of one without samples its labels are those that are documented.
fn told(page: &str, documented: &Metrics) -> Metrics {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    // Behind them stand the engine's own.
    let types = types.filter(|line| line.starts_with("paddock_"));
    types
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let of_it = |line: &&str| {
                let rest = line.strip_prefix(name).unwrap_or_default();
                ["{", "_bucket{", " "]
                    .iter()
                    .any(|next| rest.starts_with(next))
            };
            let labels = page.lines().find(of_it).map(labels);
            let labels = labels.or_else(|| Some(documented.get(name)?.1.clone()));
            (
                name.to_owned(),
                (kind.to_owned(), labels.unwrap_or_default()),
            )
        })
        .collect()
}

/// A paddock that has loaded a model, answered with it, unloaded it, and seen its child die.
fn lived() -> Paddock {
    // Nobody takes its events there; that they are counted is enough.
    let posts = "telemetry.events_url = 'http://127.0.0.1:9/'";
    let paddock = paddock_e2e::paddock!().config(posts).start();
    let chat = r#"{"model":"m","stream":true,"messages":[]}"#;
    assert_eq!(paddock.post("/v1/chat/completions", chat).status, 200);
    paddock.child().signal(paddock_e2e::harness::Signal::KILL);
    let restarted = || {
        let page = paddock.admin_get("/metrics").text();
        page.contains("\npaddock_restarts_total{")
    };
    wait_until(LIMIT, "a restart", restarted);
    let unload = post("/api/models/m/unload?wait=true", "");
    let unloaded = Connection::connect(paddock.admin()).ask(unload);
    assert_eq!(unloaded.status, 200);
    paddock
}

#[test]
fn metrics() {
    let documented = documented();
    let page = lived().admin_get("/metrics").text();
    assert_eq!(told(&page, &documented), documented);
}

#[test]
fn alerts() {
    let rules = document("dist/monitoring/paddock.rules.yml");
    let shipped = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let rows = rows(&document("docs/metrics.md")).into_iter();
    let documented = rows.filter(|row| row[0].starts_with("`Paddock"));
    let documented: Vec<String> = documented.map(|row| quoted(&row[0]).remove(0)).collect();
    assert_eq!(documented, shipped.collect::<Vec<_>>());
}

/// What stands in quotes, in the lines of a source that hold this.
fn in_source(name: &str, lines_with: &str) -> BTreeSet<String> {
    let path = root().join("crates").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|line| line.contains(lines_with));
    let words = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let words: BTreeSet<String> = words.map(str::to_owned).collect();
    assert!(!words.is_empty(), "{name} has nothing like {lines_with:?}");
    words
}

/// What the tables of a part of the page have in a column.
fn column(part: &str, column: usize) -> BTreeSet<String> {
    let page = document("docs/events.md");
    let part = page
        .split("\n## ")
        .find(|text| text.starts_with(part))
        .unwrap();
    let cells = rows(part).into_iter().map(|row| row[column].clone());
    cells.flat_map(|cell| quoted(&cell)).collect()
}

#[test]
fn events() {
    let told = in_source("api/src/event.rs", "(_) => \"");
    assert_eq!(told, column("While it happens", 0));
}

#[test]
fn what_became_of_models() {
    let own = "telemetry/src/activity/paddock_events.rs";
    let name = "runtime/src/lifecycle_events.rs";
    let mut decided = in_source(name, "Note::");
    decided.extend(in_source(name, "Phase::"));
    decided.extend(in_source(name, "Direction::"));
    for lines_with in ["const STARTED", "Some(\"", "\"stopped\""] {
        decided.extend(in_source(own, lines_with));
    }
    let mut documented = column("What became of models", 0);
    documented.extend(column("What became of models", 1));
    documented.remove("failure");
    assert_eq!(decided, documented);
}
