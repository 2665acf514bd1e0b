//! Tests of the load that follows from all facts.

use super::*;
use crate::engine_probe::Engine;
use crate::fixture::Fixture;
use crate::load_history::MeasuredMemory;
use crate::memory::Device;
use paddock_config::Config;

const GIB: u64 = 1 << 30;

fn engine(devices: &[&str]) -> Engine {
    let device = |name: &&str| Device {
        name: (*name).to_owned(),
        description: String::new(),
        total: 1,
        free: 1,
    };
    Engine {
        devices: devices.iter().map(device).collect(),
        supports_trials: true,
        ..Engine::default()
    }
}

fn config(memory: Option<u64>) -> (Fixture, Config) {
    let fixture = Fixture::new();
    let mut config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
    config.models[0].memory = memory;
    (fixture, config)
}

fn placement(memory: Memory) -> Placement {
    Placement {
        memory,
        context: 5,
        args: vec!["--ctx-size".into(), "4096".into()],
    }
}

fn memory(host: u64, devices: &[(&str, u64)]) -> MeasuredMemory {
    let devices = devices.iter();
    MeasuredMemory {
        host,
        devices: devices
            .map(|(name, bytes)| ((*name).to_owned(), *bytes))
            .collect(),
    }
}

fn measurement(
    reported: Option<MeasuredMemory>,
    observed: Option<MeasuredMemory>,
) -> LoadMeasurement {
    LoadMeasurement {
        reported,
        observed,
        load: Duration::from_secs(9),
        context: None,
        loads: 1,
        measured_at: 0,
    }
}

fn plan(config: &Config, engine: &Engine, facts: LoadFacts) -> LoadPlan {
    let input = PlacementInput {
        config,
        model: &config.models[0],
        engine,
        budget: &Memory::needed(64 * GIB),
    };
    facts.plan(&input)
}

#[test]
fn a_first_load_is_estimated_from_its_size() {
    let (_fixture, config) = config(None);
    let predicted = Memory::needed(2 * GIB).with_device(0, GIB);
    let facts = LoadFacts {
        placement: placement(predicted),
        measurement: None,
        is_proven: false,
    };
    let plan = plan(&config, &engine(&["CUDA0"]), facts);
    let expected = LoadPlan {
        predicted,
        demand: Demand {
            memory: predicted,
            load: Duration::from_millis(3 * GIB / (GIB / 1000)),
            is_proven: false,
        },
        prompt_cache: PromptCache::default(),
        args: vec!["--ctx-size".into(), "4096".into()],
    };
    assert_eq!(plan, expected);
}

#[test]
fn a_measurement_corrects_the_prediction_unless_the_size_is_configured() {
    let predicted = Memory::needed(2 * GIB).with_device(1, GIB);
    let reported = || Some(memory(GIB, &[("CUDA1", 7)]));
    let observed = || Some(memory(3 * GIB, &[("CUDA0", 8), ("OTHER", 9)]));
    let small = || Some(memory(GIB, &[("CUDA1", 7)]));
    let measured = |host: u64| Memory::needed(host).with_device(0, 8);
    for (name, configured, known, expected) in [
        (
            "both, by device name",
            None,
            measurement(reported(), observed()),
            measured(3 * GIB).with_device(1, 7),
        ),
        (
            "a report below the prediction",
            None,
            measurement(reported(), None),
            Memory::needed(GIB).with_device(1, 7),
        ),
        (
            "an observation below the prediction",
            None,
            measurement(None, small()),
            predicted,
        ),
        (
            "an observation above the prediction",
            None,
            measurement(None, observed()),
            measured(3 * GIB).with_device(1, GIB),
        ),
        (
            "a configured size",
            Some(1),
            measurement(reported(), observed()),
            predicted,
        ),
    ] {
        let (_fixture, config) = config(configured);
        let facts = LoadFacts {
            placement: placement(predicted),
            measurement: Some(known),
            is_proven: false,
        };
        let plan = plan(&config, &engine(&["CUDA0", "CUDA1"]), facts);
        assert_eq!(plan.demand.memory, expected, "{name}");
        assert_eq!(plan.demand.load, Duration::from_secs(9), "{name}");
        assert!(plan.demand.is_proven, "{name}");
        assert_eq!(plan.predicted, predicted, "{name}");
    }
}

#[test]
fn files_are_proven_by_a_load_a_trial_or_an_engine_without_trials() {
    let (_fixture, config) = config(None);
    for (is_proven, supports_trials, expected) in [
        (false, true, false),
        (true, true, true),
        (false, false, true),
    ] {
        let facts = LoadFacts {
            placement: placement(Memory::needed(0)),
            measurement: None,
            is_proven,
        };
        let mut engine = engine(&[]);
        engine.supports_trials = supports_trials;
        assert_eq!(plan(&config, &engine, facts).demand.is_proven, expected);
    }
}

#[test]
fn the_child_gets_flags_for_what_is_unknown_and_its_prompt_cache_counts() {
    let (_fixture, config) = config(None);
    let able = Engine {
        supports_fit: true,
        supports_verbosity: true,
        supports_metrics: true,
        supports_cache_ram: true,
        ..engine(&[])
    };
    let common = ["--fit", "off", "--metrics", "--cache-ram", "8192"];
    let first = ["--log-verbosity", "4"];
    let known = || measurement(Some(memory(3 * GIB, &[])), None);
    for (measured, memory, flags) in [
        (None, 2 * GIB, [&first[..], &common[..]].concat()),
        (Some(known()), 3 * GIB, common.to_vec()),
    ] {
        let facts = LoadFacts {
            placement: placement(Memory::needed(2 * GIB)),
            measurement: measured,
            is_proven: false,
        };
        let plan = plan(&config, &able, facts);
        let args = [&["--ctx-size", "4096"][..], &flags].concat();
        assert_eq!(plan.args, args);
        let cache = plan.prompt_cache.counted;
        assert_eq!(cache, 8 * GIB);
        assert_eq!(plan.demand.memory, Memory::needed(memory + cache));
        assert_eq!(plan.predicted, Memory::needed(2 * GIB + cache));
    }
}
