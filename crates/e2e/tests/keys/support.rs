use paddock_e2e::harness::PaddockBuilder;

/// Models `m` and `n`, the latter also called `org/n`.
pub(crate) fn two() -> PaddockBuilder {
    let builder = paddock_e2e::paddock!();
    let path = builder.model_path().display().to_string();
    builder.config(&format!(
        "models.n.path = {path:?}\nmodels.n.aliases = ['org/n']"
    ))
}

/// Makes a key and configures it, with these further lines of its section. Returns its secret too.
pub(crate) fn with_key(
    builder: PaddockBuilder,
    name: &str,
    lines: &[&str],
) -> (PaddockBuilder, String) {
    let made = builder.run(["key", "new", name, "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made.stdout).expect("a key");
    let text = |part: &str| made[part].as_str().expect("a text").to_owned();
    let lines = lines
        .iter()
        .map(|line| format!("auth.keys.{name}.{line}\n"));
    let hash = format!("auth.keys.{name}.hash = '{}'\n", text("hash"));
    let config = lines.fold(hash, |all, line| all + &line);
    (builder.config(&config), text("secret"))
}

/// A request that shows a secret, as `OpenAI`'s clients do.
pub(crate) fn bearer(request: &str, secret: &str) -> String {
    with_field(request, &format!("Authorization: Bearer {secret}"))
}

/// A request that shows a secret, as Anthropic's clients do.
pub(crate) fn x_api_key(request: &str, secret: &str) -> String {
    with_field(request, &format!("x-api-key: {secret}"))
}

fn with_field(request: &str, field: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"), 1)
}

/// A chat with a model.
pub(crate) fn chat(model: &str) -> String {
    let body = format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],"model":"{model}"}}"#);
    paddock_e2e::harness::post("/v1/chat/completions", &body)
}

/// A chat with `m` whose answer is a stream.
pub(crate) fn stream() -> String {
    paddock_e2e::harness::post(
        "/v1/chat/completions",
        r#"{"stream":true,"messages":[],"model":"m"}"#,
    )
}
