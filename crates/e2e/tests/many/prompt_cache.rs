//! The child's prompt cache: its limit follows from the budget, and it is counted.

use crate::support::decisions;
use paddock_e2e::harness::{Paddock, PaddockBuilder};
use std::fs;

const MIB: u64 = 1 << 20;

/// A model of 1 GiB in a budget of 4 GiB, whose engine can limit its prompt cache.
fn one() -> PaddockBuilder {
    let builder = paddock_e2e::paddock!();
    let engine = builder.link_engine("engine");
    let script = format!(
        "case \"$1\" in --help) echo '-cram, --cache-ram N'; exit;; esac\nexec '{}' \"$@\"",
        engine.display()
    );
    let path = builder.script("newer", &script);
    builder
        .engine(path)
        .config("models.m.memory = '1GiB'\nmodels.m.preload = true\nmemory.ram = '4GiB'")
}

/// Starts it, and returns the arguments of its child.
fn started(builder: PaddockBuilder) -> (Paddock, String) {
    let paddock = builder.start();
    paddock.wait_ready();
    let line = fs::read(format!("/proc/{}/cmdline", paddock.model()["pid"]));
    let words = String::from_utf8(line.expect("a command line")).expect("text");
    (paddock, words.replace('\0', " "))
}

fn counted(paddock: &Paddock) -> (Option<u64>, Option<u64>, Option<u64>) {
    let memory = &paddock.model()["memory"];
    let used = paddock.status()["memory"]["used"]["host"].as_u64();
    (
        memory["prompt_cache"].as_u64(),
        memory["predicted"]["host"].as_u64(),
        used,
    )
}

#[test]
fn a_share_of_the_budget_is_its_limit_and_part_of_the_models_memory() {
    let (paddock, words) = started(one());
    // One eighth of the budget.
    assert!(words.contains("--cache-ram 512 "), "{words}");
    let whole = Some((1024 + 512) * MIB);
    assert_eq!(counted(&paddock), (Some(512 * MIB), whole, whole));
    let told = decisions(&paddock, "m");
    assert!(told.contains("can use a prompt cache of 512 MiB"), "{told}");
    let line = r#"paddock_memory_bytes{kind="prompt_cache",device="host",model="m"} 536870912"#;
    assert!(paddock.admin_get("/metrics").text().contains(line));
}

#[test]
fn a_configured_limit_wins_and_is_counted() {
    for (config, limit) in [
        ("models.m.args = ['--cache_ram', '64']", 64),
        ("engine.env.LLAMA_ARG_CACHE_RAM = '0'", 0),
        // No more than the budget has beside the model, so that the model still fits.
        ("models.m.args = ['-cram', '8192']", 3 * 1024),
    ] {
        let (paddock, words) = started(one().config(config));
        assert!(!words.contains("--cache-ram"), "{words}");
        let whole = Some((1024 + limit) * MIB);
        assert_eq!(
            counted(&paddock),
            (Some(limit * MIB), whole, whole),
            "{config}"
        );
        assert!(decisions(&paddock, "m").contains("as configured"));
    }
}

#[test]
fn an_engine_that_does_not_know_the_flag_is_not_given_it() {
    let builder = paddock_e2e::paddock!();
    let builder =
        builder.config("models.m.memory = '1GiB'\nmodels.m.preload = true\nmemory.ram = '4GiB'");
    let (paddock, words) = started(builder);
    assert!(!words.contains("cache-ram"), "{words}");
    let whole = Some(1024 * MIB);
    assert_eq!(counted(&paddock), (Some(0), whole, whole));
}
