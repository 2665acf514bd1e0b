//! Facts and findings of `paddock doctor`.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::support::User;

/// Runs `paddock doctor --json`, and returns its exit code and output.
fn doctor(user: &User, args: &str) -> (i32, Value) {
    let output = user.types(format!("doctor --json {args}").trim());
    let json = serde_json::from_str(&output.stdout);
    let json = json.unwrap_or_else(|error| panic!("{error}: {output:#?}"));
    (output.code.unwrap(), json)
}

/// Returns the findings of this weight.
fn findings(json: &Value, severity: &str) -> Vec<String> {
    let findings = json["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["severity"] == severity);
    findings
        .map(|finding| finding["what"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_bare_machine_is_told_to_install_an_engine() {
    let user = User::new();
    let (code, json) = doctor(&user, "");
    assert_eq!(code, 1);
    assert_eq!(findings(&json, "error"), ["no engine is installed"]);
    assert!(findings(&json, "warning").contains(&"there is no model on this machine".to_owned()));
    let text = user.types("doctor").stdout;
    assert!(text.contains("  = help: paddock engine install"), "{text}");

    user.release_of("b1", &fs::read(user.paddock.engine_path()).unwrap());
    user.succeeds("engine install --backend cpu");
    let (code, json) = doctor(&user, "");
    assert_eq!(
        (code, &json["engine"]["name"]),
        (0, &"b1".into()),
        "{json:#}"
    );
    let version = json["engine"]["version"].as_str().unwrap();
    assert!(version.starts_with("version: 0.6.0-dev"), "{version}");
    assert_eq!(json["ok"], true);
}

#[test]
fn an_engine_that_does_not_run_is_quoted() {
    let user = User::new();
    let script = user
        .paddock
        .script("broken", "echo no such thing >&2; exit 3");
    let user = User {
        paddock: user.paddock.engine(script),
        ..user
    };
    user.paddock.write_config();
    let (code, json) = doctor(&user, "--config paddock.toml");
    assert_eq!(code, 1, "{json:#}");
    let why = json["findings"][0]["why"].as_str().unwrap();
    assert!(why.contains("exit code 3: no such thing"), "{why}");
}

#[test]
fn errors_of_the_configuration_missing_models_and_addresses_in_use_are_found() {
    let user = User::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_at = taken.local_addr().unwrap().to_string();
    let user = User {
        paddock: user.paddock.listen([taken_at]),
        ..user
    };
    user.paddock.write_config();
    // Another address, where no paddock answers.
    let nowhere = "--admin unix:nowhere.sock --config paddock.toml";
    let (code, json) = doctor(&user, nowhere);
    assert_eq!(code, 1);
    let errors = findings(&json, "error");
    assert!(
        errors[0].contains("another process is listening on"),
        "{errors:?}"
    );

    fs::remove_file(user.paddock.model_path()).unwrap();
    let (code, json) = doctor(&user, nowhere);
    assert_eq!(code, 1);
    let errors = findings(&json, "error");
    assert!(
        errors[0].starts_with("models.m.path: there is no file"),
        "{errors:?}"
    );

    let config = user.paddock.directory().join("paddock.toml");
    fs::write(config, "memory.ram = 1\nengine.command = 'gone'\n").unwrap();
    let (code, json) = doctor(&user, nowhere);
    assert_eq!(code, 1);
    let errors = findings(&json, "error").join("\n");
    for want in [
        "memory.ram: expected",
        "engine.command: `gone` was not found",
    ] {
        assert!(errors.contains(want), "{errors}");
    }
}

#[test]
fn a_running_paddock_is_no_problem() {
    let user = User::new();
    let mut doctor = user.paddock.command();
    let paddock = user.paddock.start();
    paddock.wait_ready();
    let admin = paddock.admin().to_string();
    doctor.args([
        "doctor",
        "--json",
        "--config",
        "paddock.toml",
        "--admin",
        &admin,
    ]);
    let output = doctor.stdout(Stdio::piped()).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["running"], true, "{json:#}");
    assert!(output.status.success(), "{json:#}");
}
