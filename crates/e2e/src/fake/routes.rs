//! Routes requests of the fake llama-server to their responses.

use std::io;

use serde_json::Value;

use super::connection::{AfterExchange, Exchange};
use super::crash::CrashPoint;
use super::dialect::Dialect;
use super::fake_args::Hang;
use super::json_writer::array;
use super::response::Response;
use super::{compute_error, generation, generation_job, server_info, slot_actions, test_routes};

/// Answers one request.
///
/// 1. Test routes always answer.
/// 2. A server that never becomes ready answers nothing after its load.
/// 3. OPTIONS is answered before all other checks.
/// 4. Before the model is loaded every other request gets 503.
/// 5. A server that hangs on requests answers only routes that need no inference.
/// 6. Otherwise the route answers.
pub(super) fn answer(exchange: &mut Exchange<'_, '_>) -> io::Result<AfterExchange> {
    let server = exchange.server;
    if exchange.head.path.starts_with("/__fake/") {
        return test_routes::answer(exchange);
    }
    let hangs = server.args.hang == Some(Hang::Ready) && server.is_loaded();
    if hangs || server.is_hung() {
        return Ok(generation::hang(server, exchange.socket));
    }
    if exchange.head.method == "OPTIONS" {
        return exchange.reply(&preflight());
    }
    if !server.is_loaded() {
        return exchange.reply(&Response::loading());
    }
    let Some(route) = find(exchange) else {
        return exchange.reply(&Response::not_found());
    };
    if route != Route::Health {
        server.crash_at(CrashPoint::FirstRequest);
    }
    if server.args.hang == Some(Hang::Request) && route.needs_inference() {
        return Ok(generation::hang(server, exchange.socket));
    }
    handle(exchange, route)
}

/// The routes that the fake llama-server imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Health,
    Models,
    Props,
    SetProps,
    Slots,
    Metrics,
    Tokenize,
    Detokenize,
    Embeddings { openai: bool },
    CountTokens,
    SlotAction,
    Generate(Dialect),
}

impl Route {
    fn needs_inference(self) -> bool {
        !matches!(self, Self::Health | Self::Models | Self::Props)
    }
}

fn find(exchange: &Exchange<'_, '_>) -> Option<Route> {
    let prefix = exchange.server.args.api_prefix.as_str();
    let path = exchange.head.path.strip_prefix(prefix)?;
    match exchange.head.method.as_str() {
        "GET" | "HEAD" => find_get(path),
        "POST" => find_post(path),
        _ => None,
    }
}

/// The path of a slot without its number.
const SLOT_PREFIX: &str = "/slots/";

fn find_get(path: &str) -> Option<Route> {
    Some(match path {
        "/health" | "/v1/health" => Route::Health,
        "/models" | "/v1/models" => Route::Models,
        "/props" => Route::Props,
        "/slots" => Route::Slots,
        "/metrics" => Route::Metrics,
        _ => return None,
    })
}

fn find_post(path: &str) -> Option<Route> {
    Some(match path {
        "/props" => Route::SetProps,
        "/tokenize" => Route::Tokenize,
        "/detokenize" => Route::Detokenize,
        "/embedding" | "/embeddings" => Route::Embeddings { openai: false },
        "/v1/embeddings" => Route::Embeddings { openai: true },
        "/v1/messages/count_tokens" => Route::CountTokens,
        "/completion" | "/completions" => Route::Generate(Dialect::Native),
        "/v1/completions" => Route::Generate(Dialect::Completions),
        "/chat/completions" | "/v1/chat/completions" => Route::Generate(Dialect::Chat),
        "/v1/messages" => Route::Generate(Dialect::Messages),
        "/responses" | "/v1/responses" => Route::Generate(Dialect::Responses),
        _ if path.starts_with(SLOT_PREFIX) => Route::SlotAction,
        _ => return None,
    })
}

fn handle(exchange: &mut Exchange<'_, '_>, route: Route) -> io::Result<AfterExchange> {
    let server = exchange.server;
    let response = match route {
        Route::Health => Response::json(r#"{"status":"ok"}"#.into()),
        Route::Models => Response::json(server_info::models(server)),
        Route::Props => Response::json(server_info::props(server)),
        Route::Slots => {
            server.results.announce();
            Response::json(server_info::slots(server))
        }
        Route::Metrics if server.args.metrics => {
            server.results.announce();
            server_info::metrics(server)
        }
        Route::Metrics => not_supported("metrics endpoint. Start it with `--metrics`"),
        _ => return handle_with_body(exchange, route),
    };
    exchange.reply(&response)
}

fn handle_with_body(exchange: &mut Exchange<'_, '_>, route: Route) -> io::Result<AfterExchange> {
    let body = match exchange.body() {
        Ok(body) => body,
        Err(status) => return exchange.reply(&Response::bare(status)),
    };
    let server = exchange.server;
    match route {
        Route::SetProps => {
            let missing = not_supported("changing global properties. Start it with `--props`");
            return exchange.reply(&missing);
        }
        Route::Embeddings { .. } if !server.args.embeddings => {
            return exchange.reply(&not_supported("embeddings. Start it with `--embeddings`"));
        }
        Route::SlotAction => {
            let (_, slot) = exchange.head.path.rsplit_once('/').unwrap_or_default();
            let query = &exchange.head.query;
            let response = slot_actions::answer(server, slot, query, body.content());
            return exchange.reply(&response);
        }
        _ => {}
    }
    let value: Value = match serde_json::from_slice(body.content()) {
        Ok(value) => value,
        Err(error) => return exchange.reply(&not_json(&error)),
    };
    let is_completion = matches!(route, Route::Generate(_));
    let can_fail = is_completion || matches!(route, Route::Embeddings { .. });
    if can_fail && server.fails_to_compute(&value, is_completion) {
        return exchange.reply(&compute_error::error_response());
    }
    if let Route::Generate(dialect) = route {
        return generation::generate(exchange, dialect, &value);
    }
    server.results.announce();
    exchange.reply(&match route {
        Route::Tokenize => tokenize(&value),
        Route::Detokenize => detokenize(&value),
        Route::Embeddings { openai } => embeddings(&server.model, &value, openai),
        _ => count_tokens(&value),
    })
}

fn preflight() -> Response {
    let mut response = Response::new(200, "text/html", Vec::new());
    response.fields = vec![
        ("Access-Control-Allow-Credentials", "true".into()),
        (
            "Access-Control-Allow-Methods",
            "GET, POST, DELETE, OPTIONS".into(),
        ),
        ("Access-Control-Allow-Headers", "*".into()),
    ];
    response
}

fn not_supported(what: &str) -> Response {
    Response::not_supported(&format!("This server does not support {what}"))
}

fn not_json(error: &serde_json::Error) -> Response {
    let (line, column) = (error.line(), error.column());
    Response::invalid(&format!(
        "[json.exception.parse_error.101] parse error at line {line}, column {column}: {error}"
    ))
}

/// Tokenizes text: each byte is a token.
fn tokenize(request: &Value) -> Response {
    let content = generation_job::text_of(&request["content"]);
    let tokens = array(content.bytes().map(|byte| byte.to_string()));
    Response::json(format!(r#"{{"tokens":{tokens}}}"#))
}

fn detokenize(request: &Value) -> Response {
    let tokens = request["tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let bytes: Option<Vec<u8>> = tokens
        .iter()
        .map(|token| token.as_u64().and_then(|token| token.try_into().ok()))
        .collect();
    let Some(bytes) = bytes else {
        return Response::invalid("not a token");
    };
    let content = Value::from(String::from_utf8_lossy(&bytes));
    Response::json(format!(r#"{{"content":{content}}}"#))
}

fn count_tokens(request: &Value) -> Response {
    if request["messages"].is_null() {
        return Response::error(500, "server_error", "'messages' is required");
    }
    let count = generation_job::text_of(&request["messages"]).len();
    Response::json(format!(r#"{{"input_tokens":{count}}}"#))
}

fn embeddings(model: &str, request: &Value, openai: bool) -> Response {
    let (input, openai) = match (&request["input"], &request["content"]) {
        (Value::Null, Value::Null) => {
            return Response::invalid("\"input\" or \"content\" must be provided");
        }
        (Value::Null, content) => (content, false),
        (input, _) => (input, openai),
    };
    let inputs = match input {
        Value::Array(inputs) => inputs.as_slice(),
        one => std::slice::from_ref(one),
    };
    let vector = array(
        server_info::EMBEDDING
            .iter()
            .map(|value| format!("{value:?}")),
    );
    let items = array(inputs.iter().enumerate().map(|(index, _)| {
        if openai {
            format!(r#"{{"embedding":{vector},"index":{index},"object":"embedding"}}"#)
        } else {
            format!(r#"{{"index":{index},"embedding":[{vector}]}}"#)
        }
    }));
    if !openai {
        return Response::json(items);
    }
    let tokens: usize = inputs
        .iter()
        .map(|input| generation_job::text_of(input).len())
        .sum();
    let model = Value::from(request["model"].as_str().unwrap_or(model));
    Response::json(format!(
        concat!(
            r#"{{"model":{model},"object":"list","#,
            r#""usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}},"data":{items}}}"#
        ),
        model = model,
        tokens = tokens,
        items = items,
    ))
}
