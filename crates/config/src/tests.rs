//! Tests of whole configuration files: values, defaults, paths and flags.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use super::fixture::Fixture;
use super::*;

mod api_keys;
mod context_cache;
mod discover;
mod many;
pub(super) mod mistakes;
mod pages;
mod problems;
mod sources;

const MODEL: &str = "[models.m]\npath = \"model.gguf\"\n";

fn flags(models: &[&str]) -> Overrides {
    let models = models.iter().map(|flag| OsStr::new(flag).into()).collect();
    Overrides {
        models,
        ..Overrides::default()
    }
}

fn args(config: &Config) -> Vec<String> {
    let args = config.command(&config.models[0]).args.into_iter();
    args.map(|arg| arg.into_string().unwrap()).collect()
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let fixture = Fixture::new();
    let config = fixture.config(MODEL, &Overrides::default()).unwrap();
    assert_eq!(config.mode, Mode::Serve);
    assert_eq!(config.server.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(config.server.admin, ["127.0.0.1:8081".parse().unwrap()]);
    assert_eq!(config.server.body_limit, 104_857_600);
    assert_eq!(config.server.drain_timeout, Duration::from_secs(30));
    assert_eq!(config.engine.program, fixture.path("bin/llama-server"));
    assert_eq!(
        (config.memory.clone(), config.scheduler.clone()),
        (Memory::default(), Scheduler::default())
    );
    assert_eq!(config.scheduler.queue_limit, 256);
    assert_eq!(
        config.server.state_dir,
        fixture.path(".local/state/paddock")
    );
    assert_eq!(config.server.default_model, None);
    assert_eq!((config.models.len(), config.skipped.len()), (1, 0));
    let model = &config.models[0];
    assert_eq!(
        (model.id.as_str(), model.parallel, model.context),
        ("m", 1, 0)
    );
    assert_eq!(model.path, Some(fixture.path("model.gguf")));
    assert_eq!(model.startup_timeout, Duration::from_mins(2));
    assert_eq!(model.first_byte_timeout, Duration::from_mins(10));
    assert_eq!(model.stream_idle_timeout, Duration::from_mins(5));
    assert!(!model.loading_heartbeat);
    assert_eq!(config.log, "info");
}

pub(super) const EVERY_KEY: &str = r#"
        [server]
        listen = ["0.0.0.0:80", "unix:/run/p.sock"]
        admin = []
        allow_public = true
        body_limit = "1KiB"
        drain_timeout = "1s"
        runtime_dir = "bin"
        state_dir = "state"
        default_model = "m"
        allowed_origins = ["https://notes.example", "app://*"]
        admin_hosts = ["dash.example"]
        [engine]
        command = "bin/llama-server"
        args = ["--threads", "4"]
        env = { CUDA_VISIBLE_DEVICES = "0", A = "engine" }
        [scheduler]
        queue_limit = 0
        queue_timeout = "2s"
        max_loaded = 3
        max_wait = "6s"
        min_residency = "0s"
        [memory]
        ram = "24GiB"
        vram = { CUDA0 = "20GiB", CUDA1 = "0B" }
        reserve = "0B"
        [discover]
        dirs = ["bin"]
        [defaults]
        context = 1024
        parallel = 4
        args = ["--no-warmup"]
        [models."org/m:q4"]
        path = "~/model.gguf"
        aliases = ["m"]
        mmproj = "$HOME/model.gguf"
        draft = "${HOME}/model.gguf"
        parallel = 2
        gpu_layers = 20
        env = { A = "model" }
        keep_alive = "forever"
        pinned = true
        preload = false
        memory = "5GB"
        max_in_flight = 7
        startup_timeout = "3s"
        first_byte_timeout = "4s"
        stream_idle_timeout = "5s"
        loading_heartbeat = true
        context_cache = false
        [context_cache]
        dir = "kept"
        quota = "1MiB"
        max_age = "2h"
        sliding_windows = false
        encryption_key_file = ""
        [telemetry]
        log = "warn,paddock_server=debug"
    otlp_endpoint = "http://127.0.0.1:4318"
        events_url = "http://collector/a?b=c"
        events_token_file = "model.gguf"
        [auth.keys.laptop]
        hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        allow = ["inference", "metrics"]
        models = ["m"]
        expires = "2027-06-30"
        max_concurrent = 8
        requests_per_minute = 9
        tokens_per_minute = 10
    "#;

#[test]
fn every_key_is_read() {
    let fixture = Fixture::new();
    let config = fixture.config(EVERY_KEY, &Overrides::default()).unwrap();
    assert!(config.server.listen[0].is_wildcard());
    assert_eq!(config.server.admin, []);
    assert_eq!(config.server.runtime_dir, Some(fixture.path("bin")));
    assert_eq!(config.server.state_dir, fixture.path("state"));
    assert_eq!(config.server.default_model.as_deref(), Some("org/m:q4"));
    let expected = Scheduler {
        max_loaded: NonZeroU32::new(3),
        queue_limit: 0,
        queue_timeout: Duration::from_secs(2),
        max_wait: Duration::from_secs(6),
        min_residency: Duration::ZERO,
    };
    assert_eq!(config.scheduler, expected);
    let devices = [("CUDA0".to_owned(), 20 << 30), ("CUDA1".to_owned(), 0)];
    let expected = Memory {
        ram: Ram::Bytes(24 << 30),
        vram: Vram::Devices(devices.into()),
        reserve: 0,
    };
    assert_eq!(config.memory, expected);
    let file = fixture.path("model.gguf");
    let file = file.to_str().unwrap();
    let mut expected = vec!["--model", file, "--alias", "org/m:q4", "--mmproj", file];
    expected.extend([
        "--model-draft",
        file,
        "--ctx-size",
        "1024",
        "--parallel",
        "2",
    ]);
    expected.extend(["--gpu-layers", "20", "--threads", "4", "--no-warmup"]);
    assert_eq!(args(&config), expected);
    let command = config.command(&config.models[0]);
    let env: Vec<_> = command
        .env
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(env, [("A", "model"), ("CUDA_VISIBLE_DEVICES", "0")]);
    let model = &config.models[0];
    assert_eq!(model.keep_alive, KeepAlive::Forever);
    assert_eq!(
        (model.pinned, model.preload, model.memory),
        (true, false, Some(5_000_000_000))
    );
    assert_eq!(model.max_in_flight, 7);
    assert_eq!(model.stream_idle_timeout, Duration::from_secs(5));
    assert!(model.loading_heartbeat && !model.context_cache);
    assert_eq!(config.context_dir(), fixture.path("kept"));
    let expected = ContextCache {
        dir: Some(fixture.path("kept")),
        quota: 1 << 20,
        max_age: Duration::from_hours(2),
        sliding_windows: false,
        encryption_key_file: None,
    };
    assert_eq!(config.context_cache, expected);
    let expected = ApiKey {
        name: "laptop".to_owned(),
        hash: KeyHash::from_secret(b"abc"),
        allow: vec![Scope::Inference, Scope::Metrics],
        models: Some(vec!["org/m:q4".to_owned()]),
        expires: "2027-06-30".parse().ok(),
        max_concurrent: 8,
        requests_per_minute: 9,
        tokens_per_minute: 10,
    };
    assert_eq!(config.api_keys, [expected]);
}

#[test]
fn a_model_needs_no_file_but_its_own() {
    let fixture = Fixture::new();
    let path = fixture.path("model.gguf");
    let mut overrides = flags(&[path.to_str().unwrap()]);
    overrides.listen = vec!["unix:/tmp/p.sock".parse().unwrap()];
    overrides.log = Some("debug".into());
    let config = resolve::from_toml("", Path::new(""), &overrides, &fixture.process_env()).unwrap();
    assert_eq!(
        (config.models[0].id.as_str(), config.log.as_str()),
        ("model", "debug")
    );
    assert_eq!(config.server.listen, overrides.listen);
}

#[test]
fn a_flag_gives_a_configured_model_another_file() {
    let fixture = Fixture::new();
    let named = format!("m={}", fixture.path("model.gguf").display());
    let text = "[models.m]\npath = \"gone.gguf\"\ncontext = 512\n";
    let config = fixture.config(text, &flags(&[&named])).unwrap();
    assert_eq!(
        (config.models[0].id.as_str(), config.models[0].context),
        ("m", 512)
    );
}

#[test]
fn model_flags_have_a_name_before_the_sign() {
    let flag = |text: &str| {
        let flag = ModelFlag::from(OsStr::new(text));
        (flag.name, flag.path.display().to_string())
    };
    assert_eq!(flag("a=b=c.gguf"), (Some("a".into()), "b=c.gguf".into()));
    assert_eq!(flag("./a=b.gguf"), (None, "./a=b.gguf".into()));
}
