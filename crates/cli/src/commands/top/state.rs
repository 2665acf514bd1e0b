//! What is shown: a fold over events.

use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use serde_json::Value;
use std::collections::VecDeque;
use tokio::time::Instant;

/// How many of the last requests are kept.
const REQUESTS: usize = 100;

/// What happens.
#[derive(Debug)]
pub(super) enum Event {
    /// paddock tells an event of `GET /api/events`.
    Told(String, Value),
    /// Nothing comes any more, and why.
    Lost(String),
    /// An order was taken, or refused so.
    Ordered(Option<String>),
    /// Somebody presses a key.
    Key(KeyCode, KeyModifiers),
    /// The terminal has another size.
    Resized,
    /// The terminal has gone.
    Gone,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    /// To be ordered of this model.
    Order(Order, String),
}

/// What can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Load,
    Unload,
    Pin,
    Unpin,
}

/// How old what is shown may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing has been told yet.
    Connecting,
    /// It is as it is.
    Live,
    /// It is as it was then.
    Stale { since: Instant, why: String },
}

/// A model as it was told.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) entry: Value,
    /// When that was.
    pub(super) at: Instant,
}

impl Model {
    /// It is not unloaded to make room.
    pub(super) fn is_pinned(&self) -> bool {
        self.entry["pinned"] == true
    }
}

/// All that is shown.
#[derive(Debug)]
pub(super) struct Top {
    /// Who tells it.
    pub(super) address: String,
    /// Whether it has colours.
    pub(super) colours: bool,
    pub(super) link: Link,
    pub(super) models: Vec<Model>,
    pub(super) memory: Value,
    /// The last ones to end, the newest first.
    pub(super) requests: VecDeque<Value>,
    /// How many are in flight, whatever their model.
    pub(super) in_flight: u64,
    /// The place of the model that keys mean.
    pub(super) selected: usize,
    /// What was said to the last order.
    pub(super) note: Option<String>,
}

impl Order {
    /// Its name in the API.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Unload => "unload",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
        }
    }
}

impl Top {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            colours: true,
            link: Link::Connecting,
            models: Vec::new(),
            memory: Value::Null,
            requests: VecDeque::new(),
            in_flight: 0,
            selected: 0,
            note: None,
        }
    }

    /// Takes an event in, and returns what is to be done.
    pub(super) fn handle(&mut self, event: Event, now: Instant) -> Option<Action> {
        match event {
            Event::Told(name, data) => {
                self.link = Link::Live;
                self.told(&name, data, now);
            }
            Event::Lost(why) => {
                // What is old stays as old as it is, however often nobody answers.
                let since = match self.link {
                    Link::Stale { since, .. } => since,
                    Link::Connecting | Link::Live => now,
                };
                self.link = Link::Stale { since, why };
            }
            Event::Ordered(said) => self.note = said,
            Event::Key(code, with) => return self.key(code, with),
            Event::Resized => {}
            Event::Gone => return Some(Action::Quit),
        }
        None
    }

    fn told(&mut self, name: &str, data: Value, now: Instant) {
        match name {
            "snapshot" => {
                let models = data["models"].as_array().into_iter().flatten();
                let model = |entry: &Value| Model {
                    entry: entry.clone(),
                    at: now,
                };
                self.models = models.map(model).collect();
                self.memory = data["memory"].clone();
            }
            "model" => {
                let known = self.models.iter_mut();
                let mut known = known.filter(|model| model.entry["id"] == data["id"]);
                let told = Model {
                    entry: data.clone(),
                    at: now,
                };
                match known.next() {
                    Some(model) => *model = told,
                    None => self.models.push(told),
                }
            }
            "removed" => {
                let place = |model: &Model| model.entry["id"] == data["id"];
                if let Some(at) = self.models.iter().position(place) {
                    self.models.remove(at);
                    self.selected -= usize::from(at < self.selected);
                }
            }
            "memory" => self.memory = data,
            "in_flight" => self.in_flight = data["total"].as_u64().unwrap_or(0),
            "request" => {
                self.requests.push_front(data);
                self.requests.truncate(REQUESTS);
            }
            // Those that this reader missed, and what a later paddock tells.
            _ => {}
        }
        self.selected = self.selected.min(self.models.len().saturating_sub(1));
    }

    fn key(&mut self, code: KeyCode, with: KeyModifiers) -> Option<Action> {
        let last = self.models.len().saturating_sub(1);
        match code {
            KeyCode::Char('c') if with.contains(KeyModifiers::CONTROL) => Some(Action::Quit),
            KeyCode::Char('q') | KeyCode::Esc => Some(Action::Quit),
            KeyCode::Char('l') => self.order(Order::Load),
            KeyCode::Char('u') => self.order(Order::Unload),
            KeyCode::Char('p') => {
                let model = self.models.get(self.selected)?;
                let pinned = model.is_pinned();
                self.order(if pinned { Order::Unpin } else { Order::Pin })
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

    fn order(&mut self, order: Order) -> Option<Action> {
        self.note = None;
        let model = self.models.get(self.selected)?;
        let model = model.entry["id"].as_str()?.to_owned();
        Some(Action::Order(order, model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn told(top: &mut Top, name: &str, data: Value, now: Instant) {
        assert_eq!(top.handle(Event::Told(name.to_owned(), data), now), None);
    }

    fn press(top: &mut Top, key: char) -> Option<Action> {
        top.handle(
            Event::Key(KeyCode::Char(key), KeyModifiers::NONE),
            Instant::now(),
        )
    }

    fn names(top: &Top) -> Vec<&str> {
        let names = top.models.iter();
        names
            .filter_map(|model| model.entry["id"].as_str())
            .collect()
    }

    #[test]
    fn models_come_change_and_go() {
        let now = Instant::now();
        let mut top = Top::new("x".to_owned());
        let all = json!({ "models": [{ "id": "a" }, { "id": "b" }], "memory": { "used": 1 } });
        told(&mut top, "snapshot", all, now);
        told(
            &mut top,
            "model",
            json!({ "id": "b", "status": "ready" }),
            now,
        );
        told(&mut top, "model", json!({ "id": "c" }), now);
        assert_eq!(names(&top), ["a", "b", "c"]);
        assert_eq!(top.models[1].entry["status"], "ready");
        press(&mut top, 'j');
        press(&mut top, 'j');
        press(&mut top, 'j');
        told(&mut top, "removed", json!({ "id": "a" }), now);
        assert_eq!((names(&top), top.selected), (vec!["b", "c"], 1));
        let order = |order, name: &str| Some(Action::Order(order, name.to_owned()));
        assert_eq!(press(&mut top, 'l'), order(Order::Load, "c"));
        told(&mut top, "removed", json!({ "id": "c" }), now);
        assert_eq!(press(&mut top, 'u'), order(Order::Unload, "b"));
        told(&mut top, "removed", json!({ "id": "b" }), now);
        assert_eq!(press(&mut top, 'l'), None, "there is none");
        told(&mut top, "later", json!({ "id": "d" }), now);
        assert_eq!(names(&top), [""; 0]);
    }

    #[test]
    fn a_key_pins_and_unpins() {
        let now = Instant::now();
        let mut top = Top::new("x".to_owned());
        assert_eq!(press(&mut top, 'p'), None, "there is none");
        for (pinned, order) in [(false, Order::Pin), (true, Order::Unpin)] {
            let model = json!({ "id": "a", "pinned": pinned });
            told(&mut top, "model", model, now);
            let order = Action::Order(order, "a".to_owned());
            assert_eq!(press(&mut top, 'p'), Some(order));
        }
    }

    #[test]
    fn the_last_requests_are_kept_and_no_more() {
        let mut top = Top::new("x".to_owned());
        for seq in 0..1000 {
            told(&mut top, "request", json!({ "seq": seq }), Instant::now());
        }
        assert_eq!(top.requests.len(), REQUESTS);
        assert_eq!(top.requests[0]["seq"], 999);
    }

    #[test]
    fn what_is_stale_stays_so_until_something_is_told() {
        let now = Instant::now();
        let mut top = Top::new("x".to_owned());
        told(
            &mut top,
            "snapshot",
            json!({ "models": [{ "id": "a" }] }),
            now,
        );
        assert_eq!(top.link, Link::Live);
        for seconds in [1, 2] {
            let later = now + Duration::from_secs(seconds);
            top.handle(Event::Lost(format!("{seconds}")), later);
        }
        let stale = Link::Stale {
            since: now + Duration::from_secs(1),
            why: "2".to_owned(),
        };
        assert_eq!((&top.link, names(&top)), (&stale, vec!["a"]));
        told(&mut top, "snapshot", json!({ "models": [] }), now);
        assert_eq!((&top.link, names(&top)), (&Link::Live, vec![]));
    }

    #[test]
    fn keys_quit() {
        let mut top = Top::new("x".to_owned());
        assert_eq!(press(&mut top, 'q'), Some(Action::Quit));
        assert_eq!(press(&mut top, 'c'), None);
        let control = Event::Key(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(top.handle(control, Instant::now()), Some(Action::Quit));
        assert_eq!(top.handle(Event::Gone, Instant::now()), Some(Action::Quit));
    }
}
