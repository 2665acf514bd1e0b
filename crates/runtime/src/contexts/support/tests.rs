//! Configurations with and without kept contexts.

use super::*;
use crate::fixture::Fixture;

fn supporting_engine() -> Engine {
    Engine {
        supports_slot_save: true,
        ..Engine::default()
    }
}

#[test]
fn contexts_are_kept_unless_a_setting_excludes_them() {
    use Unsupported::{Draft, Flag, NoQuota, Projector, TurnedOff, Variable};
    let cases = [
        ("", "", Ok(())),
        ("", "context_cache = true", Ok(())),
        ("", "context_cache = false", Err(TurnedOff)),
        ("", "args = ['--cache-ram', '0']", Ok(())),
        ("", "args = ['--swa_full']", Err(Flag("--swa-full"))),
        ("", "args = ['--lora=a.gguf']", Err(Flag("--lora"))),
        (
            "",
            "args = ['--spec-type', 'mtp']",
            Err(Flag("--spec-type")),
        ),
        ("", "env.AIP_MODE = 'PREDICTION'", Err(Variable("AIP_MODE"))),
        (
            "engine.env.LLAMA_ARG_SWA_FULL = '1'",
            "",
            Err(Variable("LLAMA_ARG_SWA_FULL")),
        ),
        ("", "mmproj = 'm.gguf'", Err(Projector)),
        ("", "draft = 'm.gguf'", Err(Draft)),
        ("context_cache.quota = '0B'", "", Err(NoQuota)),
        ("context_cache.quota = '1B'", "", Ok(())),
        ("engine.args = ['--no-slots']", "", Err(Flag("--no-slots"))),
    ];
    let fixture = Fixture::new();
    for (shared, of_model, expected) in cases {
        let text = format!("{shared}\n[models.m]\npath = \"m.gguf\"\n{of_model}\n");
        let config = fixture.config(&text);
        let support = check_support(
            &config,
            &config.models[0],
            &supporting_engine(),
            PromptCache::default(),
        );
        assert_eq!(support, expected, "{text}");
    }
}

#[test]
fn contexts_of_embedding_models_and_old_engines_are_not_kept() {
    let fixture = Fixture::new();
    let config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
    let support = |engine: Engine, cache| check_support(&config, &config.models[0], &engine, cache);
    assert_eq!(
        support(supporting_engine(), PromptCache::unused()),
        Err(Unsupported::Embeddings)
    );
    assert_eq!(
        support(Engine::default(), PromptCache::default()),
        Err(Unsupported::Engine)
    );
}
