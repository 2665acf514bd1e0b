//! The keys of a model.

use super::super::{ConfigKey, ExampleValue, ValueType};
use super::key;

pub(super) const MODEL: &[ConfigKey] = &[
    key(
        "context",
        ValueType::Number(0),
        "0",
        "context size in tokens; 0: the context size that the model was trained with, or less if memory is short",
    ),
    key(
        "parallel",
        ValueType::Number(1),
        "1",
        "number of slots: requests processed at once",
    ),
    key(
        "gpu_layers",
        ValueType::WordsOrNumber(&["auto", "all"]),
        r#""auto""#,
        r#""auto", "all" or a number"#,
    ),
    key(
        "mmproj",
        ValueType::Text,
        r#""""#,
        "projector file, for images and audio",
    ),
    key(
        "draft",
        ValueType::Text,
        r#""""#,
        "draft model file, for speculative decoding",
    ),
    key(
        "args",
        ValueType::Texts,
        "[]",
        "additional arguments for llama-server; flags that have their own configuration key are rejected",
    ),
    key(
        "env",
        ValueType::Variables,
        "{}",
        "variables to add to the child's environment; they override engine.env",
    ),
    key(
        "keep_alive",
        ValueType::DurationOr("forever"),
        r#""10m""#,
        r#"idle time before the model is unloaded; "0s": immediately; "forever": unload it only to make room"#,
    ),
    key(
        "pinned",
        ValueType::Switch,
        "false",
        "true: once loaded, never evicted and never unloaded when idle",
    ),
    ConfigKey {
        name: "preload",
        kind: ValueType::Switch,
        value: ExampleValue::Other("true"),
        comment: "load the model at start; default: only if no other model is configured",
    },
    key(
        "memory",
        ValueType::SizeOr(""),
        r#""""#,
        r#"a size such as "6GiB" that replaces the predicted memory use; any prompt cache is added to it"#,
    ),
    key(
        "max_in_flight",
        ValueType::Number(0),
        "0",
        "maximum number of requests sent to llama-server at once; 0: chosen automatically",
    ),
    key(
        "startup_timeout",
        ValueType::Duration,
        r#""2m""#,
        "maximum time without progress during a load",
    ),
    key(
        "first_byte_timeout",
        ValueType::Duration,
        r#""10m""#,
        "maximum time until the first byte of an answer",
    ),
    key(
        "stream_idle_timeout",
        ValueType::Duration,
        r#""5m""#,
        "maximum pause between two chunks of an answer",
    ),
    key(
        "loading_heartbeat",
        ValueType::Switch,
        "false",
        "true: send streaming clients a comment every 10 s while they wait; errors then arrive as \
         events, after status 200",
    ),
    key(
        "context_cache",
        ValueType::Switch,
        "true",
        "false: forget the model's conversations when it is unloaded, so that their prompts are read again",
    ),
];

pub(super) const NAMED: &[ConfigKey] = &[
    ConfigKey {
        name: "path",
        kind: ValueType::Text,
        value: ExampleValue::OneOf {
            value: r#""model.gguf""#,
            is_shown: true,
        },
        comment: "`path` or `source` is required; relative to this file; for split files, the first part",
    },
    ConfigKey {
        name: "source",
        kind: ValueType::Text,
        value: ExampleValue::OneOf {
            value: r#""hf:USER/REPO:QUANT""#,
            is_shown: false,
        },
        comment: "instead of `path`: repository or URL from which `paddock pull` downloads the model",
    },
    key(
        "aliases",
        ValueType::Texts,
        "[]",
        "other names for the model",
    ),
];
