//! `paddock logs`.

use clap::Args;
use hyper::Method;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::admin::{AdminArgs, Client, Trouble, model_path};
use crate::exit::Exit;
use crate::output::{self, Reader};
use crate::threads;

/// Flags of `paddock logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The model, by its name or an alias.
    model: String,
    /// Go on with the lines that come, over unloads and loads, until paddock stops.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines; paddock keeps 1000.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: u32,
    /// Print JSON: all lines in one object, with --follow an object for each.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// How lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the answer has them.
    Json,
    /// As the child wrote them.
    Text,
    /// Without what could steer the terminal.
    Terminal,
}

/// What is shown of a part of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    text: String,
    /// Lines that came too fast.
    missed: u64,
}

/// Prints the last lines of a model's children, and those that come.
pub(super) fn run(args: LogsArgs) -> Exit {
    let form = match (args.json, output::is_terminal()) {
        (true, _) => Form::Json,
        (false, true) => Form::Terminal,
        (false, false) => Form::Text,
    };
    let (lines, follow) = (args.lines, args.follow);
    let path = model_path(&args.model, &format!("logs?n={lines}&follow={follow}"));
    args.admin.run(|client| async move {
        threads::ensure(threads::BLOCKING)?;
        if !follow {
            return last(&client, &path, form).await;
        }
        tokio::select! {
            biased;
            // Who follows ends it so: nothing has failed.
            _ = tokio::signal::ctrl_c() => Ok(()),
            ended = print_as_they_come(&client, &path, form) => ended,
        }
    })
}

async fn last(client: &Client, path: &str, form: Form) -> Result<(), Trouble> {
    let answer = client.ask(Method::GET, path).await?;
    if form == Form::Json {
        output::bytes(&answer.whole().await?);
        output::text("");
        return Ok(());
    }
    let answer = answer.json().await?;
    let lines = answer["lines"].as_array().into_iter().flatten();
    let mut text = String::new();
    for line in lines.filter_map(Value::as_str) {
        form.line(line, &mut text);
    }
    output::lines(&text);
    Ok(())
}

/// Prints until nobody reads any more. That nothing comes any more is trouble.
async fn print_as_they_come(client: &Client, path: &str, form: Form) -> Result<(), Trouble> {
    let mut answer = client.ask(Method::GET, path).await?;
    let mut ahead = Vec::new();
    while let Some(piece) = answer.piece().await? {
        ahead.extend_from_slice(&piece);
        let Some(end) = ahead.iter().rposition(|byte| *byte == b'\n') else {
            continue;
        };
        let rest = ahead.split_off(end + 1);
        let objects = std::mem::replace(&mut ahead, rest);
        // A terminal or a pipe may take its time, in which an interrupt has to be heard.
        let printing = spawn_blocking(move || form.objects(&objects).print());
        if !matches!(printing.await, Ok(Reader::There)) {
            return Ok(());
        }
    }
    Err(answer.gone())
}

impl Form {
    /// Shows whole lines of JSON objects.
    fn objects(self, objects: &[u8]) -> Shown {
        let mut shown = Shown::default();
        for object in objects.split(|byte| *byte == b'\n') {
            if self == Self::Json {
                shown.text.push_str(&String::from_utf8_lossy(object));
                shown.text.push('\n');
                continue;
            }
            let object: Value = serde_json::from_slice(object).unwrap_or_default();
            shown.missed += object["missed"].as_u64().unwrap_or(0);
            if let Some(line) = object["line"].as_str() {
                self.line(line, &mut shown.text);
            }
        }
        if self == Self::Json {
            // What stands behind the last newline is no object.
            shown.text.pop();
        }
        shown
    }

    fn line(self, line: &str, text: &mut String) {
        match self {
            Self::Terminal => text.push_str(&output::printable(line)),
            Self::Json | Self::Text => text.push_str(line),
        }
        text.push('\n');
    }
}

impl Shown {
    fn print(self) -> Reader {
        if self.missed > 0 {
            let missed = self.missed;
            output::error(&format!(
                "{missed} lines came too fast and are missing here"
            ));
        }
        output::lines(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTS: &[u8] =
        b"{\"missed\":3}\n{\"line\":\"a\\u001b[31mb\\tc\"}\n{\"later\":\"unknown\"}\n{\"line\":\"\"}\n";

    #[test]
    fn lines_are_shown_as_they_were_written() {
        let shown = Form::Text.objects(OBJECTS);
        assert_eq!(
            (shown.text.as_str(), shown.missed),
            ("a\u{1b}[31mb\tc\n\n", 3)
        );
    }

    #[test]
    fn a_line_does_not_steer_the_terminal() {
        let shown = Form::Terminal.objects(OBJECTS);
        assert_eq!(shown.text, "a\u{fffd}[31mb\tc\n\n");
    }

    #[test]
    fn json_is_what_paddock_said() {
        let shown = Form::Json.objects(OBJECTS);
        assert_eq!((shown.text.as_bytes(), shown.missed), (OBJECTS, 0));
    }
}
