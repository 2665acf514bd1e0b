//! Shows the progress of a load on a terminal.

use std::pin::pin;
use std::time::Duration;

use hyper::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::admin::{AdminAnswer, AdminClient, CommandError, SseParser};
use crate::{output, threads};

/// Template of the bar, which truncates the model's name to fit on one line.
const BAR_TEMPLATE: &str = "{wide_msg}  [{bar:12}] {pos:>3}%  {elapsed}";

/// Characters of the bar, from full to empty.
const BAR_CHARACTERS: &str = "█▉▊▋▌▍▎▏ ";

/// Time between two updates of the elapsed time.
const TICK_INTERVAL: Duration = Duration::from_millis(200);

/// Posts to `path` and shows the model's progress until the answer.
pub(super) async fn request_with_progress(
    client: &AdminClient,
    model: &str,
    path: &str,
) -> Result<AdminAnswer, CommandError> {
    // The bar ticks on a thread.
    threads::ensure_available(1)?;
    let bar = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template(BAR_TEMPLATE) {
        bar.set_style(style.progress_chars(BAR_CHARACTERS));
    }
    bar.set_message(output::printable(model));
    bar.enable_steady_tick(TICK_INTERVAL);
    let mut loading = pin!(client.request_and_wait(Method::POST, path));
    let answer = tokio::select! {
        answer = &mut loading => answer,
        // Waits without progress if the events end.
        _ = follow_progress(client, model, &bar) => loading.await,
    };
    bar.finish_and_clear();
    answer
}

async fn follow_progress(
    client: &AdminClient,
    model: &str,
    bar: &ProgressBar,
) -> Result<(), CommandError> {
    let mut answer = client.request(Method::GET, "/api/events").await?;
    let mut sse = SseParser::default();
    while let Some(bytes) = answer.next_chunk().await? {
        let Ok(events) = sse.parse(&bytes) else {
            return Ok(());
        };
        for event in events {
            let data: Value = serde_json::from_slice(&event.data).unwrap_or_default();
            if let Some((message, percent)) = parse_progress(model, &event.name, &data) {
                bar.set_message(message);
                bar.set_position(percent);
            }
        }
    }
    Ok(())
}

/// Returns the model's status and progress in percent, if the event has them.
fn parse_progress(model: &str, event: &str, data: &Value) -> Option<(String, u64)> {
    let models = match event {
        "snapshot" => data["models"].as_array()?.as_slice(),
        "model" => std::slice::from_ref(data),
        _ => return None,
    };
    let has_name = |entry: &&Value| {
        let aliases = entry["aliases"].as_array().into_iter().flatten();
        aliases.chain([&entry["id"]]).any(|name| name == model)
    };
    let entry = models.iter().find(has_name)?;
    let text = |key: &str| output::printable(entry[key].as_str().unwrap_or("unknown"));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is clamped to 0 to 100"
    )]
    let percent = (entry["progress"].as_f64().unwrap_or(0.0) * 100.0).clamp(0.0, 100.0) as u64;
    Some((format!("{}: {}", text("id"), text("status")), percent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_model_is_followed_by_any_of_its_names() {
        let entry = json!({ "id": "a\u{1b}", "aliases": ["org/a"], "status": "loading", "progress": 0.428 });
        let expected = Some(("a\u{fffd}: loading".to_owned(), 42));
        assert_eq!(parse_progress("org/a", "model", &entry), expected);
        let all = json!({ "models": [{ "id": "b" }, entry] });
        assert_eq!(parse_progress("a\u{1b}", "snapshot", &all), expected);
        assert_eq!(parse_progress("c", "snapshot", &all), None);
        assert_eq!(parse_progress("a", "memory", &all), None);
    }
}
