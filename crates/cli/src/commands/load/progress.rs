//! How far a load is.

use std::pin::pin;
use std::time::Duration;

use hyper::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::admin::{Answer, Client, Sse, Trouble};
use crate::{output, threads};

/// One line, however narrow the window is: what does not fit of a name is left out.
const SHOWN: &str = "{wide_msg}  [{bar:12}] {pos:>3}%  {elapsed}";

/// What a bar of few letters is made of.
const PARTS: &str = "█▉▊▋▌▍▎▏ ";

/// How often the bar shows that time passes.
const TICK: Duration = Duration::from_millis(200);

/// Orders what the path says and shows what becomes of the model, until the answer comes.
pub(super) async fn watched(client: &Client, model: &str, path: &str) -> Result<Answer, Trouble> {
    // For the bar's ticks.
    threads::ensure(1)?;
    let bar = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template(SHOWN) {
        bar.set_style(style.progress_chars(PARTS));
    }
    bar.set_message(output::printable(model));
    bar.enable_steady_tick(TICK);
    let mut loading = pin!(client.wait(Method::POST, path));
    let answer = tokio::select! {
        answer = &mut loading => answer,
        // What cannot be followed is waited for all the same.
        _ = follow(client, model, &bar) => loading.await,
    };
    bar.finish_and_clear();
    answer
}

async fn follow(client: &Client, model: &str, bar: &ProgressBar) -> Result<(), Trouble> {
    let mut told = client.ask(Method::GET, "/api/events").await?;
    let mut sse = Sse::default();
    while let Some(bytes) = told.piece().await? {
        let Ok(events) = sse.events(&bytes) else {
            return Ok(());
        };
        for event in events {
            let data: Value = serde_json::from_slice(&event.data).unwrap_or_default();
            if let Some((message, percent)) = shown(model, &event.name, &data) {
                bar.set_message(message);
                bar.set_position(percent);
            }
        }
    }
    Ok(())
}

/// What an event says of the model, and how much of a hundred is done.
fn shown(model: &str, event: &str, data: &Value) -> Option<(String, u64)> {
    let models = match event {
        "snapshot" => data["models"].as_array()?.as_slice(),
        "model" => std::slice::from_ref(data),
        _ => return None,
    };
    let called = |entry: &&Value| {
        let aliases = entry["aliases"].as_array().into_iter().flatten();
        aliases.chain([&entry["id"]]).any(|name| name == model)
    };
    let entry = models.iter().find(called)?;
    let word = |key: &str| output::printable(entry[key].as_str().unwrap_or("unknown"));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is clamped to 0 to 100"
    )]
    let percent = (entry["progress"].as_f64().unwrap_or(0.0) * 100.0).clamp(0.0, 100.0) as u64;
    Some((format!("{}: {}", word("id"), word("status")), percent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_model_is_followed_by_any_of_its_names() {
        let entry = json!({ "id": "a\u{1b}", "aliases": ["org/a"], "status": "loading", "progress": 0.428 });
        let expected = Some(("a\u{fffd}: loading".to_owned(), 42));
        assert_eq!(shown("org/a", "model", &entry), expected);
        let all = json!({ "models": [{ "id": "b" }, entry] });
        assert_eq!(shown("a\u{1b}", "snapshot", &all), expected);
        assert_eq!(shown("c", "snapshot", &all), None);
        assert_eq!(shown("a", "memory", &all), None);
    }
}
