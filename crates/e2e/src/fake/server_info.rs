//! Writes the answers in which the fake llama-server describes itself: models, properties, slots,
//! metrics.

use super::json_writer::{array, quote};
use super::response::Response;
use super::server::Server;

/// Returns the model as in `/v1/models` and in the ready event.
pub(super) fn model(server: &Server) -> String {
    let name = quote(&server.model);
    let size = server
        .args
        .model
        .as_ref()
        .and_then(|path| path.metadata().ok())
        .map_or(0, |file| file.len());
    format!(
        concat!(
            r#"{{"id":{name},"aliases":[{name}],"tags":[],"object":"model","#,
            r#""architecture":{{"input_modalities":["text"],"output_modalities":["text"]}},"#,
            r#""created":{created},"owned_by":"llamacpp","#,
            r#""meta":{{"vocab_type":1,"n_vocab":256,"n_ctx":{context},"n_ctx_train":32768,"#,
            r#""n_embd":{width},"n_params":{size},"size":{size},"ftype":"Q4_K - Medium"}}}}"#
        ),
        name = name,
        created = server.created,
        context = server.slot_context(),
        width = EMBEDDING.len(),
        size = size,
    )
}

/// The vector of every embedding.
pub(super) const EMBEDDING: [f32; 4] = [0.5, -0.5, 0.5, -0.5];

/// Returns the body of `/v1/models`.
pub(super) fn models(server: &Server) -> String {
    let name = quote(&server.model);
    let details = concat!(
        r#"{"parent_model":"","format":"gguf","family":"","families":[""],"#,
        r#""parameter_size":"","quantization_level":""}"#
    );
    format!(
        concat!(
            r#"{{"models":[{{"name":{name},"model":{name},"modified_at":"","size":"","digest":"","#,
            r#""type":"model","description":"","tags":[""],"capabilities":["completion"],"#,
            r#""parameters":"","details":{details}}}],"object":"list","data":[{model}]}}"#
        ),
        name = name,
        details = details,
        model = model(server),
    )
}

/// Returns the body of `/props`, with the fields that a proxy reads.
pub(super) fn props(server: &Server) -> String {
    let path = server
        .args
        .model
        .as_ref()
        .map(|path| path.display().to_string());
    format!(
        concat!(
            r#"{{"default_generation_settings":{{"params":{{}},"n_ctx":{context}}},"#,
            r#""total_slots":{slots},"model_alias":{name},"model_ftype":"Q4_K - Medium","#,
            r#""model_path":{path},"modalities":{{"vision":false,"video":false,"audio":false}},"#,
            r#""endpoint_slots":true,"endpoint_props":false,"endpoint_metrics":{metrics},"#,
            r#""ui":false,"chat_template":"","bos_token":"","eos_token":"","#,
            r#""build_info":"b11434-fake","is_sleeping":false,"cors_proxy_enabled":false}}"#
        ),
        context = server.slot_context(),
        slots = server.args.parallel,
        name = quote(&server.model),
        path = quote(&path.unwrap_or_default()),
        metrics = server.args.metrics,
    )
}

/// Returns the body of `/slots`.
pub(super) fn slots(server: &Server) -> String {
    let context = server.slot_context();
    let slots = server.slots.list().into_iter().enumerate();
    array(slots.map(|(id, (busy, conversation))| {
        let used = conversation.last_task.map_or(String::new(), |task| {
            let (tokens, read) = (conversation.tokens.len(), conversation.read);
            format!(
                concat!(
                    r#","id_task":{},"n_prompt_tokens":{},"n_prompt_tokens_processed":{},"#,
                    r#""n_prompt_tokens_cache":{}"#
                ),
                task, tokens, read, conversation.cached
            )
        });
        format!(
            r#"{{"id":{id},"n_ctx":{context},"speculative":false,"is_processing":{busy}{used}}}"#
        )
    }))
}

/// Returns `/metrics`: counters of prompt tokens and reading time, and gauges of running and deferred requests.
pub(super) fn metrics(server: &Server) -> Response {
    let metric = |kind: &str, name: &str, help: &str, value: String| {
        let name = format!("llamacpp:{name}");
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
    };
    let gauge = |name, help, value: u64| metric("gauge", name, help, value.to_string());
    let read = server.slots.tokens_read();
    let milliseconds = read * server.args.read_ms;
    let seconds = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    let counters = metric(
        "counter",
        "prompt_tokens_total",
        "Number of prompt tokens processed.",
        read.to_string(),
    ) + &metric(
        "counter",
        "prompt_seconds_total",
        "Prompt process time",
        seconds,
    );
    let running = server.counters.generations.count();
    let deferred = server.counters.deferred.count();
    let gauges = gauge(
        "requests_processing",
        "Number of requests processing.",
        running,
    ) + &gauge(
        "requests_deferred",
        "Number of requests deferred.",
        deferred,
    );
    let mut response = Response::new(
        200,
        "text/plain; version=0.0.4",
        (counters + &gauges).into(),
    );
    let started = "1000000".to_owned();
    response.fields.push(("Process-Start-Time-Unix", started));
    response
}
