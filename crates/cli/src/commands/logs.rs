//! `paddock logs`: prints or follows the output of a model's children, the llama-server processes that run it.

use clap::Args;
use paddock_api::LogRecord;
use tokio::task::spawn_blocking;

use crate::admin::{AdminArgs, AdminClient, CommandError};
use crate::exit::Exit;
use crate::output::{self, ReaderState};
use crate::threads;

/// Flags of `paddock logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Name or alias of the model.
    model: String,
    /// Keep printing new lines, across unloads and loads, until paddock stops.
    #[arg(short, long)]
    follow: bool,
    /// Number of recent lines to print; paddock keeps the last 1000.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: u32,
    /// Print JSON: one object with all lines or, with --follow, one object per line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// An output format of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogFormat {
    /// The API's JSON.
    Json,
    /// The child's lines, unchanged.
    Text,
    /// The child's lines, with terminal sequences replaced.
    Terminal,
}

/// Lines of one chunk of the response, formatted.
#[derive(Debug, Default, PartialEq, Eq)]
struct FormattedLines {
    text: String,
    /// Number of lines that paddock left out because they came faster than this command read them.
    missed: u64,
}

/// Prints the last lines of a model's children, and with `--follow` new ones.
pub(super) fn run(args: LogsArgs) -> Exit {
    let format = match (args.json, output::is_terminal()) {
        (true, _) => LogFormat::Json,
        (false, true) => LogFormat::Terminal,
        (false, false) => LogFormat::Text,
    };
    let (model, lines) = (args.model, args.lines);
    args.admin.run(|client| async move {
        threads::ensure_available(threads::TERMINAL_THREADS)?;
        if !args.follow {
            return print_last(&client, &model, lines, format).await;
        }
        tokio::select! {
            biased;
            // An interrupt is the usual end of `--follow`, not a failure.
            _ = tokio::signal::ctrl_c() => Ok(()),
            ended = print_new_lines(&client, &model, lines, format) => ended,
        }
    })
}

async fn print_last(
    client: &AdminClient,
    model: &str,
    lines: u32,
    format: LogFormat,
) -> Result<(), CommandError> {
    let answer = client.logs(model, lines).await?;
    if format == LogFormat::Json {
        return answer.print_json().await;
    }
    let mut text = String::new();
    for line in answer.read().await?.lines {
        format.push_line(&line, &mut text);
    }
    output::print_lines(&text);
    Ok(())
}

/// Prints new lines until the reader has gone. Fails when the stream ends.
async fn print_new_lines(
    client: &AdminClient,
    model: &str,
    lines: u32,
    format: LogFormat,
) -> Result<(), CommandError> {
    let mut answer = client.follow_logs(model, lines).await?;
    let mut buffer = Vec::new();
    while let Some(chunk) = answer.next_chunk().await? {
        buffer.extend_from_slice(&chunk);
        let Some(end) = buffer.iter().rposition(|byte| *byte == b'\n') else {
            continue;
        };
        let rest = buffer.split_off(end + 1);
        let objects = std::mem::replace(&mut buffer, rest);
        // Writing may block, during which an interrupt must be handled.
        let printing = spawn_blocking(move || format.format_objects(&objects).print());
        if !matches!(printing.await, Ok(ReaderState::Present)) {
            return Ok(());
        }
    }
    Err(answer.connection_lost())
}

impl LogFormat {
    /// Formats complete lines of JSON objects.
    fn format_objects(self, objects: &[u8]) -> FormattedLines {
        let mut formatted = FormattedLines::default();
        for object in objects.split(|byte| *byte == b'\n') {
            if self == Self::Json {
                formatted.text.push_str(&String::from_utf8_lossy(object));
                formatted.text.push('\n');
                continue;
            }
            match serde_json::from_slice(object) {
                Ok(LogRecord::Line { line }) => self.push_line(&line, &mut formatted.text),
                Ok(LogRecord::Missed { missed }) => formatted.missed += missed,
                // An object of a later version, or nothing after the last newline.
                Err(_) => {}
            }
        }
        if self == Self::Json {
            // The part after the last newline is no object.
            formatted.text.pop();
        }
        formatted
    }

    fn push_line(self, line: &str, text: &mut String) {
        match self {
            Self::Terminal => text.push_str(&output::printable(line)),
            Self::Json | Self::Text => text.push_str(line),
        }
        text.push('\n');
    }
}

impl FormattedLines {
    fn print(self) -> ReaderState {
        if self.missed > 0 {
            let missed = self.missed;
            output::print_error(&format!(
                "{missed} lines are missing here: the output arrived faster than it could be printed"
            ));
        }
        output::print_lines(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTS: &[u8] =
        b"{\"missed\":3}\n{\"line\":\"a\\u001b[31mb\\tc\"}\n{\"later\":\"unknown\"}\n{\"line\":\"\"}\n";

    #[test]
    fn lines_are_shown_as_they_were_written() {
        let formatted = LogFormat::Text.format_objects(OBJECTS);
        assert_eq!(
            (formatted.text.as_str(), formatted.missed),
            ("a\u{1b}[31mb\tc\n\n", 3)
        );
    }

    #[test]
    fn a_line_does_not_steer_the_terminal() {
        let formatted = LogFormat::Terminal.format_objects(OBJECTS);
        assert_eq!(formatted.text, "a\u{fffd}[31mb\tc\n\n");
    }

    #[test]
    fn json_is_what_paddock_said() {
        let formatted = LogFormat::Json.format_objects(OBJECTS);
        assert_eq!((formatted.text.as_bytes(), formatted.missed), (OBJECTS, 0));
    }
}
