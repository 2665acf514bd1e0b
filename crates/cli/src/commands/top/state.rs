//! Holds the state of `paddock top`, and updates it for each event from paddock or the keyboard.

use paddock_api::{EndedRequest, Event, MemoryUsage, Model};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use std::collections::VecDeque;
use tokio::time::Instant;

use crate::admin::ModelAction;

/// Number of ended requests to keep.
const MAX_REQUESTS: usize = 100;

/// An input of the live view.
#[derive(Debug)]
pub(super) enum TopEvent {
    /// An event of `GET /api/events`.
    Server(Event),
    /// The connection was lost, for this reason.
    Disconnected(String),
    /// An action has ended, perhaps with an error.
    ActionDone(Option<String>),
    /// A key was pressed.
    Key(KeyCode, KeyModifiers),
    /// The terminal was resized.
    Resized,
    /// The terminal was closed.
    TerminalGone,
}

/// A side effect that the caller has to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TopEffect {
    Quit,
    /// Run an action on this model.
    Run(ModelAction, String),
}

/// Freshness of the shown state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Freshness {
    /// No event has been received yet.
    Connecting,
    /// The state is current.
    Live,
    /// The connection has been lost `since` then, for the reason `why`.
    Stale { since: Instant, why: String },
}

/// A model's last entry of `GET /api/events`.
#[derive(Debug)]
pub(super) struct ModelEntry {
    pub(super) entry: Model,
    /// Time of the event.
    pub(super) received_at: Instant,
}

/// The state of the live view.
#[derive(Debug)]
pub(super) struct TopState {
    /// Address of the paddock.
    pub(super) address: String,
    /// Set if the terminal shows colours.
    pub(super) colours: bool,
    pub(super) freshness: Freshness,
    pub(super) models: Vec<ModelEntry>,
    pub(super) memory: Option<MemoryUsage>,
    /// Ended requests, newest first.
    pub(super) requests: VecDeque<EndedRequest>,
    /// Number of active requests of all models.
    pub(super) in_flight: u64,
    /// Index of the selected model.
    pub(super) selected: usize,
    /// Error of the last action.
    pub(super) note: Option<String>,
}

impl TopState {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            colours: true,
            freshness: Freshness::Connecting,
            models: Vec::new(),
            memory: None,
            requests: VecDeque::new(),
            in_flight: 0,
            selected: 0,
            note: None,
        }
    }

    /// Applies an event and returns the side effect to run, if any.
    pub(super) fn handle(&mut self, event: TopEvent, now: Instant) -> Option<TopEffect> {
        match event {
            TopEvent::Server(event) => {
                self.freshness = Freshness::Live;
                self.apply_server_event(event, now);
            }
            TopEvent::Disconnected(why) => {
                // Further failures do not change the time of the first.
                let since = match self.freshness {
                    Freshness::Stale { since, .. } => since,
                    Freshness::Connecting | Freshness::Live => now,
                };
                self.freshness = Freshness::Stale { since, why };
            }
            TopEvent::ActionDone(error) => self.note = error,
            TopEvent::Key(code, modifiers) => return self.handle_key(code, modifiers),
            TopEvent::Resized => {}
            TopEvent::TerminalGone => return Some(TopEffect::Quit),
        }
        None
    }

    fn apply_server_event(&mut self, event: Event, now: Instant) {
        let model = |entry: Model| ModelEntry {
            entry,
            received_at: now,
        };
        match event {
            Event::Snapshot(status) => {
                self.models = status.models.into_iter().map(model).collect();
                self.memory = status.memory;
            }
            Event::Model(changed) => {
                let updated = model(*changed);
                let mut models = self.models.iter_mut();
                match models.find(|model| model.entry.id == updated.entry.id) {
                    Some(model) => *model = updated,
                    None => self.models.push(updated),
                }
            }
            Event::Removed(removed) => {
                let is_removed = |model: &ModelEntry| model.entry.id == removed.id;
                if let Some(index) = self.models.iter().position(is_removed) {
                    self.models.remove(index);
                    self.selected -= usize::from(index < self.selected);
                }
            }
            Event::Memory(memory) => self.memory = Some(memory),
            Event::InFlight(active) => self.in_flight = active.total,
            Event::Request(request) => {
                self.requests.push_front(*request);
                self.requests.truncate(MAX_REQUESTS);
            }
            Event::Missed(_) => {}
        }
        self.selected = self.selected.min(self.models.len().saturating_sub(1));
    }

    fn handle_key(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Option<TopEffect> {
        let last = self.models.len().saturating_sub(1);
        match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => {
                Some(TopEffect::Quit)
            }
            KeyCode::Char('q') | KeyCode::Esc => Some(TopEffect::Quit),
            KeyCode::Char('l') => self.run(ModelAction::Load),
            KeyCode::Char('u') => self.run(ModelAction::Unload),
            KeyCode::Char('p') => {
                let model = self.models.get(self.selected)?;
                let pinned = model.entry.pinned;
                self.run(if pinned {
                    ModelAction::Unpin
                } else {
                    ModelAction::Pin
                })
            }
            KeyCode::Up | KeyCode::Char('k') => {
                self.selected = self.selected.saturating_sub(1);
                None
            }
            KeyCode::Down | KeyCode::Char('j') => {
                self.selected = last.min(self.selected + 1);
                None
            }
            _ => None,
        }
    }

    fn run(&mut self, action: ModelAction) -> Option<TopEffect> {
        self.note = None;
        let model = self.models.get(self.selected)?;
        Some(TopEffect::Run(action, model.entry.id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_api::{ModelStatus, RemovedModel, Status};
    use std::time::Duration;

    fn receive(top: &mut TopState, event: Event, now: Instant) {
        assert_eq!(top.handle(TopEvent::Server(event), now), None);
    }

    fn model(id: &str) -> Model {
        Model {
            id: id.to_owned(),
            ..Model::default()
        }
    }

    fn snapshot(ids: &[&str]) -> Event {
        Event::Snapshot(Box::new(Status {
            models: ids.iter().map(|id| model(id)).collect(),
            ..Status::default()
        }))
    }

    fn changed(model: Model) -> Event {
        Event::Model(Box::new(model))
    }

    fn removed(id: &str) -> Event {
        Event::Removed(RemovedModel { id: id.to_owned() })
    }

    fn press(top: &mut TopState, key: char) -> Option<TopEffect> {
        top.handle(
            TopEvent::Key(KeyCode::Char(key), KeyModifiers::NONE),
            Instant::now(),
        )
    }

    fn names(top: &TopState) -> Vec<&str> {
        let names = top.models.iter();
        names.map(|model| model.entry.id.as_str()).collect()
    }

    #[test]
    fn models_come_change_and_go() {
        let now = Instant::now();
        let mut top = TopState::new("x".to_owned());
        receive(&mut top, snapshot(&["a", "b"]), now);
        let ready = Model {
            status: ModelStatus::Ready,
            ..model("b")
        };
        receive(&mut top, changed(ready), now);
        receive(&mut top, changed(model("c")), now);
        assert_eq!(names(&top), ["a", "b", "c"]);
        assert_eq!(top.models[1].entry.status, ModelStatus::Ready);
        press(&mut top, 'j');
        press(&mut top, 'j');
        press(&mut top, 'j');
        receive(&mut top, removed("a"), now);
        assert_eq!((names(&top), top.selected), (vec!["b", "c"], 1));
        let order = |order, name: &str| Some(TopEffect::Run(order, name.to_owned()));
        assert_eq!(press(&mut top, 'l'), order(ModelAction::Load, "c"));
        receive(&mut top, removed("c"), now);
        assert_eq!(press(&mut top, 'u'), order(ModelAction::Unload, "b"));
        receive(&mut top, removed("b"), now);
        assert_eq!(press(&mut top, 'l'), None, "there is none");
        assert_eq!(names(&top), [""; 0]);
    }

    #[test]
    fn a_key_pins_and_unpins() {
        let now = Instant::now();
        let mut top = TopState::new("x".to_owned());
        assert_eq!(press(&mut top, 'p'), None, "there is none");
        for (pinned, order) in [(false, ModelAction::Pin), (true, ModelAction::Unpin)] {
            let model = Model {
                pinned,
                ..model("a")
            };
            receive(&mut top, changed(model), now);
            let order = TopEffect::Run(order, "a".to_owned());
            assert_eq!(press(&mut top, 'p'), Some(order));
        }
    }

    #[test]
    fn the_last_requests_are_kept_and_no_more() {
        let mut top = TopState::new("x".to_owned());
        for seq in 0..1000 {
            let request = EndedRequest {
                seq,
                ..EndedRequest::default()
            };
            receive(&mut top, Event::Request(Box::new(request)), Instant::now());
        }
        assert_eq!(top.requests.len(), MAX_REQUESTS);
        assert_eq!(top.requests[0].seq, 999);
    }

    #[test]
    fn what_is_stale_stays_so_until_something_is_told() {
        let now = Instant::now();
        let mut top = TopState::new("x".to_owned());
        receive(&mut top, snapshot(&["a"]), now);
        assert_eq!(top.freshness, Freshness::Live);
        for seconds in [1, 2] {
            let later = now + Duration::from_secs(seconds);
            top.handle(TopEvent::Disconnected(format!("{seconds}")), later);
        }
        let stale = Freshness::Stale {
            since: now + Duration::from_secs(1),
            why: "2".to_owned(),
        };
        assert_eq!((&top.freshness, names(&top)), (&stale, vec!["a"]));
        receive(&mut top, snapshot(&[]), now);
        assert_eq!((&top.freshness, names(&top)), (&Freshness::Live, vec![]));
    }

    #[test]
    fn keys_quit() {
        let mut top = TopState::new("x".to_owned());
        assert_eq!(press(&mut top, 'q'), Some(TopEffect::Quit));
        assert_eq!(press(&mut top, 'c'), None);
        let control = TopEvent::Key(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(top.handle(control, Instant::now()), Some(TopEffect::Quit));
        assert_eq!(
            top.handle(TopEvent::TerminalGone, Instant::now()),
            Some(TopEffect::Quit)
        );
    }
}
