use paddock_e2e::harness::{
    Connection, HttpResponse, LIMIT, Paddock, PaddockBuilder, post, wait_for,
};
use serde_json::Value;

/// Models `m`, `a` and `b` of 60 MiB each in a budget of 100 MiB, which may go as soon as they are
/// idle.
pub(crate) fn three() -> PaddockBuilder {
    let builder = paddock_e2e::paddock!();
    let path = builder.model_path().display().to_string();
    builder.config(&format!(
        "models.a.path = {path:?}\nmodels.b.path = {path:?}\nmodels.b.aliases = ['bee', 'org/b']\n\
         models.m.memory = '60MiB'\nmodels.a.memory = '60MiB'\nmodels.b.memory = '60MiB'\n\
         memory.ram = '100MiB'\nscheduler.min_residency = '0s'"
    ))
}

/// A chat that names its model at the end.
pub(crate) fn chat(model: &str) -> String {
    let body = format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],"model":"{model}"}}"#);
    post("/v1/chat/completions", &body)
}

/// A stream of a chat.
pub(crate) fn stream(model: &str) -> String {
    let body = format!(
        r#"{{"stream":true,"messages":[{{"role":"user","content":"hi"}}],"model":"{model}"}}"#
    );
    post("/v1/chat/completions", &body)
}

/// A stream of `a` that is held open, and a chat with `b` that waits for its memory: `a` lets nobody new
/// in any more.
pub(crate) fn b_waits_for_a() -> (Paddock, Connection, Connection) {
    let paddock = three()
        .hold_streams()
        .config("scheduler.max_wait = '100ms'")
        .start();
    let mut streaming = Connection::connect(paddock.public());
    streaming.send(stream("a"));
    assert_eq!(streaming.head().status, 200);
    let mut other = Connection::connect(paddock.public());
    other.send(chat("b"));
    wait_status(&paddock, "a", "draining");
    (paddock, streaming, other)
}

/// Who answered.
pub(crate) fn answered_by(answer: &HttpResponse) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["model"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A model's part of the status.
pub(crate) fn model(paddock: &Paddock, name: &str) -> Value {
    let status = paddock.status();
    let models = status["models"].as_array().cloned().unwrap_or_default();
    models
        .into_iter()
        .find(|model| model["id"] == name)
        .expect("a model of this name")
}

pub(crate) fn wait_status(paddock: &Paddock, name: &str, status: &str) -> Value {
    wait_for(LIMIT, &format!("{name} to be {status}"), || {
        let model = model(paddock, name);
        (model["status"] == status).then_some(model)
    })
}

/// What was decided about a model, as one text.
pub(crate) fn decisions(paddock: &Paddock, name: &str) -> String {
    let answer = paddock
        .admin_get(&format!("/api/models/{name}/explain"))
        .json();
    let decisions = answer["decisions"].as_array().cloned().unwrap_or_default();
    let words = decisions.iter().filter_map(|told| told["message"].as_str());
    words.collect::<Vec<_>>().join("\n")
}

/// How many requests were counted and not listed.
pub(crate) fn dropped(paddock: &Paddock) -> u64 {
    let text = paddock.admin_get("/metrics").text();
    let sample = text
        .lines()
        .find_map(|line| line.strip_prefix("paddock_activity_dropped_total "));
    sample
        .and_then(|count| count.parse().ok())
        .expect("a count")
}
