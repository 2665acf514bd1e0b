//! `paddock top`.

mod columns;
mod feed;
mod state;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use clap::Args;
use ratatui::crossterm::event::{self, Event as Input};
use ratatui::crossterm::style::force_color_output;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, interval};

use self::state::{Action, Event, Top};
use crate::admin::{AdminArgs, Client, Trouble};
use crate::exit::Exit;
use crate::output;
use crate::threads;

/// How often times that pass are shown anew.
const TICK: Duration = Duration::from_secs(1);

/// How long a key is waited for at once: no longer does the end wait for the thread that does.
const KEY: Duration = Duration::from_millis(100);

/// Events that wait to be shown; who tells them waits as well.
const AHEAD: usize = 64;

/// Flags of `paddock top`.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

/// Shows what is told until somebody quits.
pub(super) fn run(args: TopArgs) -> Exit {
    if !(io::stdin().is_terminal() && output::is_terminal()) {
        output::error("error: top wants a terminal; `paddock status` says the same once");
        return Exit::Usage;
    }
    args.admin.run(|client| async move {
        threads::ensure(threads::BLOCKING)?;
        let mut terminal = ratatui::try_init()?;
        let ended = show(&mut terminal, client).await;
        ratatui::restore();
        ended
    })
}

async fn show(terminal: &mut ratatui::DefaultTerminal, client: Client) -> Result<(), Trouble> {
    let mut top = Top::new(output::printable(&client.at().to_string()));
    top.colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    // Where colours are unwanted, crossterm would take back what is bold or reversed with them.
    force_color_output(true);
    let (tell, mut told) = channel(AHEAD);
    let mut tasks = JoinSet::new();
    tasks.spawn(feed::follow(client.clone(), tell.clone()));
    tasks.spawn(keys(tell.clone()));
    let mut tick = interval(TICK);
    loop {
        let now = Instant::now();
        terminal.draw(|frame| view::draw(&top, now, frame))?;
        let event = tokio::select! {
            event = told.recv() => event,
            _ = tick.tick() => None,
        };
        match event.and_then(|event| top.handle(event, Instant::now())) {
            Some(Action::Quit) => return Ok(()),
            Some(Action::Order(what, model)) => {
                tasks.spawn(feed::order(client.clone(), what, model, tell.clone()));
            }
            None => {}
        }
    }
}

/// Tells of keys until nobody listens.
async fn keys(tell: Sender<Event>) {
    while !tell.is_closed() {
        let key =
            spawn_blocking(|| event::poll(KEY).and_then(|any| any.then(event::read).transpose()));
        let event = match key.await {
            Ok(Ok(Some(Input::Key(key)))) => Event::Key(key.code, key.modifiers),
            // A window of another size is drawn anew.
            Ok(Ok(Some(Input::Resize(..)))) => Event::Resized,
            Ok(Ok(_)) => continue,
            // A terminal that is gone has nobody at it.
            Ok(Err(_)) | Err(_) => Event::Gone,
        };
        if tell.send(event).await.is_err() {
            return;
        }
    }
}
