//! The list of all configuration keys: name, type, default and comment. The source of docs/paddock.schema.json.

use super::{ConfigKey, ConfigTable, ExampleValue, ValueType};

pub(super) const TABLES: &[ConfigTable] = &[
    table(
        "server",
        "Where paddock listens, and its limits.",
        SERVER,
        &[],
    ),
    table("engine", "The program that runs the models.", ENGINE, &[]),
    table(
        "memory",
        "What models may take together. Sizes have a unit: B, KiB, MiB, GiB, TiB, kB, MB or GB.",
        MEMORY,
        &[],
    ),
    table(
        "scheduler",
        "Who waits, for how long, and when one model makes room for another. Durations: ms, s, m, h, d.",
        SCHEDULER,
        &[],
    ),
    table("discover", "Directories of models.", DISCOVER, &[]),
    table("telemetry", "What paddock says of itself.", TELEMETRY, &[]),
    table(
        "defaults",
        "What holds for every model. Each of these keys can stand under [models.NAME] too, and wins there.",
        MODEL,
        &[],
    ),
    table(
        "models.NAME",
        "A model; NAME is what clients send. One section for each.",
        NAMED,
        MODEL,
    ),
    ConfigTable {
        commented: true,
        ..table(
            "auth.keys.NAME",
            "An API key: where there is one, clients have to show one. `paddock key new NAME` makes it.",
            API_KEY,
            &[],
        )
    },
];

const SERVER: &[ConfigKey] = &[
    key(
        "listen",
        ValueType::Addresses,
        r#"["127.0.0.1:8080"]"#,
        "where clients connect: HOST:PORT, localhost:PORT (IPv4 and IPv6) or unix:PATH",
    ),
    key(
        "admin",
        ValueType::Addresses,
        r#"["127.0.0.1:8081"]"#,
        "where the operator connects: dashboard, metrics, control; [] for nowhere",
    ),
    key(
        "allow_public",
        ValueType::Switch,
        "false",
        "true allows addresses open to every network, such as 0.0.0.0:8080",
    ),
    key(
        "body_limit",
        ValueType::Size,
        r#""100MiB""#,
        "the largest request; 413 above it",
    ),
    key(
        "max_connections",
        ValueType::Number(0),
        "0",
        "clients' connections at once; 0: as many as the limit of open files has room for",
    ),
    key(
        "max_connections_per_address",
        ValueType::Number(0),
        "0",
        "the same for one client address, never of loopback; 0: any number, as reverse proxies need it",
    ),
    key(
        "drain_timeout",
        ValueType::Duration,
        r#""30s""#,
        "on stop: how long work in flight may go on",
    ),
    key(
        "runtime_dir",
        ValueType::Text,
        r#""""#,
        r#"where the children's sockets go; "": in $XDG_RUNTIME_DIR or the temporary directory"#,
    ),
    key(
        "state_dir",
        ValueType::Text,
        r#""""#,
        r#"what outlives paddock; "": $XDG_STATE_HOME/paddock or ~/.local/state/paddock"#,
    ),
    key(
        "default_model",
        ValueType::Text,
        r#""""#,
        "a model or an alias, for requests that name none",
    ),
    ConfigKey {
        name: "allowed_origins",
        kind: ValueType::Texts,
        value: ExampleValue::Other(r#"["https://notes.example"]"#),
        comment: r#"web pages that may use models, or ["*"]; without the key those of this machine, with API keys all"#,
    },
    key(
        "admin_hosts",
        ValueType::Texts,
        "[]",
        "host names that operators open the admin address under, besides its addresses and localhost",
    ),
];

const ENGINE: &[ConfigKey] = &[
    key(
        "command",
        ValueType::Text,
        r#""llama-server""#,
        "a name on the PATH, or a path",
    ),
    key("args", ValueType::Texts, "[]", "arguments for every model"),
    key(
        "env",
        ValueType::Variables,
        "{}",
        "added to the child's environment, which is otherwise an allow-list",
    ),
    key(
        "sandbox",
        ValueType::Words(&["auto", "on", "off"]),
        r#""auto""#,
        r#""auto": as much of it as the kernel has; "on": all of it or no start; "off""#,
    ),
];

const MEMORY: &[ConfigKey] = &[
    key(
        "ram",
        ValueType::SizeOr("auto"),
        r#""auto""#,
        r#"or a size such as "24GiB"; a cgroup's limit counts"#,
    ),
    key(
        "vram",
        ValueType::Devices,
        r#""auto""#,
        r#"or { CUDA0 = "20GiB" }, as `llama-server --list-devices` names devices"#,
    ),
    key(
        "reserve",
        ValueType::Size,
        r#""1GiB""#,
        "left free, of the RAM and of each device",
    ),
];

const SCHEDULER: &[ConfigKey] = &[
    key(
        "max_loaded",
        ValueType::Number(0),
        "0",
        "models in memory at once; 0: memory decides",
    ),
    key(
        "queue_limit",
        ValueType::Number(0),
        "256",
        "requests that wait, for each model; one more gets 429",
    ),
    key(
        "queue_timeout",
        ValueType::Duration,
        r#""5m""#,
        "how long a request waits; then 503",
    ),
    key(
        "max_wait",
        ValueType::Duration,
        r#""30s""#,
        "a request's wait for another model before one in memory must yield, busy or not",
    ),
    key(
        "min_residency",
        ValueType::Duration,
        r#""5s""#,
        "how long a model that was loaded stays before it yields",
    ),
];

const DISCOVER: &[ConfigKey] = &[key(
    "dirs",
    ValueType::Texts,
    "[]",
    "every *.gguf below is a model named after its file",
)];

const TELEMETRY: &[ConfigKey] = &[
    key(
        "log",
        ValueType::Text,
        r#""info""#,
        "a level, or TARGET=LEVEL pairs; text on a terminal, JSON otherwise",
    ),
    key(
        "activity_retention",
        ValueType::DurationOr("off"),
        r#""30d""#,
        r#"how long ended requests are kept on disk, without their content; "off": in memory only"#,
    ),
    key(
        "otlp_endpoint",
        ValueType::Text,
        r#""""#,
        r#"where traces and metrics go by OTLP, such as "http://127.0.0.1:4318", or by https; "": nowhere"#,
    ),
    key(
        "events_url",
        ValueType::Text,
        r#""""#,
        r#"where ended requests and models' lives are posted, such as "https://collector/paddock"; "": nowhere"#,
    ),
    key(
        "events_token_file",
        ValueType::Text,
        r#""""#,
        "a file with the bearer token that is shown there",
    ),
];

const MODEL: &[ConfigKey] = &[
    key(
        "context",
        ValueType::Number(0),
        "0",
        "tokens; 0: the model's own, as memory allows",
    ),
    key(
        "parallel",
        ValueType::Number(1),
        "1",
        "slots: how many requests are answered at once",
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
        "the projector's file, for images and sound",
    ),
    key(
        "draft",
        ValueType::Text,
        r#""""#,
        "the draft model's file, for speculative decoding",
    ),
    key(
        "args",
        ValueType::Texts,
        "[]",
        "passed on to llama-server; flags that have a key here are refused by name",
    ),
    key(
        "env",
        ValueType::Variables,
        "{}",
        "added to the child's environment; wins over the engine's",
    ),
    key(
        "keep_alive",
        ValueType::DurationOr("forever"),
        r#""10m""#,
        r#"idle time before it is unloaded; "0s": at once; "forever": only for another model"#,
    ),
    key(
        "pinned",
        ValueType::Switch,
        "false",
        "true: once loaded, never unloaded for another model, nor for being idle",
    ),
    ConfigKey {
        name: "preload",
        kind: ValueType::Switch,
        value: ExampleValue::Other("true"),
        comment: "load it at start; without the key only a model that is configured alone is",
    },
    key(
        "memory",
        ValueType::SizeOr(""),
        r#""""#,
        r#"a size, such as "6GiB", in the place of the prediction; a prompt cache is counted besides"#,
    ),
    key(
        "max_in_flight",
        ValueType::Number(0),
        "0",
        "requests with the child at once; 0: as many as it takes well",
    ),
    key(
        "startup_timeout",
        ValueType::Duration,
        r#""2m""#,
        "how long a load may take since its last sign of progress",
    ),
    key(
        "first_byte_timeout",
        ValueType::Duration,
        r#""10m""#,
        "how long the first byte of an answer may take",
    ),
    key(
        "stream_idle_timeout",
        ValueType::Duration,
        r#""5m""#,
        "how long may pass between two pieces of an answer",
    ),
    key(
        "loading_heartbeat",
        ValueType::Switch,
        "false",
        "true: comments every 10 s to streaming clients that wait for a load or a place; an error is then an event behind a 200",
    ),
];

const NAMED: &[ConfigKey] = &[
    ConfigKey {
        name: "path",
        kind: ValueType::Text,
        value: ExampleValue::Required(r#""model.gguf""#),
        comment: "required; relative to this file; split files by their first part",
    },
    key("aliases", ValueType::Texts, "[]", "other names for it"),
];

const API_KEY: &[ConfigKey] = &[
    ConfigKey {
        name: "hash",
        kind: ValueType::Hash,
        value: ExampleValue::Required(
            r#""sha256:0000000000000000000000000000000000000000000000000000000000000000""#,
        ),
        comment: "required; the secret itself is written nowhere",
    },
    key(
        "allow",
        ValueType::SomeWords(&["inference", "control", "metrics", "admin"]),
        r#"["inference"]"#,
        r#""inference": models; "control": their servers' settings, slots and tools; "metrics": /metrics; "admin": everything at the admin address"#,
    ),
    key(
        "models",
        ValueType::Texts,
        r#"["*"]"#,
        r#"the models it may use, by names or aliases; "*": all"#,
    ),
    key(
        "expires",
        ValueType::Moment,
        r#""""#,
        r#"when it ends: "2027-06-30" (00:00 UTC) or "2027-06-30T18:00:00+02:00"; "": never"#,
    ),
    key(
        "max_concurrent",
        ValueType::Number(0),
        "0",
        "requests under way at once; one more gets 429; 0: any number",
    ),
    key(
        "requests_per_minute",
        ValueType::Number(0),
        "0",
        "requests begun in a minute; one more gets 429; 0: any number",
    ),
    key(
        "tokens_per_minute",
        ValueType::Number(0),
        "0",
        "tokens of prompts and answers in a minute; once they are used up 429; 0: any number",
    ),
];

const fn table(
    name: &'static str,
    comment: &'static str,
    keys: &'static [ConfigKey],
    shared: &'static [ConfigKey],
) -> ConfigTable {
    ConfigTable {
        name,
        comment,
        keys,
        shared,
        commented: false,
    }
}

const fn key(
    name: &'static str,
    kind: ValueType,
    default: &'static str,
    comment: &'static str,
) -> ConfigKey {
    ConfigKey {
        name,
        kind,
        value: ExampleValue::Default(default),
        comment,
    }
}
