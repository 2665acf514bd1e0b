//! Runs a conversation at a terminal.

use std::io;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::task::spawn_blocking;

use super::answer::CollectedAnswer;
use super::conversation::Conversation;
use super::print_stream;
use crate::admin::{AdminClient, CommandError};
use crate::output;

const LINE_PROMPT: &str = "> ";

/// Sends each typed line until end of input.
pub(super) async fn run_conversation(
    client: &AdminClient,
    mut conversation: Conversation,
) -> Result<(), CommandError> {
    let mut editor = DefaultEditor::new().map_err(readline_error)?;
    output::print_error("Ctrl-C stops an answer, Ctrl-D ends the conversation.");
    loop {
        // The line editor blocks a separate thread, so that this thread can close the connection of an interrupted
        // answer meanwhile.
        let typing = spawn_blocking(move || {
            let line = editor.readline(LINE_PROMPT);
            (editor, line)
        });
        let typed = typing.await.map_err(io::Error::from)?;
        editor = typed.0;
        let line = match typed.1 {
            Ok(line) => line,
            Err(ReadlineError::Eof) => return Ok(()),
            // An interrupt discards the typed line only.
            Err(ReadlineError::Interrupted) => continue,
            Err(error) => return Err(readline_error(error)),
        };
        if line.trim().is_empty() {
            continue;
        }
        // Fails only for repeated or very long lines, which the history omits.
        let _kept = editor.add_history_entry(&line);
        conversation.add_user_message(&line);
        let mut collected = CollectedAnswer::default();
        let ended = print_stream(client, &conversation, &mut collected).await;
        conversation.add_answer(&collected.text);
        match ended {
            Ok(()) | Err(CommandError::Interrupted) => {}
            // These errors may be temporary: a loading model, a full queue.
            Err(error @ (CommandError::Refused { .. } | CommandError::AnswerTruncated)) => {
                output::print_error(&format!("error: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
}

fn readline_error(error: ReadlineError) -> CommandError {
    CommandError::System(match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other),
    })
}
