//! `paddock top`: shows models, memory and requests live on a terminal, and reads the keyboard.

mod columns;
mod event_feed;
mod render;
mod state;

use std::io::{self, IsTerminal};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use clap::Args;
use ratatui::crossterm::event::{self, Event as Input};
use ratatui::crossterm::style::force_color_output;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, interval};

use self::state::{TopEffect, TopEvent, TopState};
use crate::admin::{AdminArgs, AdminClient, CommandError};
use crate::exit::Exit;
use crate::output;
use crate::threads;

/// Time between two redraws without events, which update the shown times.
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait for a key before the thread that reads keys checks whether the user has quit. Quitting may take as
/// long.
const KEY_POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Capacity of the channel of events. Senders wait while the channel is full.
const MAX_QUEUED_EVENTS: usize = 64;

/// Flags of `paddock top`.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

/// Shows the state of a paddock until the user quits.
pub(super) fn run(args: TopArgs) -> Exit {
    if !(io::stdin().is_terminal() && output::is_terminal()) {
        output::print_error("error: `paddock top` needs a terminal; use `paddock status` instead");
        return Exit::Usage;
    }
    args.admin.run(|client| async move {
        threads::ensure_available(threads::TERMINAL_THREADS)?;
        let mut terminal = ratatui::try_init()?;
        let ended = run_ui(&mut terminal, client).await;
        ratatui::restore();
        ended
    })
}

/// Draws the view and handles events until the user quits.
async fn run_ui(
    terminal: &mut ratatui::DefaultTerminal,
    client: AdminClient,
) -> Result<(), CommandError> {
    let mut top = TopState::new(output::printable(&client.address().to_string()));
    top.colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    // Without colours, crossterm would also drop bold and reversed text.
    force_color_output(true);
    let (sender, mut events) = channel(MAX_QUEUED_EVENTS);
    let mut tasks = JoinSet::new();
    tasks.spawn(event_feed::follow_events(client.clone(), sender.clone()));
    tasks.spawn(read_keys(sender.clone()));
    let mut tick = interval(REDRAW_INTERVAL);
    loop {
        let now = Instant::now();
        terminal.draw(|frame| render::draw(&top, now, frame))?;
        let event = tokio::select! {
            event = events.recv() => event,
            _ = tick.tick() => None,
        };
        match event.and_then(|event| top.handle(event, Instant::now())) {
            Some(TopEffect::Quit) => return Ok(()),
            Some(TopEffect::Run(action, model)) => {
                tasks.spawn(event_feed::run_action(
                    client.clone(),
                    action,
                    model,
                    sender.clone(),
                ));
            }
            None => {}
        }
    }
}

/// Sends keys until the receiver is dropped.
async fn read_keys(sender: Sender<TopEvent>) {
    while !sender.is_closed() {
        let key = spawn_blocking(|| {
            event::poll(KEY_POLL_TIMEOUT).and_then(|any| any.then(event::read).transpose())
        });
        let event = match key.await {
            Ok(Ok(Some(Input::Key(key)))) => TopEvent::Key(key.code, key.modifiers),
            Ok(Ok(Some(Input::Resize(..)))) => TopEvent::Resized,
            Ok(Ok(_)) => continue,
            // The terminal has been closed.
            Ok(Err(_)) | Err(_) => TopEvent::TerminalGone,
        };
        if sender.send(event).await.is_err() {
            return;
        }
    }
}
