//! `paddock explain`: prints the decisions about a model, or a request's history.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use hyper::Method;
use serde_json::Value;

use crate::admin::{AdminArgs, AdminClient, CommandError, model_path, request_path};
use crate::exit::Exit;
use crate::format::format_duration;
use crate::output;

/// Flags of `paddock explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Name or alias of a model, or the `x-request-id` of a request.
    #[arg(value_name = "MODEL|REQUEST_ID")]
    name: String,
    /// Print the API's JSON response.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Prints the decisions about a model or the history of a request.
pub(super) fn run(args: ExplainArgs) -> Exit {
    args.admin.run(|client| async move {
        let explained = explain(&client, &args.name).await?;
        if args.json {
            output::print(&explained.to_string());
        } else {
            output::print_lines(&format_explanation(&explained, seconds_since_1970()));
        }
        Ok(())
    })
}

async fn explain(client: &AdminClient, name: &str) -> Result<Value, CommandError> {
    let model = client
        .request(Method::GET, &model_path(name, "explain"))
        .await;
    let unknown = match model {
        Ok(answer) => return answer.read_json().await,
        Err(CommandError::Refused { message, code })
            if code.as_deref() == Some("unknown_model") =>
        {
            message
        }
        Err(error) => return Err(error),
    };
    match client
        .request(Method::GET, &request_path(name, "explain"))
        .await
    {
        Ok(answer) => answer.read_json().await,
        Err(CommandError::Refused { message, code }) => Err(CommandError::Refused {
            message: format!("{unknown}; {message}"),
            code,
        }),
        Err(error) => Err(error),
    }
}

/// Formats an explanation, with the age of each decision at `now`, in seconds since 1970.
fn format_explanation(explained: &Value, now: f64) -> String {
    let printable = |value: &Value| output::printable(value.as_str().unwrap_or("unknown"));
    let mut lines = Vec::new();
    let decisions = if explained["request"].is_null() {
        lines.push(format!(
            "model {}: {}",
            printable(&explained["id"]),
            printable(&explained["status"])
        ));
        &explained["decisions"]
    } else {
        lines.push(format!(
            "request {} for model {}: {} after {:.1} s",
            printable(&explained["request"]),
            printable(&explained["model"]),
            printable(&explained["outcome"]),
            explained["waited_seconds"].as_f64().unwrap_or(0.0)
        ));
        if let Some(message) = explained["error"]["message"].as_str() {
            lines.push(format!("  error: {}", output::printable(message)));
        }
        &explained["meanwhile"]
    };
    for decision in decisions.as_array().into_iter().flatten() {
        let age = (now - decision["at"].as_f64().unwrap_or(now)).max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the value is not negative, and fractions of a second are dropped"
        )]
        let age = format_duration(age as u64);
        lines.push(format!(
            "{:>12}  {}",
            format!("{age} ago"),
            printable(&decision["message"])
        ));
    }
    lines.join("\n") + "\n"
}

fn seconds_since_1970() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::format_explanation;
    use serde_json::json;

    #[test]
    fn a_model_has_a_line_for_each_decision() {
        let explained = json!({ "id": "m", "status": "ready", "decisions": [
            { "at": 100.0, "what": "wanted", "message": "wanted by a request" },
            { "at": 158.5, "what": "ready", "message": "ready" },
        ] });
        let expected = "model m: ready\n   1m 1s ago  wanted by a request\n      3s ago  ready\n";
        assert_eq!(format_explanation(&explained, 161.9), expected);
    }

    #[test]
    fn a_request_has_its_outcome_first() {
        let explained = json!({ "request": "r", "model": "m", "outcome": "refused",
            "waited_seconds": 2.04, "error": { "message": "too much" }, "meanwhile": [] });
        let expected = "request r for model m: refused after 2.0 s\n  error: too much\n";
        assert_eq!(format_explanation(&explained, 0.0), expected);
    }
}
