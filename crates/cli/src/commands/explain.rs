//! `paddock explain`: prints paddock's decisions about a model, such as loads and evictions, or a request's history.

use clap::Args;
use paddock_api::{Decision, ModelExplanation, ModelStatus, RequestExplanation};

use crate::admin::{AdminArgs, AdminClient, CommandError, TypedAnswer};
use crate::exit::Exit;
use crate::format::{format_age, seconds_since_1970};
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

/// The answer about a model or a request.
#[derive(Debug)]
enum Explanation {
    Model(TypedAnswer<ModelExplanation>),
    Request(TypedAnswer<RequestExplanation>),
}

/// Prints the decisions about a model or the history of a request.
pub(super) fn run(args: ExplainArgs) -> Exit {
    args.admin.run(|client| async move {
        let now = seconds_since_1970();
        let text = match (explain(&client, &args.name).await?, args.json) {
            (Explanation::Model(answer), true) => return answer.print_json().await,
            (Explanation::Request(answer), true) => return answer.print_json().await,
            (Explanation::Model(answer), false) => format_model(&answer.read().await?, now),
            (Explanation::Request(answer), false) => format_request(&answer.read().await?, now),
        };
        output::print_lines(&text);
        Ok(())
    })
}

/// Looks up a model with this name, and if there is none, a request with this id.
async fn explain(client: &AdminClient, name: &str) -> Result<Explanation, CommandError> {
    let unknown = match client.explain_model(name).await {
        Ok(answer) => return Ok(Explanation::Model(answer)),
        Err(CommandError::Refused { message, code })
            if code.as_deref() == Some("unknown_model") =>
        {
            message
        }
        Err(error) => return Err(error),
    };
    match client.explain_request(name).await {
        Ok(answer) => Ok(Explanation::Request(answer)),
        Err(CommandError::Refused { message, code }) => Err(CommandError::Refused {
            message: format!("{unknown}; {message}"),
            code,
        }),
        Err(error) => Err(error),
    }
}

/// Formats the decisions about a model, with the age of each at `now`, in seconds since 1970.
fn format_model(explained: &ModelExplanation, now: f64) -> String {
    let id = printable_or_unknown(explained.id.as_deref());
    let status = explained.status.map(ModelStatus::as_str);
    let head = format!("model {id}: {}\n", status.unwrap_or("unknown"));
    head + &format_decisions(&explained.decisions, now)
}

/// Formats the history of a request, with the age of each decision at `now`, in seconds since 1970.
fn format_request(explained: &RequestExplanation, now: f64) -> String {
    let head = format!(
        "request {} for model {}: {} after {:.1} s\n",
        output::printable(&explained.request),
        printable_or_unknown(explained.model.as_deref()),
        output::printable(&explained.outcome),
        explained.waited_seconds
    );
    let error = explained.error.as_ref();
    let error = error.map(|error| {
        let message = output::printable(&error.message);
        format!("  error: {message}\n")
    });
    let difference = explained.first_difference.as_ref();
    let difference = difference.map(|difference| {
        let message = output::printable(&difference.message);
        format!("  prompt: {message}\n")
    });
    let meanwhile = format_decisions(&explained.meanwhile, now);
    head + &error.unwrap_or_default() + &meanwhile + &difference.unwrap_or_default()
}

fn printable_or_unknown(text: Option<&str>) -> String {
    output::printable(text.unwrap_or("unknown"))
}

fn format_decisions(decisions: &[Decision], now: f64) -> String {
    let line = |decision: &Decision| {
        let age = format!("{} ago", format_age(now - decision.at));
        format!("{age:>12}  {}\n", output::printable(&decision.message))
    };
    decisions.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_api::RefusalReason;

    #[test]
    fn a_model_has_a_line_for_each_decision() {
        let decision = |at, message: &str| Decision {
            at,
            message: message.to_owned(),
            what: "any".to_owned(),
        };
        let explained = ModelExplanation {
            decisions: vec![
                decision(100.0, "wanted by a request"),
                decision(158.5, "ready"),
            ],
            id: Some("m".to_owned()),
            status: Some(ModelStatus::Ready),
        };
        let expected = "model m: ready\n   1m 1s ago  wanted by a request\n      3s ago  ready\n";
        assert_eq!(format_model(&explained, 161.9), expected);
    }

    #[test]
    fn a_request_has_its_outcome_first() {
        let explained = RequestExplanation {
            arrived: 0.0,
            engine_wait_seconds: None,
            error: Some(RefusalReason {
                kind: "does_not_fit".to_owned(),
                message: "too much".to_owned(),
            }),
            first_difference: None,
            meanwhile: Vec::new(),
            model: Some("m".to_owned()),
            outcome: "refused".to_owned(),
            request: "r".to_owned(),
            tokens: None,
            waited_seconds: 2.04,
        };
        let expected = "request r for model m: refused after 2.0 s\n  error: too much\n";
        assert_eq!(format_request(&explained, 0.0), expected);
    }
}
