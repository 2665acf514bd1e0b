//! The configuration as it is written: each key read on its own, none required.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

use super::api_key::KeyHash;
use super::hint::did_you_mean;
use super::report::Report;
use super::section::{At, Section};
use super::{
    AllowedOrigin, Expiry, GpuLayers, HostName, HttpUrl, KeepAlive, Listen, Ram, SandboxMode, Vram,
    events, expiry, log_filter, otlp, sandbox, units,
};

/// Documented keys that this version does not carry out.
const LATER: &[&str] = &["tls", "context_cache"];
const LATER_KEY: &[&str] = &["priority", "weight"];
const LATER_MODEL: &[&str] = &["kind", "context_cache"];

const SIZE: &str = "a size such as \"100MiB\"";

pub(super) type List<T> = At<Vec<At<T>>>;
pub(super) type Env = BTreeMap<String, At<String>>;

#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) engine: RawEngine,
    pub(super) memory: RawMemory,
    pub(super) scheduler: RawScheduler,
    pub(super) discover_dirs: Option<List<PathBuf>>,
    pub(super) defaults: RawModel,
    pub(super) models: Vec<(At<String>, RawModel)>,
    pub(super) api_keys: Vec<(At<String>, RawKey)>,
    pub(super) log: Option<At<String>>,
    /// The inner `None`: nothing is kept.
    pub(super) activity_retention: Option<At<Option<Duration>>>,
    /// The inner `None`: an empty text.
    pub(super) otlp: Option<At<Option<HttpUrl>>>,
    pub(super) events_url: Option<At<Option<HttpUrl>>>,
    pub(super) events_token_file: Option<At<PathBuf>>,
}

#[derive(Debug, Default)]
pub(super) struct RawServer {
    pub(super) listen: Option<List<Listen>>,
    pub(super) admin: Option<List<Listen>>,
    pub(super) allow_public: Option<At<bool>>,
    pub(super) body_limit: Option<At<u64>>,
    pub(super) max_connections: Option<At<u32>>,
    pub(super) max_connections_per_address: Option<At<u32>>,
    pub(super) drain_timeout: Option<At<Duration>>,
    pub(super) runtime_dir: Option<At<PathBuf>>,
    pub(super) state_dir: Option<At<PathBuf>>,
    pub(super) default_model: Option<At<String>>,
    pub(super) allowed_origins: Option<List<AllowedOrigin>>,
    pub(super) admin_hosts: Option<List<HostName>>,
}

#[derive(Debug, Default)]
pub(super) struct RawEngine {
    pub(super) command: Option<At<String>>,
    pub(super) args: Option<List<String>>,
    pub(super) env: Option<Env>,
    pub(super) sandbox: Option<At<SandboxMode>>,
}

#[derive(Debug, Default)]
pub(super) struct RawMemory {
    pub(super) ram: Option<At<Ram>>,
    pub(super) vram: Option<At<Vram>>,
    pub(super) reserve: Option<At<u64>>,
}

#[derive(Debug, Default)]
pub(super) struct RawScheduler {
    pub(super) max_loaded: Option<At<u32>>,
    pub(super) queue_limit: Option<At<u32>>,
    pub(super) queue_timeout: Option<At<Duration>>,
    pub(super) max_wait: Option<At<Duration>>,
    pub(super) min_residency: Option<At<Duration>>,
}

#[derive(Debug, Default)]
pub(super) struct RawModel {
    pub(super) path: Option<At<PathBuf>>,
    pub(super) aliases: Option<List<String>>,
    pub(super) mmproj: Option<At<PathBuf>>,
    pub(super) draft: Option<At<PathBuf>>,
    pub(super) context: Option<At<u32>>,
    pub(super) parallel: Option<At<u32>>,
    pub(super) gpu_layers: Option<At<GpuLayers>>,
    pub(super) args: Option<List<String>>,
    pub(super) env: Option<Env>,
    pub(super) keep_alive: Option<At<KeepAlive>>,
    pub(super) pinned: Option<At<bool>>,
    pub(super) preload: Option<At<bool>>,
    /// The outer `None`: nothing is written. The inner: it is written that nothing is known.
    pub(super) memory: Option<At<Option<u64>>>,
    pub(super) max_in_flight: Option<At<u32>>,
    pub(super) startup_timeout: Option<At<Duration>>,
    pub(super) first_byte_timeout: Option<At<Duration>>,
    pub(super) stream_idle_timeout: Option<At<Duration>>,
    pub(super) loading_heartbeat: Option<At<bool>>,
}

/// `[auth.keys.NAME]`.
#[derive(Debug, Default)]
pub(super) struct RawKey {
    pub(super) hash: Option<At<KeyHash>>,
    /// There is something in its place, which may be none.
    pub(super) hash_written: bool,
    pub(super) allow: Option<List<String>>,
    pub(super) models: Option<List<String>>,
    /// The inner `None`: it is written that it never expires.
    pub(super) expires: Option<At<Option<Expiry>>>,
    pub(super) max_concurrent: Option<At<u32>>,
    pub(super) requests_per_minute: Option<At<u32>>,
    pub(super) tokens_per_minute: Option<At<u32>>,
}

/// Reads a whole file; what cannot be read is reported and left out.
pub(super) fn read<'a>(report: &'a Report<'a>, table: &'a DeTable<'a>) -> Raw {
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
        events_url: telemetry.parse("events_url", events::EXPECTED, events::parse),
        events_token_file: telemetry.path("events_token_file"),
    };
    discover.finish(&[]);
    auth.finish(&[]);
    telemetry.finish(&[]);
    root.finish(LATER);
    raw
}

/// Reads for how long requests are kept; `"off"` and no time at all both mean: not at all.
fn read_retention(section: &mut Section<'_>) -> Option<At<Option<Duration>>> {
    let expected = "a duration such as \"30d\" or \"off\"";
    section.parse("activity_retention", expected, |text| match text {
        "off" => Ok(None),
        other => units::duration(other)
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
        body_limit: section.parse("body_limit", SIZE, some_size),
        max_connections: section.number("max_connections", 0),
        max_connections_per_address: section.number("max_connections_per_address", 0),
        drain_timeout: duration(&mut section, "drain_timeout", Duration::ZERO),
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
        size => some_size(size).map(Ram::Bytes).map_err(or_auto),
    };
    let memory = RawMemory {
        ram: section.parse("ram", "\"auto\" or a size such as \"24GiB\"", ram),
        vram: read_vram(&mut section),
        reserve: section.parse("reserve", SIZE, units::size),
    };
    section.finish(&[]);
    memory
}

/// Reads `"auto"` or a table of sizes.
fn read_vram(section: &mut Section<'_>) -> Option<At<Vram>> {
    if !section.is_table("vram") {
        let expected = "\"auto\" or a table such as { CUDA0 = \"20GiB\" }";
        return section.parse("vram", expected, |text| match text {
            "auto" => Ok(Vram::Auto),
            other => Err(format!("expected {expected}, found `{other}`")),
        });
    }
    let devices = section.values("vram", SIZE, units::size)?;
    Some(devices.with(Vram::Devices(devices.value.clone())))
}

fn read_scheduler(mut section: Section<'_>) -> RawScheduler {
    let scheduler = RawScheduler {
        max_loaded: section.number("max_loaded", 0),
        queue_limit: section.number("queue_limit", 0),
        queue_timeout: duration(&mut section, "queue_timeout", Duration::ZERO),
        max_wait: duration(&mut section, "max_wait", Duration::ZERO),
        min_residency: duration(&mut section, "min_residency", Duration::ZERO),
    };
    section.finish(&[]);
    scheduler
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

/// Reads `[models.NAME]`, or `[defaults]`, which has no keys that name one model.
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
        other => units::duration(other)
            .map(KeepAlive::For)
            .map_err(|message| match did_you_mean(other, &["forever"]) {
                meant if meant.is_empty() => or_write(message, "forever"),
                meant => message + &meant,
            }),
    };
    let memory = |text: &str| match text {
        "" => Ok(None),
        size => some_size(size).map(Some),
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
        memory: section.parse("memory", SIZE, memory),
        max_in_flight: section.number("max_in_flight", 0),
        startup_timeout: duration(&mut section, "startup_timeout", limit),
        first_byte_timeout: duration(&mut section, "first_byte_timeout", limit),
        stream_idle_timeout: duration(&mut section, "stream_idle_timeout", limit),
        loading_heartbeat: section.boolean("loading_heartbeat"),
        ..RawModel::default()
    };
    if named {
        model.path = section.path("path");
        model.aliases = section.list("aliases", |text| Ok(text.to_owned()));
    }
    section.finish(LATER_MODEL);
    model
}

fn read_key(mut section: Section<'_>) -> RawKey {
    let key = RawKey {
        hash_written: section.has("hash"),
        hash: section.secret("hash", KeyHash::EXPECTED, KeyHash::parse),
        allow: section.list("allow", |text| Ok(text.to_owned())),
        models: section.list("models", |text| Ok(text.to_owned())),
        expires: section.moment("expires", expiry::EXPECTED, expiry::parse),
        max_concurrent: section.number("max_concurrent", 0),
        requests_per_minute: section.number("requests_per_minute", 0),
        tokens_per_minute: section.number("tokens_per_minute", 0),
    };
    section.finish(LATER_KEY);
    key
}

fn duration(section: &mut Section<'_>, key: &'static str, least: Duration) -> Option<At<Duration>> {
    section.parse(key, "a duration such as \"30s\"", |text| {
        let duration = units::duration(text)?;
        if duration < least {
            Err("must be longer than nothing".to_owned())
        } else {
            Ok(duration)
        }
    })
}

/// Reads a size of at least one byte.
fn some_size(text: &str) -> Result<u64, String> {
    match units::size(text)? {
        0 => Err("must be at least 1B".to_owned()),
        bytes => Ok(bytes),
    }
}

fn or_auto(message: String) -> String {
    or_write(message, "auto")
}

/// Adds a word that is accepted, unless it is clear already what is meant.
fn or_write(message: String, word: &str) -> String {
    if message.ends_with('?') {
        return message;
    }
    format!("{message}; or write \"{word}\"")
}
