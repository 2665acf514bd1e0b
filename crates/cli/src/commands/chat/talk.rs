//! A conversation at a terminal.

use std::io;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::task::spawn_blocking;

use super::answer::Written;
use super::conversation::Conversation;
use super::stream;
use crate::admin::{Client, Trouble};
use crate::output;

const PROMPT: &str = "> ";

/// Asks what is typed, line after line, until there is no more.
pub(super) async fn talk(client: &Client, mut conversation: Conversation) -> Result<(), Trouble> {
    let mut editor = DefaultEditor::new().map_err(trouble)?;
    output::error("Ctrl-C ends an answer, Ctrl-D the conversation.");
    loop {
        // An answer that was given up is let go on this thread, while a line is edited on another.
        let typing = spawn_blocking(move || {
            let line = editor.readline(PROMPT);
            (editor, line)
        });
        let typed = typing.await.map_err(io::Error::from)?;
        editor = typed.0;
        let line = match typed.1 {
            Ok(line) => line,
            Err(ReadlineError::Eof) => return Ok(()),
            // What was typed is given up, and nothing else.
            Err(ReadlineError::Interrupted) => continue,
            Err(error) => return Err(trouble(error)),
        };
        if line.trim().is_empty() {
            continue;
        }
        // Only what is too long or said twice is not kept.
        let _kept = editor.add_history_entry(&line);
        conversation.say(&line);
        let mut written = Written::default();
        let ended = stream(client, &conversation, &mut written).await;
        conversation.answered(&written.text);
        match ended {
            Ok(()) | Err(Trouble::Interrupted) => {}
            // The next words may have more luck: a model that loads, a queue that is full.
            Err(trouble @ (Trouble::Refused { .. } | Trouble::BrokenOff)) => {
                output::error(&format!("error: {trouble}"));
            }
            Err(trouble) => return Err(trouble),
        }
    }
}

fn trouble(error: ReadlineError) -> Trouble {
    Trouble::System(match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other),
    })
}
