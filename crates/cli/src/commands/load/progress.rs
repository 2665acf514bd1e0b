//! Shows the progress of a load on a terminal.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use paddock_api::{Event, LoadResult, Model};

use crate::admin::{AdminClient, CommandError, ModelAction, TypedAnswer};
use crate::{output, threads};

/// Template of the bar, which truncates the model's name to fit on one line.
const BAR_TEMPLATE: &str = "{wide_msg}  [{bar:12}] {pos:>3}%  {elapsed}";

/// Characters of the bar, from full to empty.
const BAR_CHARACTERS: &str = "█▉▊▋▌▍▎▏ ";

/// Time between two updates of the elapsed time.
const TICK_INTERVAL: Duration = Duration::from_millis(200);

/// Loads a model and shows its progress until the answer.
pub(in super::super) async fn load_with_progress(
    client: &AdminClient,
    model: &str,
) -> Result<TypedAnswer<LoadResult>, CommandError> {
    // The bar ticks on a thread.
    threads::ensure_available(1)?;
    let bar = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template(BAR_TEMPLATE) {
        bar.set_style(style.progress_chars(BAR_CHARACTERS));
    }
    bar.set_message(output::printable(model));
    bar.enable_steady_tick(TICK_INTERVAL);
    let mut loading = pin!(client.finish_load(ModelAction::Load, model));
    let answer = tokio::select! {
        answer = &mut loading => answer,
        // Waits without progress if the events end.
        _ = follow_progress(client, model, &bar) => loading.await,
    };
    bar.finish_and_clear();
    answer
}

/// Shows the model's progress until the events end.
async fn follow_progress(
    client: &AdminClient,
    model: &str,
    bar: &ProgressBar,
) -> Result<Infallible, CommandError> {
    let mut events = client.events().await?;
    loop {
        for event in events.next().await? {
            if let Some((message, percent)) = model_progress(model, &event) {
                bar.set_message(message);
                bar.set_position(percent);
            }
        }
    }
}

/// Returns the model's status and progress in percent, if the event has them.
fn model_progress(model: &str, event: &Event) -> Option<(String, u64)> {
    let models = match event {
        Event::Snapshot(status) => status.models.as_slice(),
        Event::Model(changed) => std::slice::from_ref(&**changed),
        _ => return None,
    };
    let has_name =
        |entry: &&Model| entry.id == model || entry.aliases.iter().any(|alias| alias == model);
    let entry = models.iter().find(has_name)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is clamped to 0 to 100"
    )]
    let percent = (entry.progress.unwrap_or(0.0) * 100.0).clamp(0.0, 100.0) as u64;
    let id = output::printable(&entry.id);
    Some((format!("{id}: {}", entry.status.as_str()), percent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_api::{MemoryUsage, ModelStatus, Status};

    #[test]
    fn a_model_is_followed_by_any_of_its_names() {
        let loading = Model {
            id: "a\u{1b}".to_owned(),
            aliases: vec!["org/a".to_owned()],
            status: ModelStatus::Loading,
            progress: Some(0.428),
            ..Model::default()
        };
        let expected = Some(("a\u{fffd}: loading".to_owned(), 42));
        let changed = Event::Model(Box::new(loading.clone()));
        assert_eq!(model_progress("org/a", &changed), expected);
        let other = Model {
            id: "b".to_owned(),
            ..Model::default()
        };
        let all = Event::Snapshot(Box::new(Status {
            models: vec![other, loading],
            ..Status::default()
        }));
        assert_eq!(model_progress("a\u{1b}", &all), expected);
        assert_eq!(model_progress("c", &all), None);
        let memory = Event::Memory(MemoryUsage::default());
        assert_eq!(model_progress("a", &memory), None);
    }
}
