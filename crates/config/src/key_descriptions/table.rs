//! The list of all configuration keys: name, type, default and comment. The source of docs/paddock.schema.json.

mod model_keys;

use super::{ConfigKey, ConfigTable, ExampleValue, ValueType};
use model_keys::{MODEL, NAMED};

pub(super) const TABLES: &[ConfigTable] = &[
    table("server", "Addresses and limits of the server.", SERVER, &[]),
    table("engine", "The program that runs the models.", ENGINE, &[]),
    table(
        "memory",
        "Memory limits for all models together. Sizes have a unit: B, KiB, MiB, GiB, TiB, kB, MB or GB.",
        MEMORY,
        &[],
    ),
    table(
        "scheduler",
        "Queueing and eviction. Durations have a unit: ms, s, m, h or d.",
        SCHEDULER,
        &[],
    ),
    table(
        "context_cache",
        "Conversations that are kept when their model is unloaded.",
        CONTEXT_CACHE,
        &[],
    ),
    table(
        "discover",
        "Directories that are searched for models.",
        DISCOVER,
        &[],
    ),
    table(
        "telemetry",
        "Logs, metrics, traces and events.",
        TELEMETRY,
        &[],
    ),
    table(
        "defaults",
        "Defaults for every model. Each of these keys can also be set under [models.NAME], which overrides the \
         default.",
        MODEL,
        &[],
    ),
    table(
        "models.NAME",
        "A model; clients request it as NAME. One section per model.",
        NAMED,
        MODEL,
    ),
    ConfigTable {
        commented: true,
        ..table(
            "auth.keys.NAME",
            "An API key. If any key is configured, clients must send one. `paddock key new NAME` creates a key.",
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
        "addresses for clients: HOST:PORT, localhost:PORT (IPv4 and IPv6) or unix:PATH",
    ),
    key(
        "admin",
        ValueType::Addresses,
        r#"["127.0.0.1:8081"]"#,
        "addresses for operators (dashboard, metrics, admin API); []: none",
    ),
    key(
        "allow_public",
        ValueType::Switch,
        "false",
        "true: allow listening on all network interfaces, such as 0.0.0.0:8080",
    ),
    key(
        "body_limit",
        ValueType::Size,
        r#""100MiB""#,
        "maximum size of a request; larger ones get 413",
    ),
    key(
        "max_connections",
        ValueType::Number(0),
        "0",
        "maximum number of client connections; 0: as many as the limit on open files allows",
    ),
    key(
        "max_connections_per_address",
        ValueType::Number(0),
        "0",
        "maximum number of connections per client address, except loopback; 0: unlimited, as needed behind a \
         reverse proxy",
    ),
    key(
        "drain_timeout",
        ValueType::Duration,
        r#""30s""#,
        "on stop: how long requests in flight may take to finish",
    ),
    key(
        "runtime_dir",
        ValueType::Text,
        r#""""#,
        r#"directory of the children's sockets; "": in $XDG_RUNTIME_DIR or the temporary directory"#,
    ),
    key(
        "state_dir",
        ValueType::Text,
        r#""""#,
        r#"directory of persistent state; "": $XDG_STATE_HOME/paddock or ~/.local/state/paddock"#,
    ),
    key(
        "default_model",
        ValueType::Text,
        r#""""#,
        "model or alias for requests that name no model",
    ),
    ConfigKey {
        name: "allowed_origins",
        kind: ValueType::Texts,
        value: ExampleValue::Other(r#"["https://notes.example"]"#),
        comment: r#"origins of web pages that may use models, or ["*"]; default: this machine's pages, or all pages if API keys are configured"#,
    },
    key(
        "admin_hosts",
        ValueType::Texts,
        "[]",
        "host names accepted at the admin address, in addition to its addresses and localhost",
    ),
];

const ENGINE: &[ConfigKey] = &[
    key(
        "command",
        ValueType::Text,
        r#""llama-server""#,
        "a path, or a program name on the PATH; the default finds the engine of `paddock engine` first",
    ),
    key("args", ValueType::Texts, "[]", "arguments for every model"),
    key(
        "env",
        ValueType::Variables,
        "{}",
        "variables to add to the child's environment, which otherwise contains only allow-listed variables",
    ),
    key(
        "sandbox",
        ValueType::Words(&["auto", "on", "off"]),
        r#""auto""#,
        r#""auto": the parts that the kernel supports; "on": fail if a part is missing; "off""#,
    ),
];

const MEMORY: &[ConfigKey] = &[
    key(
        "ram",
        ValueType::SizeOr("auto"),
        r#""auto""#,
        r#""auto" or a size such as "24GiB"; a cgroup's memory limit also applies"#,
    ),
    key(
        "vram",
        ValueType::Devices,
        r#""auto""#,
        r#""auto" or { CUDA0 = "20GiB" }, with device names from `llama-server --list-devices`"#,
    ),
    key(
        "reserve",
        ValueType::Size,
        r#""1GiB""#,
        "memory to leave free, in RAM and on each device",
    ),
];

const SCHEDULER: &[ConfigKey] = &[
    key(
        "max_loaded",
        ValueType::Number(0),
        "0",
        "maximum number of models in memory; 0: limited only by memory",
    ),
    key(
        "queue_limit",
        ValueType::Number(0),
        "256",
        "maximum number of queued requests per model; further ones get 429",
    ),
    key(
        "queue_timeout",
        ValueType::Duration,
        r#""5m""#,
        "maximum time in the queue; requests that wait longer get 503",
    ),
    key(
        "max_wait",
        ValueType::Duration,
        r#""30s""#,
        "how long a request waits for memory before even a busy model is evicted to make room",
    ),
    key(
        "min_residency",
        ValueType::Duration,
        r#""5s""#,
        "minimum time that a model stays loaded before it may be evicted",
    ),
];

const CONTEXT_CACHE: &[ConfigKey] = &[
    key(
        "dir",
        ValueType::Text,
        r#""""#,
        r#"directory of saved conversations, which no other user may access; "": contexts in server.state_dir"#,
    ),
    key(
        "quota",
        ValueType::Size,
        r#""8GiB""#,
        r#"maximum size of all saved conversations; "0B": save none"#,
    ),
    key(
        "max_age",
        ValueType::Duration,
        r#""30d""#,
        "how long to keep a saved conversation that is not used",
    ),
    key(
        "sliding_windows",
        ValueType::Switch,
        "true",
        "false: save no conversations of models with a sliding window, whose files paddock completes itself",
    ),
    key(
        "encryption_key_file",
        ValueType::Text,
        r#""""#,
        r#"file with a key of 32 bytes or 64 hexadecimal digits that encrypts saved conversations; "": not encrypted"#,
    ),
];

const DISCOVER: &[ConfigKey] = &[key(
    "dirs",
    ValueType::Texts,
    "[]",
    "every *.gguf file below these directories is served as a model named after the file",
)];

const TELEMETRY: &[ConfigKey] = &[
    key(
        "log",
        ValueType::Text,
        r#""info""#,
        "a level, or comma-separated TARGET=LEVEL pairs; the log is text on a terminal, JSON otherwise",
    ),
    key(
        "activity_retention",
        ValueType::DurationOr("off"),
        r#""30d""#,
        r#"how long to keep records of finished requests (without content) on disk; "off": in memory only"#,
    ),
    key(
        "otlp_endpoint",
        ValueType::Text,
        r#""""#,
        r#"OTLP endpoint for traces and metrics, http or https, such as "http://127.0.0.1:4318"; "": disabled"#,
    ),
    key(
        "events_url",
        ValueType::Text,
        r#""""#,
        r#"URL that receives request and model events, such as "https://collector/paddock"; "": disabled"#,
    ),
    key(
        "events_token_file",
        ValueType::Text,
        r#""""#,
        "file with the bearer token for events_url",
    ),
];

const API_KEY: &[ConfigKey] = &[
    ConfigKey {
        name: "hash",
        kind: ValueType::Hash,
        value: ExampleValue::Required(
            r#""sha256:0000000000000000000000000000000000000000000000000000000000000000""#,
        ),
        comment: "required; the secret itself is not stored",
    },
    key(
        "allow",
        ValueType::SomeWords(&["inference", "control", "metrics", "admin"]),
        r#"["inference"]"#,
        r#""inference": models; "control": llama-server's settings, slots and tools; "metrics": /metrics; "admin": everything at the admin address"#,
    ),
    key(
        "models",
        ValueType::Texts,
        r#"["*"]"#,
        r#"names or aliases of the models that the key may use; "*": all"#,
    ),
    key(
        "expires",
        ValueType::Moment,
        r#""""#,
        r#"expiry: "2027-06-30" (00:00 UTC) or "2027-06-30T18:00:00+02:00"; "": never"#,
    ),
    key(
        "max_concurrent",
        ValueType::Number(0),
        "0",
        "maximum number of requests in flight; further ones get 429; 0: unlimited",
    ),
    key(
        "requests_per_minute",
        ValueType::Number(0),
        "0",
        "maximum number of requests per minute; further ones get 429; 0: unlimited",
    ),
    key(
        "tokens_per_minute",
        ValueType::Number(0),
        "0",
        "maximum number of prompt and answer tokens per minute; further requests get 429; 0: unlimited",
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
