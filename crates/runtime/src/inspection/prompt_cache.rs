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
//! If no model uses a GPU, these caches take at most a quarter of the RAM budget together: an eighth in equal shares,
//! and an eighth of what the models take. A model's memory on GPUs counts for its share too, so models on GPUs can take
//! more; the scheduler counts each cache in the model's memory, so the budget is kept.

use crate::memory::ByteSize;
use crate::placement::PlacementInput;
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

/// The flag that limits the cache.
const FLAG: &str = "--cache-ram";

/// The flag's short name in the engine's help.
const SHORT_FLAG: &str = "-cram";

/// The environment variable with the same effect.
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

    /// Returns the prompt cache of a child that serves embeddings.
    #[cfg(test)]
    pub(crate) fn unused() -> Self {
        Self {
            counted: 0,
            limit: CacheLimit::Unused,
        }
    }

    /// Returns true if the child serves embeddings or reranking, which use no prompt cache.
    pub(crate) fn is_unused(self) -> bool {
        self.limit == CacheLimit::Unused
    }

    /// Describes the limit and its source, for `explain`.
    pub(crate) fn sentence(self, name: &str) -> String {
        let counted = ByteSize(self.counted);
        match self.limit {
            CacheLimit::Unknown => format!("{name} uses the engine's default prompt cache"),
            CacheLimit::Unused => {
                format!("{name} serves embeddings or reranking, which use no prompt cache")
            }
            CacheLimit::Paddock(0) => format!(
                "{name} has no prompt cache: its share of the RAM budget is less than {MIN_LIMIT_MIB} MiB \
                 (`{FLAG}` in its `args` sets another limit)"
            ),
            CacheLimit::Paddock(_) => format!(
                "{name} can use a prompt cache of {counted}, its share of the RAM budget, counted as part of its \
                 memory (`{FLAG}` in its `args` sets another limit)"
            ),
            CacheLimit::Configured(0) => {
                format!("{name} has no prompt cache, as configured (`{FLAG} 0`)")
            }
            CacheLimit::Configured(limit) => {
                let limit = match u64::try_from(limit) {
                    Ok(limit) => format!("of {}", ByteSize(limit.saturating_mul(MIB))),
                    Err(_) => "without a limit".to_owned(),
                };
                format!(
                    "{name} can use a prompt cache {limit}, as configured (`{FLAG}`); {counted} of it is counted in \
                     its memory"
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

/// Chooses the prompt cache of a model that needs `own` without one. `context` is the size of one whole context in
/// the model's cache of keys and values.
pub(super) fn choose_prompt_cache(
    input: &PlacementInput<'_>,
    command: &config::Command,
    own: &Memory,
    context: u64,
) -> PromptCache {
    if serves_embeddings(command) {
        return PromptCache {
            counted: 0,
            limit: CacheLimit::Unused,
        };
    }
    let room = input.budget.host().saturating_sub(own.host());
    if let Some(limit) = configured_limit(command) {
        return PromptCache {
            counted: counted_bytes(limit, context).min(room),
            limit: CacheLimit::Configured(limit),
        };
    }
    // Do not guess about a value that the child rejects or reads differently.
    if !input.engine.supports_cache_ram || has_flag(command) {
        return PromptCache::default();
    }
    let max_loaded = input.config.scheduler.max_loaded;
    let max_loaded = max_loaded.map_or(u32::MAX, NonZeroU32::get);
    let models = input.config.models.len() as u64;
    let budget = RamBudget {
        bytes: input.budget.host(),
        models: models.min(max_loaded.into()),
    };
    let limit = paddock_limit(budget, own);
    PromptCache {
        counted: limit * MIB,
        limit: CacheLimit::Paddock(limit),
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
mod tests;
