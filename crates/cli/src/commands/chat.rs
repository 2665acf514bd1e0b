//! `paddock chat`.

mod answer;
mod conversation;
mod input;
mod show;
mod talk;

use std::path::PathBuf;

use clap::Args;
use hyper::Method;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use self::answer::{Reading, Written};
use self::conversation::Conversation;
use self::input::Said;
use self::show::{Form, Show};
use crate::admin::{AdminArgs, Client, Trouble, model_path};
use crate::exit::Exit;
use crate::output::{self, Reader};
use crate::threads;

/// Where a chat is asked on the admin plane.
const PATH: &str = "/api/chat";

/// Flags of `paddock chat`.
#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// The model, by its name or an alias.
    model: String,
    /// What to say; `-` is what standard input says, which else follows it where that is no terminal.
    ///
    /// On a terminal, and without it, a conversation begins: Ctrl-C ends an answer, Ctrl-D the
    /// conversation.
    prompt: Option<String>,
    /// An image to look at, for models that can. Can be given several times.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// What the model is told before everything else.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Print JSON, as paddock answers: the whole message, with its usage.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Asks once, or for as long as somebody does.
pub(super) fn run(args: ChatArgs) -> Exit {
    let read = input::said(args.prompt.as_deref())
        .and_then(|said| Ok((said, input::images(&args.image)?)));
    let (said, images) = match read {
        Ok((Said::Conversation, _)) if args.json => {
            output::error("error: --json wants a PROMPT, or one on standard input");
            return Exit::Usage;
        }
        Ok(read) => read,
        Err(error) => {
            output::error(&format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let mut conversation = Conversation::new(&args.model, args.system.as_deref(), images);
    args.admin.run(|client| async move {
        threads::ensure(threads::BLOCKING)?;
        is_there(&client, &args.model).await?;
        match said {
            Said::Conversation => talk::talk(&client, conversation).await,
            Said::Once(text) => {
                conversation.say(&text);
                if args.json {
                    whole(&client, &conversation).await
                } else {
                    once(&client, &conversation).await
                }
            }
        }
    })
}

/// Refuses a name that no model has. A model that is configured alone answers whatever name it is
/// asked by, so a chat would not tell.
async fn is_there(client: &Client, model: &str) -> Result<(), Trouble> {
    let path = model_path(model, "logs?n=0");
    client.ask(Method::GET, &path).await.map(drop)
}

/// Prints an answer as it was given, in one piece.
async fn whole(client: &Client, conversation: &Conversation) -> Result<(), Trouble> {
    let answer = async {
        let answer = client.post(PATH, conversation.request(false)).await?;
        answer.whole().await
    };
    let answer = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => return Err(Trouble::Interrupted),
        answer = answer => answer?,
    };
    if output::is_terminal() {
        output::text(&output::printable_lines(&String::from_utf8_lossy(&answer)));
    } else {
        output::bytes(&answer);
        output::text("");
    }
    Ok(())
}

async fn once(client: &Client, conversation: &Conversation) -> Result<(), Trouble> {
    let mut written = Written::default();
    stream(client, conversation, &mut written).await
}

/// Prints an answer as it comes, and its figures; what came is in `written` however it ends.
async fn stream(
    client: &Client,
    conversation: &Conversation,
    written: &mut Written,
) -> Result<(), Trouble> {
    let form = Form::here();
    let mut show = Show::new(form);
    let asked = Instant::now();
    let ended = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(Trouble::Interrupted),
        ended = print_as_it_comes(client, conversation, &mut show, written, asked) => ended,
    };
    // What is said on standard error begins on a line of its own.
    form.print(&show.end());
    if ended.is_ok()
        && let Some(figures) = written.figures()
    {
        output::error(&figures);
    }
    ended
}

async fn print_as_it_comes(
    client: &Client,
    conversation: &Conversation,
    show: &mut Show,
    written: &mut Written,
    asked: Instant,
) -> Result<(), Trouble> {
    let mut answer = client.post(PATH, conversation.request(true)).await?;
    let mut reading = Reading::default();
    while let Some(bytes) = answer.piece().await? {
        let mut text = String::new();
        let taken: Result<(), Trouble> = reading.events(&bytes)?.iter().try_for_each(|event| {
            let piece = written.take(event, asked.elapsed())?;
            text.extend(piece.map(|piece| show.piece(&piece)));
            Ok(())
        });
        let form = show.form();
        // A terminal or a pipe may take its time, in which an interrupt has to be heard.
        let printing = spawn_blocking(move || form.print(&text));
        if !matches!(printing.await, Ok(Reader::There)) {
            return Ok(());
        }
        taken?;
    }
    if reading.is_done() {
        Ok(())
    } else {
        Err(Trouble::BrokenOff)
    }
}
