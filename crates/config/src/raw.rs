//! Reads every key of the configuration as written, with its source span. Defaults, required keys and checks between
//! keys follow in `resolve.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use paddock_models::ModelSource;
use toml::de::DeTable;

use super::api_key::KeyHash;
use super::key_reader::{Section, Sourced};
use super::problem_report::ProblemReport;
use super::suggestions::did_you_mean;
use super::{
    AllowedOrigin, Expiry, GpuLayers, HostName, HttpUrl, KeepAlive, Listen, Ram, SandboxMode, Vram,
    event_receiver, expiry, log_filter, otlp, sandbox, units,
};

// Documented keys that this version does not support.
const UNSUPPORTED_TABLES: &[&str] = &["tls"];
const UNSUPPORTED_API_KEY_KEYS: &[&str] = &["priority", "weight"];
const UNSUPPORTED_MODEL_KEYS: &[&str] = &["kind"];

const EXPECTED_SOURCE: &str = "a source such as \"hf:USER/REPO:QUANT\"";
const EXPECTED_SIZE: &str = "a size such as \"100MiB\"";

/// A list; each item has its own source span.
pub(super) type List<T> = Sourced<Vec<Sourced<T>>>;
/// Environment variables by name.
pub(super) type Env = BTreeMap<String, Sourced<String>>;

/// All keys of a file; `None` for a key that is absent or invalid.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) engine: RawEngine,
    pub(super) memory: RawMemory,
    pub(super) scheduler: RawScheduler,
    pub(super) context_cache: RawContextCache,
    pub(super) discover_dirs: Option<List<PathBuf>>,
    pub(super) defaults: RawModel,
    pub(super) models: Vec<(Sourced<String>, RawModel)>,
    pub(super) api_keys: Vec<(Sourced<String>, RawApiKey)>,
    pub(super) log: Option<Sourced<String>>,
    /// Inner `None`: requests are not kept.
    pub(super) activity_retention: Option<Sourced<Option<Duration>>>,
    /// Inner `None`: the text is empty.
    pub(super) otlp: Option<Sourced<Option<HttpUrl>>>,
    pub(super) events_url: Option<Sourced<Option<HttpUrl>>>,
    pub(super) events_token_file: Option<Sourced<PathBuf>>,
}

/// The keys of `[server]`.
#[derive(Debug, Default)]
pub(super) struct RawServer {
    pub(super) listen: Option<List<Listen>>,
    pub(super) admin: Option<List<Listen>>,
    pub(super) allow_public: Option<Sourced<bool>>,
    pub(super) body_limit: Option<Sourced<u64>>,
    pub(super) max_connections: Option<Sourced<u32>>,
    pub(super) max_connections_per_address: Option<Sourced<u32>>,
    pub(super) drain_timeout: Option<Sourced<Duration>>,
    pub(super) runtime_dir: Option<Sourced<PathBuf>>,
    pub(super) state_dir: Option<Sourced<PathBuf>>,
    pub(super) default_model: Option<Sourced<String>>,
    pub(super) allowed_origins: Option<List<AllowedOrigin>>,
    pub(super) admin_hosts: Option<List<HostName>>,
}

#[derive(Debug, Default)]
pub(super) struct RawEngine {
    pub(super) command: Option<Sourced<String>>,
    pub(super) args: Option<List<String>>,
    pub(super) env: Option<Env>,
    pub(super) sandbox: Option<Sourced<SandboxMode>>,
}

#[derive(Debug, Default)]
pub(super) struct RawMemory {
    pub(super) ram: Option<Sourced<Ram>>,
    pub(super) vram: Option<Sourced<Vram>>,
    pub(super) reserve: Option<Sourced<u64>>,
}

#[derive(Debug, Default)]
pub(super) struct RawScheduler {
    pub(super) max_loaded: Option<Sourced<u32>>,
    pub(super) queue_limit: Option<Sourced<u32>>,
    pub(super) queue_timeout: Option<Sourced<Duration>>,
    pub(super) max_wait: Option<Sourced<Duration>>,
    pub(super) min_residency: Option<Sourced<Duration>>,
}

/// The keys of `[context_cache]`.
#[derive(Debug, Default)]
pub(super) struct RawContextCache {
    pub(super) dir: Option<Sourced<PathBuf>>,
    pub(super) quota: Option<Sourced<u64>>,
    pub(super) max_age: Option<Sourced<Duration>>,
    pub(super) sliding_windows: Option<Sourced<bool>>,
    pub(super) encryption_key_file: Option<Sourced<PathBuf>>,
}

#[derive(Debug, Default)]
pub(super) struct RawModel {
    pub(super) path: Option<Sourced<PathBuf>>,
    pub(super) source: Option<Sourced<ModelSource>>,
    /// The key is written, though perhaps invalid.
    pub(super) source_written: bool,
    pub(super) aliases: Option<List<String>>,
    pub(super) mmproj: Option<Sourced<PathBuf>>,
    pub(super) draft: Option<Sourced<PathBuf>>,
    pub(super) context: Option<Sourced<u32>>,
    pub(super) parallel: Option<Sourced<u32>>,
    pub(super) gpu_layers: Option<Sourced<GpuLayers>>,
    pub(super) args: Option<List<String>>,
    pub(super) env: Option<Env>,
    pub(super) keep_alive: Option<Sourced<KeepAlive>>,
    pub(super) pinned: Option<Sourced<bool>>,
    pub(super) preload: Option<Sourced<bool>>,
    /// Outer `None`: the key is missing. Inner `None`: the memory is to be predicted.
    pub(super) memory: Option<Sourced<Option<u64>>>,
    pub(super) max_in_flight: Option<Sourced<u32>>,
    pub(super) startup_timeout: Option<Sourced<Duration>>,
    pub(super) first_byte_timeout: Option<Sourced<Duration>>,
    pub(super) stream_idle_timeout: Option<Sourced<Duration>>,
    pub(super) loading_heartbeat: Option<Sourced<bool>>,
    pub(super) context_cache: Option<Sourced<bool>>,
}

/// `[auth.keys.NAME]`.
#[derive(Debug, Default)]
pub(super) struct RawApiKey {
    pub(super) hash: Option<Sourced<KeyHash>>,
    /// The key `hash` is written, perhaps invalid.
    pub(super) hash_written: bool,
    pub(super) allow: Option<List<String>>,
    pub(super) models: Option<List<String>>,
    /// Inner `None`: the key never expires.
    pub(super) expires: Option<Sourced<Option<Expiry>>>,
    pub(super) max_concurrent: Option<Sourced<u32>>,
    pub(super) requests_per_minute: Option<Sourced<u32>>,
    pub(super) tokens_per_minute: Option<Sourced<u32>>,
}

/// Reads a whole file; reports invalid values and omits them.
pub(super) fn read<'a>(report: &'a ProblemReport<'a>, table: &'a DeTable<'a>) -> Raw {
    let mut root = Section::root(report, table);
    let mut discover = root.table("discover");
    let mut telemetry = root.table("telemetry");
    let models = root.table("models");
    let mut auth = root.table("auth");
    let keys = auth.table("keys");
    let raw = Raw {
        server: read_server(root.table("server")),
        engine: read_engine(root.table("engine")),
        memory: read_memory(root.table("memory")),
        scheduler: read_scheduler(root.table("scheduler")),
        context_cache: read_context_cache(root.table("context_cache")),
        discover_dirs: discover.list("dirs", |text| Ok(text.into())),
        defaults: read_model(root.table("defaults"), false),
        models: models
            .tables()
            .into_iter()
            .map(|(name, section)| (name, read_model(section, true)))
            .collect(),
        api_keys: keys
            .tables()
            .into_iter()
            .map(|(name, section)| (name, read_key(section)))
            .collect(),
        log: telemetry.parse("log", "a string", log_filter::check),
        activity_retention: read_retention(&mut telemetry),
        otlp: telemetry.parse("otlp_endpoint", otlp::EXPECTED, otlp::parse),
        events_url: telemetry.parse(
            "events_url",
            event_receiver::EXPECTED,
            event_receiver::parse,
        ),
        events_token_file: telemetry.path("events_token_file"),
    };
    discover.finish(&[]);
    auth.finish(&[]);
    telemetry.finish(&[]);
    root.finish(UNSUPPORTED_TABLES);
    raw
}

/// Reads the retention of requests; `"off"` and a zero duration disable it.
fn read_retention(section: &mut Section<'_>) -> Option<Sourced<Option<Duration>>> {
    let expected = "a duration such as \"30d\" or \"off\"";
    section.parse("activity_retention", expected, |text| match text {
        "off" => Ok(None),
        other => units::parse_duration(other)
            .map(|age| Some(age).filter(|age| !age.is_zero()))
            .map_err(|message| format!("{message}; or write \"off\"")),
    })
}

fn read_server(mut section: Section<'_>) -> RawServer {
    let listen = |text: &str| text.parse::<Listen>().map_err(|error| error.to_string());
    let server = RawServer {
        listen: section.list("listen", listen),
        admin: section.list("admin", listen),
        allow_public: section.boolean("allow_public"),
        body_limit: section.parse("body_limit", EXPECTED_SIZE, parse_nonzero_size),
        max_connections: section.number("max_connections", 0),
        max_connections_per_address: section.number("max_connections_per_address", 0),
        drain_timeout: read_duration(&mut section, "drain_timeout", Duration::ZERO),
        runtime_dir: section.path("runtime_dir"),
        state_dir: section.path("state_dir"),
        default_model: section.string("default_model"),
        allowed_origins: section.list("allowed_origins", str::parse),
        admin_hosts: section.list("admin_hosts", str::parse),
    };
    section.finish(&[]);
    server
}

fn read_memory(mut section: Section<'_>) -> RawMemory {
    let ram = |text: &str| match text {
        "auto" => Ok(Ram::Auto),
        size => parse_nonzero_size(size)
            .map(Ram::Bytes)
            .map_err(suggest_auto),
    };
    let memory = RawMemory {
        ram: section.parse("ram", "\"auto\" or a size such as \"24GiB\"", ram),
        vram: read_vram(&mut section),
        reserve: section.parse("reserve", EXPECTED_SIZE, units::parse_size),
    };
    section.finish(&[]);
    memory
}

/// Reads `"auto"` or a table of sizes.
fn read_vram(section: &mut Section<'_>) -> Option<Sourced<Vram>> {
    if !section.is_table("vram") {
        let expected = "\"auto\" or a table such as { CUDA0 = \"20GiB\" }";
        return section.parse("vram", expected, |text| match text {
            "auto" => Ok(Vram::Auto),
            other => Err(format!("expected {expected}, found `{other}`")),
        });
    }
    let devices = section.values("vram", EXPECTED_SIZE, units::parse_size)?;
    Some(devices.with_value(Vram::Devices(devices.value.clone())))
}

fn read_scheduler(mut section: Section<'_>) -> RawScheduler {
    let scheduler = RawScheduler {
        max_loaded: section.number("max_loaded", 0),
        queue_limit: section.number("queue_limit", 0),
        queue_timeout: read_duration(&mut section, "queue_timeout", Duration::ZERO),
        max_wait: read_duration(&mut section, "max_wait", Duration::ZERO),
        min_residency: read_duration(&mut section, "min_residency", Duration::ZERO),
    };
    section.finish(&[]);
    scheduler
}

fn read_context_cache(mut section: Section<'_>) -> RawContextCache {
    let cache = RawContextCache {
        dir: section.path("dir"),
        quota: section.parse("quota", EXPECTED_SIZE, units::parse_size),
        max_age: read_duration(&mut section, "max_age", Duration::from_millis(1)),
        sliding_windows: section.boolean("sliding_windows"),
        encryption_key_file: section.path("encryption_key_file"),
    };
    section.finish(&[]);
    cache
}

fn read_engine(mut section: Section<'_>) -> RawEngine {
    let engine = RawEngine {
        command: section.string("command"),
        args: section.list("args", |text| Ok(text.to_owned())),
        env: section.map("env"),
        sandbox: section.parse("sandbox", sandbox::EXPECTED, sandbox::parse),
    };
    section.finish(&[]);
    engine
}

/// Reads `[models.NAME]`, or `[defaults]`, which lacks the keys that identify a model.
fn read_model(mut section: Section<'_>, named: bool) -> RawModel {
    let layers = |text: &str| match text {
        "auto" => Ok(GpuLayers::Auto),
        "all" => Ok(GpuLayers::All),
        other => Err(format!(
            "expected \"auto\", \"all\" or a number, found `{other}`{}",
            did_you_mean(other, &["auto", "all"])
        )),
    };
    let keep_alive = |text: &str| match text {
        "forever" => Ok(KeepAlive::Forever),
        other => units::parse_duration(other)
            .map(KeepAlive::For)
            .map_err(|message| match did_you_mean(other, &["forever"]) {
                meant if meant.is_empty() => suggest_word(message, "forever"),
                meant => message + &meant,
            }),
    };
    let memory = |text: &str| match text {
        "" => Ok(None),
        size => parse_nonzero_size(size).map(Some),
    };
    let limit = Duration::from_millis(1);
    let mut model = RawModel {
        mmproj: section.path("mmproj"),
        draft: section.path("draft"),
        context: section.number("context", 0),
        parallel: section.number("parallel", 1),
        gpu_layers: section.number_or("gpu_layers", "\"auto\", \"all\" or a number", layers),
        args: section.list("args", |text| Ok(text.to_owned())),
        env: section.map("env"),
        keep_alive: section.parse(
            "keep_alive",
            "a duration such as \"10m\" or \"forever\"",
            keep_alive,
        ),
        pinned: section.boolean("pinned"),
        preload: section.boolean("preload"),
        memory: section.parse("memory", EXPECTED_SIZE, memory),
        max_in_flight: section.number("max_in_flight", 0),
        startup_timeout: read_duration(&mut section, "startup_timeout", limit),
        first_byte_timeout: read_duration(&mut section, "first_byte_timeout", limit),
        stream_idle_timeout: read_duration(&mut section, "stream_idle_timeout", limit),
        loading_heartbeat: section.boolean("loading_heartbeat"),
        context_cache: section.boolean("context_cache"),
        ..RawModel::default()
    };
    if named {
        model.path = section.path("path");
        model.source_written = section.has("source");
        model.source = section.parse("source", EXPECTED_SOURCE, parse_source);
        model.aliases = section.list("aliases", |text| Ok(text.to_owned()));
    }
    section.finish(UNSUPPORTED_MODEL_KEYS);
    model
}

fn read_key(mut section: Section<'_>) -> RawApiKey {
    let key = RawApiKey {
        hash_written: section.has("hash"),
        hash: section.secret("hash", KeyHash::EXPECTED, KeyHash::parse),
        allow: section.list("allow", |text| Ok(text.to_owned())),
        models: section.list("models", |text| Ok(text.to_owned())),
        expires: section.moment("expires", expiry::EXPECTED, expiry::parse),
        max_concurrent: section.number("max_concurrent", 0),
        requests_per_minute: section.number("requests_per_minute", 0),
        tokens_per_minute: section.number("tokens_per_minute", 0),
    };
    section.finish(UNSUPPORTED_API_KEY_KEYS);
    key
}

fn read_duration(
    section: &mut Section<'_>,
    key: &'static str,
    least: Duration,
) -> Option<Sourced<Duration>> {
    section.parse(key, "a duration such as \"30s\"", |text| {
        let duration = units::parse_duration(text)?;
        if duration < least {
            Err("must be longer than 0".to_owned())
        } else {
            Ok(duration)
        }
    })
}

fn parse_source(text: &str) -> Result<ModelSource, String> {
    let parsed = text.parse::<ModelSource>();
    parsed.map_err(|error| format!("{error}; {}", error.help()))
}

/// Reads a size of at least one byte.
fn parse_nonzero_size(text: &str) -> Result<u64, String> {
    match units::parse_size(text)? {
        0 => Err("must be at least 1B".to_owned()),
        bytes => Ok(bytes),
    }
}

fn suggest_auto(message: String) -> String {
    suggest_word(message, "auto")
}

/// Adds an accepted word to a message, unless the message already suggests one.
fn suggest_word(message: String, word: &str) -> String {
    if message.ends_with('?') {
        return message;
    }
    format!("{message}; or write \"{word}\"")
}
