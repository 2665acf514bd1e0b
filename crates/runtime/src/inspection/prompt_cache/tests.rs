//! Tests of the limits of prompt caches.

use super::*;

const GIB: u64 = 1 << 30;

fn in_mib(bytes: u64, models: u64, own: Memory) -> u64 {
    paddock_limit(RamBudget { bytes, models }, &own)
}

#[test]
fn the_share_follows_from_the_budget_and_the_model() {
    let ram = |mib: u64| Memory::needed(mib * MIB);
    for (budget, models, own, limit, why) in [
        (
            64 * GIB,
            1,
            ram(5 * 1024),
            8192,
            "one model has the whole eighth",
        ),
        (
            64 * GIB,
            4,
            ram(5 * 1024),
            2048,
            "four have equal parts of it",
        ),
        (
            64 * GIB,
            100,
            ram(8 * 1024),
            1024,
            "of a hundred, one eighth of the model",
        ),
        (
            u64::MAX,
            1,
            ram(300),
            8192,
            "never more than the engine's own limit",
        ),
        (4 * GIB, 2, ram(4000), 96, "what is left beside the model"),
        (4 * GIB, 1, ram(4090), 0, "too little is left"),
        (GIB, 1, ram(2048), 0, "the model does not fit anyway"),
        (
            512 * MIB,
            20,
            ram(100),
            0,
            "many small models on a small budget",
        ),
        (512 * MIB, 20, ram(200), 25, "as many larger ones"),
        (0, 1, ram(0), 0, "no budget at all"),
    ] {
        assert_eq!(in_mib(budget, models, own), limit, "{why}");
    }
}

#[test]
fn a_model_on_a_device_has_its_prompt_cache_in_ram() {
    let own = Memory::needed(GIB).with_device(0, 23 * GIB);
    assert_eq!(in_mib(16 * GIB, 10, own), 3072);
    assert_eq!(in_mib(2 * GIB, 10, own), 1024, "what RAM has left");
}

#[test]
fn a_share_makes_no_model_unloadable() {
    for budget in [0, 1, 17 * MIB, GIB, 5 * GIB, 64 * GIB, u64::MAX] {
        for eighths in 0..=8 {
            let own = Memory::needed(budget / 8 * eighths);
            for models in [0, 1, 3, 1000] {
                let limit = in_mib(budget, models, own);
                let all = own.host().saturating_add(limit * MIB);
                assert!(all <= budget, "{budget} {eighths} {models}");
                assert!(limit == 0 || limit >= MIN_LIMIT_MIB);
            }
        }
    }
}

fn of(args: &[&str], env: &[(&str, &str)]) -> (Option<i64>, bool) {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let command = config::Command {
        program: "llama-server".into(),
        args: args.iter().map(OsString::from).collect(),
        env: env.collect(),
    };
    (configured_limit(&command), has_flag(&command))
}

#[test]
fn embeddings_and_ranks_need_none() {
    let serves = |args: &[&str]| {
        serves_embeddings(&config::Command {
            program: "llama-server".into(),
            args: args.iter().map(OsString::from).collect(),
            env: std::collections::BTreeMap::new(),
        })
    };
    assert!(serves(&["--embeddings", "--pooling", "mean"]) && serves(&["--reranking"]));
    assert!(!serves(&["--pooling", "none"]) && !serves(&["-fa", "on"]));
}

#[test]
fn a_configured_limit_is_found_in_every_spelling() {
    for (args, env, limit) in [
        (&["--cache-ram", "512"][..], &[][..], 512),
        (&["--cache_ram", "512"], &[], 512),
        (&["-cram", "0"], &[], 0),
        (&["--cache-ram", "-1"], &[], -1),
        (&["-cram", "1", "-fa", "on", "--cache-ram", "2"], &[], 2),
        (&[], &[("LLAMA_ARG_CACHE_RAM", "64")], 64),
        (&["-cram", "1"], &[("LLAMA_ARG_CACHE_RAM", "64")], 1),
    ] {
        assert_eq!(of(args, env), (Some(limit), true), "{args:?} {env:?}");
    }
    assert_eq!(of(&["--cache-reuse", "256"], &[]), (None, false));
    // The child rejects these, or may read them differently.
    assert_eq!(of(&["--cache-ram", "much"], &[]), (None, true));
    assert_eq!(of(&["--cache-ram"], &[]), (None, true));
}

#[test]
fn no_limit_is_counted_as_one_whole_context() {
    assert_eq!(counted_bytes(-1, 7), 7);
    assert_eq!(counted_bytes(0, 7), 0);
    assert_eq!(counted_bytes(3, 7), 3 * MIB);
    assert_eq!(counted_bytes(i64::MAX, 7), u64::MAX);
}

#[test]
fn each_limit_has_its_sentence_and_its_arguments() {
    let table = [
        (
            CacheLimit::Unknown,
            0,
            "m uses the engine's default prompt cache",
            None,
        ),
        (
            CacheLimit::Unused,
            0,
            "m serves embeddings or reranking, which use no prompt cache",
            None,
        ),
        (
            CacheLimit::Paddock(0),
            0,
            "m has no prompt cache: its share of the RAM budget is less than 16 MiB (`--cache-ram` in its \
             `args` sets another limit)",
            Some("0"),
        ),
        (
            CacheLimit::Paddock(512),
            512,
            "m can use a prompt cache of 512 MiB, its share of the RAM budget, counted as part of its memory \
             (`--cache-ram` in its `args` sets another limit)",
            Some("512"),
        ),
        (
            CacheLimit::Configured(0),
            0,
            "m has no prompt cache, as configured (`--cache-ram 0`)",
            None,
        ),
        (
            CacheLimit::Configured(512),
            300,
            "m can use a prompt cache of 512 MiB, as configured (`--cache-ram`); 300 MiB of it is counted \
             in its memory",
            None,
        ),
        (
            CacheLimit::Configured(-1),
            300,
            "m can use a prompt cache without a limit, as configured (`--cache-ram`); 300 MiB of it is counted \
             in its memory",
            None,
        ),
    ];
    for (limit, mib, sentence, argument) in table {
        let counted = mib * MIB;
        let cache = PromptCache { counted, limit };
        assert_eq!(cache.sentence("m"), sentence);
        let args = argument.map(|value| vec!["--cache-ram".into(), OsString::from(value)]);
        assert_eq!(cache.args(), args.unwrap_or_default(), "{limit:?}");
        assert_eq!(cache.is_known(), limit != CacheLimit::Unknown);
    }
}

#[test]
fn the_cache_follows_from_the_command_the_engine_and_the_budget() {
    let fixture = crate::fixture::Fixture::new();
    let text = "[models.a]\npath = \"m.gguf\"\n[models.b]\npath = \"m.gguf\"\n";
    let config = fixture.config(text);
    let mut limited = fixture.config(text);
    limited.scheduler.max_loaded = NonZeroU32::new(1);
    let old = crate::engine_probe::Engine::default();
    let new = crate::engine_probe::Engine {
        supports_cache_ram: true,
        ..old.clone()
    };
    let budget = Memory::needed(4 * GIB);
    let own = Memory::needed(GIB);
    let paddock = |mib| (CacheLimit::Paddock(mib), mib * MIB);
    for (config, engine, args, expected) in [
        (&config, &new, &[][..], paddock(256)),
        (&limited, &new, &[], paddock(512)),
        (&config, &old, &[], (CacheLimit::Unknown, 0)),
        (&config, &new, &["-cram", "x"], (CacheLimit::Unknown, 0)),
        (
            &config,
            &new,
            &["--embeddings", "--pooling", "mean"],
            (CacheLimit::Unused, 0),
        ),
        (
            &config,
            &old,
            &["-cram", "8"],
            (CacheLimit::Configured(8), 8 * MIB),
        ),
        (
            &config,
            &new,
            &["-cram", "-1"],
            (CacheLimit::Configured(-1), 7),
        ),
        // The budget has no more room beside the model.
        (
            &config,
            &new,
            &["-cram", "9999"],
            (CacheLimit::Configured(9999), 3 * GIB),
        ),
    ] {
        let input = PlacementInput {
            config,
            model: &config.models[0],
            engine,
            budget: &budget,
        };
        let mut command = config.command(input.model);
        command.args.extend(args.iter().map(OsString::from));
        let cache = choose_prompt_cache(&input, &command, &own, 7);
        assert_eq!((cache.limit, cache.counted), expected, "{args:?}");
    }
}
