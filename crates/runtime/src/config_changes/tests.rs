//! Tests of the differences between two configurations.

use super::*;
use crate::fixture::Fixture;
use paddock_config::SandboxMode;
use std::time::Duration;

const MODEL: &str = "[models.m]\npath = \"m.gguf\"\n";

#[test]
fn a_model_is_restarted_only_for_what_its_child_would_see() {
    type Edit = fn(&mut Config);
    let table: [(&str, Edit, ModelChange); 7] = [
        ("nothing", |_| {}, ModelChange::Unchanged),
        (
            "another model",
            |config| {
                let mut other = config.models[0].clone();
                other.id = "other".to_owned();
                config.models.push(other);
            },
            ModelChange::Unchanged,
        ),
        (
            "a setting of paddock",
            |config| config.models[0].first_byte_timeout = Duration::from_secs(1),
            ModelChange::Adjusted,
        ),
        (
            "an argument",
            |config| config.models[0].args.push("--no-warmup".into()),
            ModelChange::Restarted,
        ),
        (
            "an argument of every model",
            |config| config.engine.args.push("--no-warmup".into()),
            ModelChange::Restarted,
        ),
        (
            "the sandbox",
            |config| config.engine.sandbox = SandboxMode::Off,
            ModelChange::Restarted,
        ),
        (
            "the file",
            |config| config.models[0].path = Some("/other.gguf".into()),
            ModelChange::Restarted,
        ),
    ];
    let fixture = Fixture::new();
    let before = fixture.config(MODEL);
    for (name, edit, expected) in table {
        let mut now = before.clone();
        edit(&mut now);
        let (old, new) = ((&before, &before.models[0]), (&now, &now.models[0]));
        assert_eq!(ModelChange::between(old, new, false), expected, "{name}");
    }
}

#[test]
fn a_failed_model_is_restarted_once_its_files_are_repaired() {
    let fixture = Fixture::new();
    std::fs::copy(fixture.path("m.gguf"), fixture.path("other.gguf")).unwrap();
    // A configuration without any usable model would be invalid.
    let text = MODEL.to_owned() + "[models.other]\npath = \"other.gguf\"\n";
    let good = fixture.config(&text);
    std::fs::remove_file(fixture.path("m.gguf")).unwrap();
    let bad = fixture.config(&text);
    assert!(bad.is_at_fault(&bad.models[0]) && !good.is_at_fault(&good.models[0]));
    let (good, bad) = ((&good, &good.models[0]), (&bad, &bad.models[0]));
    for (before, now, has_failed, expected) in [
        (bad, good, true, ModelChange::Restarted),
        (bad, good, false, ModelChange::Unchanged),
        (bad, bad, true, ModelChange::Unchanged),
        (good, bad, true, ModelChange::Unchanged),
        (good, good, true, ModelChange::Unchanged),
    ] {
        let change = ModelChange::between(before, now, has_failed);
        assert_eq!(change, expected, "{has_failed}");
    }
}

#[test]
fn api_keys_are_compared_by_name() {
    let fixture = Fixture::new();
    let key = |name: &str, digit: char, limit: u32| {
        let hash = digit.to_string().repeat(64);
        format!("[auth.keys.{name}]\nhash = \"sha256:{hash}\"\nmax_concurrent = {limit}\n")
    };
    let keys = |keys: &[String]| {
        fixture
            .config(&(MODEL.to_owned() + &keys.concat()))
            .api_keys
    };
    let before = keys(&[
        key("same", '1', 1),
        key("changed", '2', 1),
        key("gone", '3', 1),
    ]);
    let now = keys(&[
        key("same", '1', 1),
        key("changed", '2', 2),
        key("new", '4', 1),
    ]);
    let name = |name: &str| vec![name.to_owned()];
    let expected = ApiKeyChanges {
        added: name("new"),
        changed: name("changed"),
        removed: name("gone"),
    };
    assert_eq!(ApiKeyChanges::between(&before, &now), expected);
    assert_eq!(ApiKeyChanges::between(&now, &now), ApiKeyChanges::default());
}

#[test]
fn keys_that_need_a_restart_are_named() {
    type Edit = fn(&mut Config);
    let table: [(&str, Edit); 11] = [
        ("server.listen", |config| config.server.listen.clear()),
        ("server.admin", |config| config.server.admin.clear()),
        ("server.state_dir", |config| {
            config.server.state_dir = "/s".into();
        }),
        ("server.runtime_dir", |config| {
            config.server.runtime_dir = Some("/r".into());
        }),
        ("server.body_limit", |config| config.server.body_limit += 1),
        ("server.max_connections", |config| {
            config.server.max_connections += 1;
        }),
        ("server.max_connections_per_address", |config| {
            config.server.max_connections_per_address += 1;
        }),
        ("engine.command", |config| {
            config.engine.program = "/e".into();
        }),
        ("context_cache.dir", |config| {
            config.context_cache.dir = Some("/c".into());
        }),
        ("context_cache.encryption_key_file", |config| {
            config.context_cache.encryption_key_file = Some("/k".into());
        }),
        ("telemetry.log", |config| config.log = "trace".to_owned()),
    ];
    let fixture = Fixture::new();
    let before = fixture.config(MODEL);
    assert_eq!(keys_requiring_restart(&before, &before), [""; 0]);
    for (key, edit) in table {
        let mut now = before.clone();
        edit(&mut now);
        assert_eq!(keys_requiring_restart(&before, &now), [key]);
    }
    let events = |text: &str| fixture.config(&format!("[telemetry]\n{text}\n{MODEL}"));
    let first = events("events_url = \"http://a:1/x\"");
    let second = events("events_url = \"http://b:1/x\"");
    assert_eq!(
        keys_requiring_restart(&first, &second),
        ["telemetry.events_url"]
    );
    let mut with_token = first.clone();
    if let Some(events) = &mut with_token.events {
        events.token_file = Some("/token".into());
    }
    let token = ["telemetry.events_token_file"];
    assert_eq!(keys_requiring_restart(&first, &with_token), token);
}
