//! A model whose files are missing or broken: the others are served, and it is as soon as its files are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use paddock_e2e::harness::{Connection, HttpResponse, LIMIT, Paddock, model, post, wait_for};
use paddock_e2e::paddock;
use serde_json::Value;

/// Puts something in the place of a file.
type Make<'a> = &'a dyn Fn(&Path);

fn ask(paddock: &Paddock, model: &str) -> HttpResponse {
    let body = format!(r#"{{"model":"{model}","prompt":"a"}}"#);
    paddock.ask(post("/completion", &body))
}

fn failure(paddock: &Paddock, id: &str) -> Value {
    wait_for(LIMIT, "a model that is seen to have failed", || {
        let status = paddock.status();
        let models = status["models"].as_array().cloned().unwrap_or_default();
        let model = models.into_iter().find(|model| model["id"] == id)?;
        (model["status"] == "failed").then(|| model["failure"].clone())
    })
}

fn reload(paddock: &Paddock) -> HttpResponse {
    Connection::connect(paddock.admin()).ask(post("/api/reload", ""))
}

#[test]
fn one_unusable_file_stops_no_other_model_and_no_reload() {
    let whole = model();
    let cut = |path: &Path| fs::write(path, &whole[..whole.len() / 2]).unwrap();
    let faults: [(&str, &str, Make<'_>); 5] = [
        ("path", "there is no file", &|_| {}),
        ("mmproj", "there is no file", &|_| {}),
        ("draft", "there is no file", &|_| {}),
        ("path", "bad.gguf", &cut),
        ("path", "is a directory", &|path| {
            fs::create_dir(path).unwrap();
        }),
    ];
    for (key, words, make) in faults {
        let builder = paddock!();
        let path = builder.directory().join("bad.gguf");
        make(&path);
        let good = builder.model_path().display().to_string();
        let mut section = format!("models.bad.{key} = {path:?}");
        if key != "path" {
            section = format!("{section}\nmodels.bad.path = {good:?}");
        }
        let builder = builder.config(&section);
        let check = builder.check();
        assert_eq!(check.code, Some(64), "{check:#?}");
        let said = format!("error: models.bad.{key}: ");
        assert!(check.stderr.contains(&said), "{}", check.stderr);
        assert!(check.stderr.contains(words), "{}", check.stderr);

        let text = builder.config_text();
        let paddock = builder.start();
        let logged = format!("models.bad.{key}: ");
        paddock.stderr().wait_for(LIMIT, &logged);
        // Before anybody has asked for it.
        let failure = failure(&paddock, "bad");
        assert!(
            failure["message"].as_str().unwrap().contains(words),
            "{failure}"
        );
        assert_eq!(ask(&paddock, "m").status, 200);
        let refused = ask(&paddock, "bad");
        assert_eq!(refused.status, 503);
        assert_eq!(refused.json()["error"]["failure"], failure);

        let config = paddock.directory().join("paddock.toml");
        fs::write(&config, format!("{text}models.third.path = {good:?}\n")).unwrap();
        let reloaded = reload(&paddock);
        assert_eq!(reloaded.status, 200, "{reloaded:?}");
        assert_eq!(ask(&paddock, "third").status, 200);

        // Its file comes: the next request finds it.
        let _ = fs::remove_dir(&path);
        fs::write(&path, &whole).unwrap();
        let answer = ask(&paddock, "bad");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
fn requests_for_a_model_that_cannot_be_loaded_are_no_more_failed_loads() {
    let builder = paddock!();
    let path = builder.directory().join("bad.gguf");
    let paddock = builder
        .config(&format!("models.bad.path = {path:?}"))
        .start();
    let _ = failure(&paddock, "bad");
    for _ in 0..105 {
        assert_eq!(ask(&paddock, "bad").status, 503);
    }
    let metrics = paddock.admin_get("/metrics").text();
    let counted = r#"paddock_model_loads_total{model="bad",outcome="failed"} 1"#;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    let rows = paddock
        .admin_get("/api/lifecycle?model=bad&limit=1000")
        .json();
    let rows = rows["events"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["event"], "load_failed");
    let explained = paddock.admin_get("/api/models/bad/explain").text();
    assert!(explained.contains("there is no file"), "{explained}");
    assert!(explained.contains("105 more times"), "{explained}");
}

#[test]
fn a_directory_of_models_that_is_missing_or_empty_is_no_reason_to_refuse() {
    let builder = paddock!();
    let models = builder.directory().join("models");
    let text = builder.config_text();
    let only = text.replace("models.m.path", "# models.m.path");
    let only = format!("{only}discover.dirs = [{models:?}]\n");
    let file = builder.model_path().to_owned();
    let paddock = builder.start_as(|usual| {
        fs::write(usual_config(usual), &only).unwrap();
        same(usual)
    });
    let gone = paddock.stderr().wait_for(LIMIT, "there is no directory");
    assert!(gone.contains("discover.dirs: "), "{gone}");
    assert_eq!(paddock.get("/health").status, 503);
    let refused = ask(&paddock, "m");
    assert_eq!(refused.status, 404, "{refused:?}");

    fs::create_dir(&models).unwrap();
    assert_eq!(reload(&paddock).status, 200);
    let empty = paddock.stderr().wait_for(LIMIT, "no model is configured");
    assert!(empty.contains("no model file"), "{empty}");
    fs::copy(&file, models.join("found.gguf")).unwrap();
    assert_eq!(reload(&paddock).status, 200);
    assert_eq!(ask(&paddock, "found").status, 200);
}

/// Returns the configuration that a command of `paddock serve` names.
fn usual_config(usual: &Command) -> PathBuf {
    usual.get_args().last().expect("a configuration").into()
}

fn same(usual: &Command) -> Command {
    let mut command = Command::new(usual.get_program());
    command.args(usual.get_args()).env_clear();
    let set = usual.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    command
}
