//! Decides for which models contexts are kept.

use std::ffi::OsString;
use std::fmt;

use paddock_config::{Config, Mode, Model, normalize_flag};

use crate::engine_probe::Engine;
use crate::inspection::PromptCache;

/// Reasons not to keep the contexts of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsupported {
    /// `context_cache` is false for the model.
    TurnedOff,
    /// The quota of the store is 0.
    NoQuota,
    /// A flag of the model is incompatible with saved contexts.
    Flag(&'static str),
    /// A variable of the child's environment has the effect of such a flag.
    Variable(&'static str),
    /// The model has a projector for images or audio.
    Projector,
    /// The model has a draft model, whose state is not saved.
    Draft,
    /// The model serves embeddings or reranking, so there are no conversations.
    Embeddings,
    /// A wrapped command sets its own flags.
    Wrapped,
    /// The store cannot be used; the reason was logged.
    NoStore,
    /// Children have crashed with restored contexts.
    Crashes,
    /// A child continued a restored context differently from the child that saved it.
    Differs,
    /// The engine does not know `--slot-save-path`.
    Engine,
    /// The model's files were not inspected, so its contexts have no identity.
    NotInspected,
}

/// Flags with which contexts are not kept.
const EXCLUDING_FLAGS: [&str; 12] = [
    // The operator manages saved slots.
    "--slot-save-path",
    // paddock cannot list the slots without this route.
    "--no-slots",
    // The child would not use a restored context.
    "--no-cache-prompt",
    // A slot file does not record the adapters with which it was computed.
    "--lora",
    "--lora-scaled",
    "--lora-init-without-apply",
    "--control-vector",
    "--control-vector-scaled",
    // The state of speculative decoding is not saved.
    "--spec-type",
    // The engine would rely on window cells that are not in the file, and answer wrongly.
    "--swa-full",
    // paddock's own requests have no API key, so the child would refuse them.
    "--api-key",
    "--api-key-file",
];

/// Variables with which contexts are not kept, whatever their value: equivalents of an excluding flag or setting
/// (llama.cpp b11434, common/arg.cpp), and `AIP_MODE`, which gives clients another path to the slot routes
/// (tools/server/server.cpp).
const EXCLUDING_VARIABLES: [&str; 9] = [
    "AIP_MODE",
    "LLAMA_API_KEY",
    "LLAMA_ARG_CACHE_PROMPT",
    "LLAMA_ARG_ENDPOINT_SLOTS",
    "LLAMA_ARG_MMPROJ",
    "LLAMA_ARG_MMPROJ_URL",
    "LLAMA_ARG_SPEC_DRAFT_MODEL",
    "LLAMA_ARG_SPEC_TYPE",
    "LLAMA_ARG_SWA_FULL",
];

/// Returns an error if the contexts of a model cannot be kept.
pub(crate) fn check_support(
    config: &Config,
    model: &Model,
    engine: &Engine,
    prompt_cache: PromptCache,
) -> Result<(), Unsupported> {
    if config.mode != Mode::Serve {
        return Err(Unsupported::Wrapped);
    }
    if !model.context_cache {
        return Err(Unsupported::TurnedOff);
    }
    if config.context_cache.quota == 0 {
        return Err(Unsupported::NoQuota);
    }
    if prompt_cache.is_unused() {
        return Err(Unsupported::Embeddings);
    }
    if model.mmproj.is_some() {
        return Err(Unsupported::Projector);
    }
    if model.draft.is_some() {
        return Err(Unsupported::Draft);
    }
    if !engine.supports_slot_save {
        return Err(Unsupported::Engine);
    }
    let command = config.command(model);
    check_args(&command.args)?;
    match EXCLUDING_VARIABLES
        .iter()
        .find(|name| command.env.contains_key(**name))
    {
        Some(name) => Err(Unsupported::Variable(name)),
        None => Ok(()),
    }
}

fn check_args(args: &[OsString]) -> Result<(), Unsupported> {
    for arg in args.iter().filter_map(|arg| arg.to_str()) {
        let flag = arg.split_once('=').map_or(arg, |(flag, _)| flag);
        let flag = normalize_flag(flag);
        if let Some(name) = EXCLUDING_FLAGS.iter().find(|known| **known == flag) {
            return Err(Unsupported::Flag(name));
        }
    }
    Ok(())
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TurnedOff => f.write_str("`context_cache` is false for the model"),
            Self::NoQuota => f.write_str("`quota` under [context_cache] is 0"),
            Self::Flag(flag) => write!(f, "the model's arguments contain `{flag}`"),
            Self::Variable(name) => write!(f, "the model's environment contains `{name}`"),
            Self::Projector => f.write_str("the model has a projector"),
            Self::Draft => f.write_str("the model has a draft model"),
            Self::Embeddings => f.write_str("the model serves embeddings or reranking"),
            Self::Wrapped => f.write_str("the wrapped command sets its own flags"),
            Self::Differs => f.write_str(
                "the server continued a restored context differently from the server that saved it; restarting paddock \
                 tries again",
            ),
            Self::Crashes => f.write_str(
                "the server crashed twice with restored contexts; restarting paddock tries again",
            ),
            Self::NoStore => f.write_str("the context store cannot be used; the log says why"),
            Self::NotInspected => f.write_str("the model's files could not be inspected"),
            Self::Engine => f.write_str("the engine does not know `--slot-save-path`"),
        }
    }
}

#[cfg(test)]
mod tests;
