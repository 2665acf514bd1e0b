//! Holds the state of the live view, which events update.

use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use serde_json::Value;
use std::collections::VecDeque;
use tokio::time::Instant;

/// Number of ended requests to keep.
const MAX_REQUESTS: usize = 100;

/// An input of the live view.
#[derive(Debug)]
pub(super) enum TopEvent {
    /// An event of `GET /api/events`: its name and data.
    Server(String, Value),
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

/// An action on a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelAction {
    Load,
    Unload,
    Pin,
    Unpin,
}

/// Freshness of the shown state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Freshness {
    /// No event has been received yet.
    Connecting,
    /// The state is current.
    Live,
    /// The connection is lost since then.
    Stale { since: Instant, why: String },
}

/// A model's last entry of `GET /api/events`.
#[derive(Debug)]
pub(super) struct ModelEntry {
    pub(super) entry: Value,
    /// Time of the event.
    pub(super) received_at: Instant,
}

impl ModelEntry {
    /// Returns whether the model is pinned.
    pub(super) fn is_pinned(&self) -> bool {
        self.entry["pinned"] == true
    }
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
    pub(super) memory: Value,
    /// Ended requests, newest first.
    pub(super) requests: VecDeque<Value>,
    /// Number of active requests of all models.
    pub(super) in_flight: u64,
    /// Index of the selected model.
    pub(super) selected: usize,
    /// Error of the last action.
    pub(super) note: Option<String>,
}

impl ModelAction {
    /// Returns the action's name in the API.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Unload => "unload",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
        }
    }
}

impl TopState {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            colours: true,
            freshness: Freshness::Connecting,
            models: Vec::new(),
            memory: Value::Null,
            requests: VecDeque::new(),
            in_flight: 0,
            selected: 0,
            note: None,
        }
    }

    /// Applies an event and returns the side effect to run, if any.
    pub(super) fn handle(&mut self, event: TopEvent, now: Instant) -> Option<TopEffect> {
        match event {
            TopEvent::Server(name, data) => {
                self.freshness = Freshness::Live;
                self.apply_server_event(&name, data, now);
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

    fn apply_server_event(&mut self, name: &str, data: Value, now: Instant) {
        match name {
            "snapshot" => {
                let models = data["models"].as_array().into_iter().flatten();
                let model = |entry: &Value| ModelEntry {
                    entry: entry.clone(),
                    received_at: now,
                };
                self.models = models.map(model).collect();
                self.memory = data["memory"].clone();
            }
            "model" => {
                let matching = self.models.iter_mut();
                let mut matching = matching.filter(|model| model.entry["id"] == data["id"]);
                let updated = ModelEntry {
                    entry: data.clone(),
                    received_at: now,
                };
                match matching.next() {
                    Some(model) => *model = updated,
                    None => self.models.push(updated),
                }
            }
            "removed" => {
                let is_removed = |model: &ModelEntry| model.entry["id"] == data["id"];
                if let Some(index) = self.models.iter().position(is_removed) {
                    self.models.remove(index);
                    self.selected -= usize::from(index < self.selected);
                }
            }
            "memory" => self.memory = data,
            "in_flight" => self.in_flight = data["total"].as_u64().unwrap_or(0),
            "request" => {
                self.requests.push_front(data);
                self.requests.truncate(MAX_REQUESTS);
            }
            // `missed`, and events of a later paddock.
            _ => {}
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
                let pinned = model.is_pinned();
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
        let model = model.entry["id"].as_str()?.to_owned();
        Some(TopEffect::Run(action, model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn receive(top: &mut TopState, name: &str, data: Value, now: Instant) {
        assert_eq!(
            top.handle(TopEvent::Server(name.to_owned(), data), now),
            None
        );
    }

    fn press(top: &mut TopState, key: char) -> Option<TopEffect> {
        top.handle(
            TopEvent::Key(KeyCode::Char(key), KeyModifiers::NONE),
            Instant::now(),
        )
    }

    fn names(top: &TopState) -> Vec<&str> {
        let names = top.models.iter();
        names
            .filter_map(|model| model.entry["id"].as_str())
            .collect()
    }

    #[test]
    fn models_come_change_and_go() {
        let now = Instant::now();
        let mut top = TopState::new("x".to_owned());
        let all = json!({ "models": [{ "id": "a" }, { "id": "b" }], "memory": { "used": 1 } });
        receive(&mut top, "snapshot", all, now);
        receive(
            &mut top,
            "model",
            json!({ "id": "b", "status": "ready" }),
            now,
        );
        receive(&mut top, "model", json!({ "id": "c" }), now);
        assert_eq!(names(&top), ["a", "b", "c"]);
        assert_eq!(top.models[1].entry["status"], "ready");
        press(&mut top, 'j');
        press(&mut top, 'j');
        press(&mut top, 'j');
        receive(&mut top, "removed", json!({ "id": "a" }), now);
        assert_eq!((names(&top), top.selected), (vec!["b", "c"], 1));
        let order = |order, name: &str| Some(TopEffect::Run(order, name.to_owned()));
        assert_eq!(press(&mut top, 'l'), order(ModelAction::Load, "c"));
        receive(&mut top, "removed", json!({ "id": "c" }), now);
        assert_eq!(press(&mut top, 'u'), order(ModelAction::Unload, "b"));
        receive(&mut top, "removed", json!({ "id": "b" }), now);
        assert_eq!(press(&mut top, 'l'), None, "there is none");
        receive(&mut top, "later", json!({ "id": "d" }), now);
        assert_eq!(names(&top), [""; 0]);
    }

    #[test]
    fn a_key_pins_and_unpins() {
        let now = Instant::now();
        let mut top = TopState::new("x".to_owned());
        assert_eq!(press(&mut top, 'p'), None, "there is none");
        for (pinned, order) in [(false, ModelAction::Pin), (true, ModelAction::Unpin)] {
            let model = json!({ "id": "a", "pinned": pinned });
            receive(&mut top, "model", model, now);
            let order = TopEffect::Run(order, "a".to_owned());
            assert_eq!(press(&mut top, 'p'), Some(order));
        }
    }

    #[test]
    fn the_last_requests_are_kept_and_no_more() {
        let mut top = TopState::new("x".to_owned());
        for seq in 0..1000 {
            receive(&mut top, "request", json!({ "seq": seq }), Instant::now());
        }
        assert_eq!(top.requests.len(), MAX_REQUESTS);
        assert_eq!(top.requests[0]["seq"], 999);
    }

    #[test]
    fn what_is_stale_stays_so_until_something_is_told() {
        let now = Instant::now();
        let mut top = TopState::new("x".to_owned());
        receive(
            &mut top,
            "snapshot",
            json!({ "models": [{ "id": "a" }] }),
            now,
        );
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
        receive(&mut top, "snapshot", json!({ "models": [] }), now);
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
