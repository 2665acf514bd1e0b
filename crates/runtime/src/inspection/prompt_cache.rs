//! Limits the RAM in which a child keeps the states of earlier conversations (llama-server's `--cache-ram`).
//!
//! llama-server's own limit is 8 GiB for each child on any machine. paddock sets a limit derived from the RAM
//! budget and counts it in the model's memory:
//!
//! - one eighth of the RAM budget, divided among the models that may be loaded at once,
//! - or one eighth of the model's own memory, if that is more,
//! - at most llama-server's own 8 GiB,
//! - at most what the budget leaves beside the model, so that a model which fits without a prompt cache still fits,
//! - in whole MiB, and none below 16 MiB: llama-server skips a state larger than the limit.
//!
//! The caches of all loaded models together take at most a quarter of the budget.

use super::Inspection;
use crate::memory::ByteSize;
use paddock_config::{self as config, normalize_flag};
use paddock_gguf::memory::MemoryOptions;
use paddock_scheduler::Memory;
use std::ffi::OsString;
use std::num::NonZeroU32;

const MIB: u64 = 1 << 20;

/// llama-server's own limit in MiB (llama.cpp b11434, common/common.h, `cache_ram_mib`).
const ENGINE_LIMIT_MIB: u64 = 8192;

/// Smallest useful limit in MiB.
const MIN_LIMIT_MIB: u64 = 16;

/// Divisor of the budget, and of a model's memory, for the share of prompt caches.
const BUDGET_DIVISOR: u64 = 8;

const FLAG: &str = "--cache-ram";

/// The flag's short name in the engine's help.
const SHORT_FLAG: &str = "-cram";

const FLAG_VARIABLE: &str = "LLAMA_ARG_CACHE_RAM";

/// The prompt cache of a model's child.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PromptCache {
    /// Bytes counted in the model's memory.
    pub counted: u64,
    pub(crate) limit: CacheLimit,
}

/// The source of a limit, and its value in MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum CacheLimit {
    /// No limit is set: the engine does not know the flag.
    #[default]
    Unknown,
    /// The child serves embeddings or ranks and stores no state in the cache (llama.cpp b11434,
    /// tools/server/server-context.cpp, `get_available_slot`).
    Unused,
    /// paddock passes this limit; 0 turns the cache off.
    Paddock(u64),
    /// Set in `args` or `env` of the configuration; llama-server reads a negative value as no limit.
    Configured(i64),
}

/// The RAM budget of all models, and the number of models that may share it.
#[derive(Debug, Clone, Copy)]
struct RamBudget {
    bytes: u64,
    models: u64,
}

impl PromptCache {
    /// Returns true if the limit is known.
    pub(crate) fn is_known(self) -> bool {
        self.limit != CacheLimit::Unknown
    }

    /// Describes the limit and its source, for `explain`.
    pub(crate) fn sentence(self, name: &str) -> String {
        let counted = ByteSize(self.counted);
        match self.limit {
            CacheLimit::Unknown => format!("{name} has the engine's own prompt cache"),
            CacheLimit::Unused => format!("{name} serves embeddings, which need no prompt cache"),
            CacheLimit::Paddock(0) => format!(
                "{name} has no prompt cache: its share of the RAM budget is less than {MIN_LIMIT_MIB} MiB \
                 (`{FLAG}` in its `args` sets another limit)"
            ),
            CacheLimit::Paddock(_) => format!(
                "{name} may fill a prompt cache of {counted}, its share of the RAM budget, which is part of its \
                 memory (`{FLAG}` in its `args` sets another limit)"
            ),
            CacheLimit::Configured(0) => {
                format!("{name} has no prompt cache: the configuration says so (`{FLAG} 0`)")
            }
            CacheLimit::Configured(limit) => {
                let limit = match u64::try_from(limit) {
                    Ok(limit) => ByteSize(limit.saturating_mul(MIB)).to_string(),
                    Err(_) => "any size".to_owned(),
                };
                format!(
                    "{name} may fill a prompt cache of {limit}, as the configuration says (`{FLAG}`); {counted} are \
                     counted as part of its memory"
                )
            }
        }
    }

    /// Returns the arguments that set the limit.
    pub(super) fn args(self) -> Vec<OsString> {
        match self.limit {
            CacheLimit::Paddock(limit) => vec![FLAG.into(), limit.to_string().into()],
            CacheLimit::Unknown | CacheLimit::Unused | CacheLimit::Configured(_) => Vec::new(),
        }
    }
}

impl Inspection {
    /// Chooses the prompt cache of a model that needs `own` without one. `context` is the size of one whole context
    /// in the model's cache of keys and values.
    pub(super) fn prompt_cache(&self, own: &Memory, context: u64) -> PromptCache {
        let command = self.config.command(&self.model);
        if serves_embeddings(&command) {
            return PromptCache {
                counted: 0,
                limit: CacheLimit::Unused,
            };
        }
        let room = self.budget.host().saturating_sub(own.host());
        if let Some(limit) = configured_limit(&command) {
            return PromptCache {
                counted: counted_bytes(limit, context).min(room),
                limit: CacheLimit::Configured(limit),
            };
        }
        // Do not guess about a value that the child rejects or reads differently.
        if !self.engine.supports_cache_ram || has_flag(&command) {
            return PromptCache::default();
        }
        let max_loaded = self
            .config
            .scheduler
            .max_loaded
            .map_or(u32::MAX, NonZeroU32::get);
        let models = self.config.models.len() as u64;
        let budget = RamBudget {
            bytes: self.budget.host(),
            models: models.min(max_loaded.into()),
        };
        let limit = paddock_limit(budget, own);
        PromptCache {
            counted: limit * MIB,
            limit: CacheLimit::Paddock(limit),
        }
    }
}

/// Returns paddock's limit in MiB for a model that needs `own` without a prompt cache.
fn paddock_limit(budget: RamBudget, own: &Memory) -> u64 {
    let equal = budget.bytes / BUDGET_DIVISOR / budget.models.max(1);
    let limit = equal.max(own.bytes() / BUDGET_DIVISOR);
    let room = budget.bytes.saturating_sub(own.host());
    match limit.min(room) / MIB {
        ..MIN_LIMIT_MIB => 0,
        limit => limit.min(ENGINE_LIMIT_MIB),
    }
}

/// Returns the bytes of a configured limit. Without a limit llama-server keeps as many tokens as its context has
/// (b11434, tools/server/server-task.cpp, `server_prompt_cache::update`).
fn counted_bytes(limit: i64, context: u64) -> u64 {
    match u64::try_from(limit) {
        Ok(limit) => limit.saturating_mul(MIB),
        Err(_) => context,
    }
}

/// Returns the limit that the configuration gives the child. Arguments override the environment, and the last one
/// wins.
fn configured_limit(command: &config::Command) -> Option<i64> {
    let mut pairs = command.args.windows(2).rev();
    let argument = pairs.find_map(|pair| {
        let [flag, value] = pair else { return None };
        is_flag(flag).then(|| value.to_str()?.parse().ok())
    });
    argument.unwrap_or_else(|| command.env.get(FLAG_VARIABLE)?.trim().parse().ok())
}

fn serves_embeddings(command: &config::Command) -> bool {
    let args = command.args.iter().map(|arg| arg.to_string_lossy());
    let options = MemoryOptions::default().with_args(&args.collect::<Vec<_>>());
    options.embeddings
}

fn has_flag(command: &config::Command) -> bool {
    command.args.iter().any(is_flag) || command.env.contains_key(FLAG_VARIABLE)
}

fn is_flag(arg: &OsString) -> bool {
    let flag = arg.to_str().map(normalize_flag);
    flag.is_some_and(|flag| flag == FLAG || flag == SHORT_FLAG)
}

#[cfg(test)]
mod tests {
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
}
