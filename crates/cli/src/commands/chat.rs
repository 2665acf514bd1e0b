//! `paddock chat`: sends a prompt to a model, or runs a conversation.

mod answer;
mod conversation;
mod input;
mod interactive;
mod render;

use std::path::PathBuf;

use clap::Args;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use self::answer::{AnswerParser, CollectedAnswer};
use self::conversation::Conversation;
pub(super) use self::input::{Prompt, read_prompt};
use self::render::{AnswerRenderer, OutputFormat};
use crate::admin::{AdminArgs, AdminClient, CommandError};
use crate::exit::Exit;
use crate::output::{self, ReaderState};
use crate::threads;

/// Flags of `paddock chat`.
#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// Name or alias of the model.
    model: String,
    /// The prompt, or `-` to read the prompt from standard input. Otherwise, piped standard input is appended to
    /// the prompt.
    ///
    /// Without a prompt on a terminal, `paddock chat` starts a conversation: Ctrl-C stops an answer, Ctrl-D ends
    /// the conversation.
    prompt: Option<String>,
    /// An image to send with the prompt, for models that accept images. Can be repeated.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// System prompt.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Print the API's JSON response: the whole message and its usage.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Sends one prompt, or runs a conversation at a terminal.
pub(super) fn run(args: ChatArgs) -> Exit {
    let read = read_prompt(args.prompt.as_deref())
        .and_then(|prompt| Ok((prompt, input::read_images(&args.image)?)));
    let (prompt, images) = match read {
        Ok((Prompt::Interactive, _)) if args.json => {
            output::print_error("error: --json needs PROMPT or a prompt on standard input");
            return Exit::Usage;
        }
        Ok(read) => read,
        Err(error) => {
            output::print_error(&format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let mut conversation = Conversation::new(&args.model, args.system.as_deref(), images);
    args.admin.run(|client| async move {
        threads::ensure_available(threads::TERMINAL_THREADS)?;
        check_model_exists(&client, &args.model).await?;
        match prompt {
            Prompt::Single(text) if args.json => {
                conversation.add_user_message(&text);
                print_whole(&client, &conversation).await
            }
            prompt => converse(&client, conversation, prompt).await,
        }
    })
}

/// Prints the answer to one prompt, or runs a conversation at a terminal.
async fn converse(
    client: &AdminClient,
    mut conversation: Conversation,
    prompt: Prompt,
) -> Result<(), CommandError> {
    match prompt {
        Prompt::Interactive => interactive::run_conversation(client, conversation).await,
        Prompt::Single(text) => {
            conversation.add_user_message(&text);
            print_once(client, &conversation).await
        }
    }
}

/// Chats with a model, as `paddock chat MODEL` does.
pub(super) async fn chat_with(
    client: &AdminClient,
    model: &str,
    prompt: Prompt,
) -> Result<(), CommandError> {
    threads::ensure_available(threads::TERMINAL_THREADS)?;
    converse(client, Conversation::new(model, None, Vec::new()), prompt).await
}

/// Fails for an unknown model. A chat would not: if only one model is configured, it answers to any name.
async fn check_model_exists(client: &AdminClient, model: &str) -> Result<(), CommandError> {
    client.logs(model, 0).await.map(drop)
}

/// Prints the answer's JSON unchanged.
async fn print_whole(
    client: &AdminClient,
    conversation: &Conversation,
) -> Result<(), CommandError> {
    let answer = async {
        let mut answer = client.chat(conversation.request_body(false)).await?;
        answer.read_to_end().await
    };
    let answer = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => return Err(CommandError::Interrupted),
        answer = answer => answer?,
    };
    if output::is_terminal() {
        output::print(&output::printable_lines(&String::from_utf8_lossy(&answer)));
    } else {
        output::print_bytes(&answer);
        output::print("");
    }
    Ok(())
}

async fn print_once(client: &AdminClient, conversation: &Conversation) -> Result<(), CommandError> {
    let mut collected = CollectedAnswer::default();
    print_stream(client, conversation, &mut collected).await
}

/// Prints an answer as it arrives, then its usage. Collects the answer even if it ends early.
async fn print_stream(
    client: &AdminClient,
    conversation: &Conversation,
    collected: &mut CollectedAnswer,
) -> Result<(), CommandError> {
    let format = OutputFormat::detect();
    let mut renderer = AnswerRenderer::new(format);
    let sent_at = Instant::now();
    let ended = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(CommandError::Interrupted),
        ended = print_chunks(client, conversation, &mut renderer, collected, sent_at) => ended,
    };
    // Text on standard error starts on a new line.
    format.print(&renderer.finish());
    if ended.is_ok()
        && let Some(figures) = collected.format_usage()
    {
        output::print_error(&figures);
    }
    ended
}

async fn print_chunks(
    client: &AdminClient,
    conversation: &Conversation,
    renderer: &mut AnswerRenderer,
    collected: &mut CollectedAnswer,
    sent_at: Instant,
) -> Result<(), CommandError> {
    let mut answer = client.chat(conversation.request_body(true)).await?;
    let mut parser = AnswerParser::default();
    while let Some(bytes) = answer.next_chunk().await? {
        let mut text = String::new();
        let result: Result<(), CommandError> = parser.parse(&bytes)?.iter().try_for_each(|event| {
            let piece = collected.add_event(event, sent_at.elapsed())?;
            text.extend(piece.map(|piece| renderer.render(&piece)));
            Ok(())
        });
        let format = renderer.format();
        // Writing may block, during which an interrupt must be handled.
        let printing = spawn_blocking(move || format.print(&text));
        if !matches!(printing.await, Ok(ReaderState::Present)) {
            return Ok(());
        }
        result?;
    }
    if parser.is_done() {
        Ok(())
    } else {
        Err(CommandError::AnswerTruncated)
    }
}
