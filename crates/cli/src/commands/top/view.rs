//! How it is shown.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph, TableState, Wrap};
use serde_json::Value;
use tokio::time::Instant;

use super::columns::{Column, fixed, growing, table};
use super::state::{Link, Model, Top};
use crate::commands::status::total;
use crate::output::printable;
use crate::table::filled;
use crate::units::{age, duration, size};

const MODELS: [Column; 7] = [
    growing("MODEL", 14, 9),
    fixed("STATUS", 14, 8),
    fixed("SINCE", 8, 1),
    fixed("IN FLIGHT", 9, 3),
    fixed("QUEUED", 6, 2),
    fixed("MEMORY", 10, 4),
    fixed("PINNED", 6, 0),
];

const REQUESTS: [Column; 7] = [
    growing("REQUEST", 8, 1),
    growing("MODEL", 10, 9),
    fixed("OUTCOME", 14, 8),
    fixed("TTFT", 8, 4),
    fixed("TOKENS", 7, 3),
    fixed("TOK/S", 7, 5),
    fixed("TOTAL", 8, 2),
];

const KEYS: &str = "↑↓  l load  u unload  p pin  q quit";

/// Draws everything.
pub(super) fn draw(top: &Top, now: Instant, frame: &mut Frame<'_>) {
    let places = places(&top.memory);
    let models = u16::try_from(top.models.len()).unwrap_or(u16::MAX);
    let bars = u16::try_from(places.len()).unwrap_or(u16::MAX);
    let [head, table, memory, requests, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Max(models.saturating_add(2)),
        Constraint::Length(bars.saturating_add(1)),
        Constraint::Min(2),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(headline(top, now), head);
    draw_models(top, now, frame, table);
    for (place, row) in places.iter().zip(memory.rows()) {
        draw_memory(place, colour(top, Color::Blue), frame, row);
    }
    draw_requests(top, frame, requests);
    let note = top.note.as_deref().map(printable);
    frame.render_widget(Line::from(note.unwrap_or_else(|| KEYS.to_owned())), foot);
}

fn headline(top: &Top, now: Instant) -> Paragraph<'_> {
    let (text, colour) = match &top.link {
        Link::Connecting => ("connecting".to_owned(), Color::Yellow),
        Link::Live => (format!("{} in flight", top.in_flight), Color::Green),
        Link::Stale { since, why } => {
            let old = duration(now.saturating_duration_since(*since).as_secs());
            (format!("STALE for {old}: {}", printable(why)), Color::Red)
        }
    };
    let text = format!("paddock at {}  {text}", top.address);
    let text = Paragraph::new(text).wrap(Wrap { trim: true });
    text.style(self::colour(top, colour))
}

/// Letters of this colour, where there are colours.
fn colour(top: &Top, colour: Color) -> Style {
    if top.colours {
        Style::new().fg(colour)
    } else {
        Style::new()
    }
}

fn draw_models(top: &Top, now: Instant, frame: &mut Frame<'_>, area: Rect) {
    let rows = top.models.iter().map(|model| cells(model, now));
    let table = table(&MODELS, rows, area.width).row_highlight_style(Modifier::REVERSED);
    let mut state = TableState::new().with_selected(top.selected);
    frame.render_stateful_widget(table, area, &mut state);
}

fn cells(model: &Model, now: Instant) -> [String; 7] {
    let entry = &model.entry;
    let status = entry["status"].as_str().unwrap_or("unknown");
    let progress = entry["progress"].as_f64().filter(|_| status == "loading");
    let progress = progress.map_or_else(String::new, |part| format!(" {:.0}%", part * 100.0));
    let told = now.saturating_duration_since(model.at).as_secs_f64();
    let since = entry["since"].as_f64().map(|since| age(since + told));
    let number = |key: &str| entry[key].as_u64().map(|number| number.to_string());
    let memory = &entry["memory"];
    let memory = total(&memory["measured"]).or_else(|| total(&memory["predicted"]));
    let cells = [
        entry["id"].as_str().map(printable),
        Some(printable(status) + &progress),
        since,
        number("in_flight"),
        number("queued"),
        memory.map(size),
        model.is_pinned().then(|| "yes".to_owned()),
    ];
    filled(cells)
}

/// A memory: its name, what of it is used, and how much may be.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    name: String,
    used: u64,
    budget: Option<u64>,
}

/// The host's memory and each device's.
fn places(memory: &Value) -> Vec<Place> {
    let (used, budget) = (&memory["used"], &memory["budget"]);
    if !used.is_object() {
        return Vec::new();
    }
    let host = Place {
        name: "host".to_owned(),
        used: used["host"].as_u64().unwrap_or(0),
        budget: budget["host"].as_u64(),
    };
    let devices = used["devices"].as_object().into_iter().flatten();
    let devices = devices.map(|(name, bytes)| Place {
        name: printable(name),
        used: bytes.as_u64().unwrap_or(0),
        budget: budget["devices"][name].as_u64(),
    });
    std::iter::once(host).chain(devices).collect()
}

fn draw_memory(place: &Place, style: Style, frame: &mut Frame<'_>, row: Rect) {
    let [name, bar] = Layout::horizontal([Constraint::Length(12), Constraint::Fill(1)]).areas(row);
    frame.render_widget(Line::from(place.name.as_str()), name);
    let used = size(place.used);
    let Some(budget) = place.budget else {
        frame.render_widget(Line::from(format!("{used} used, no limit")), bar);
        return;
    };
    #[expect(clippy::cast_precision_loss, reason = "a bar has some hundred steps")]
    let part = place.used as f64 / budget.max(1) as f64;
    let gauge = Gauge::default()
        .ratio(part.clamp(0.0, 1.0))
        .label(format!("{used} of {}", size(budget)))
        .gauge_style(style);
    frame.render_widget(gauge, bar);
}

fn draw_requests(top: &Top, frame: &mut Frame<'_>, area: Rect) {
    let rows = top.requests.iter().map(request_cells);
    frame.render_widget(table(&REQUESTS, rows, area.width), area);
}

fn request_cells(request: &Value) -> [String; 7] {
    let text = |key: &str| request[key].as_str().map(printable);
    let seconds = |key: &str| request[key].as_f64().map(|it| format!("{it:.2} s"));
    let cells = [
        text("id"),
        text("model"),
        text("error").or_else(|| text("outcome")),
        seconds("ttft_seconds"),
        request["tokens"]["generated"]
            .as_u64()
            .map(|it| it.to_string()),
        request["tokens_per_second"]
            .as_f64()
            .map(|it| format!("{it:.1}")),
        seconds("total_seconds"),
    ];
    filled(cells)
}

#[cfg(test)]
mod tests {
    use super::super::state::Event;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;
    use std::time::Duration;

    fn drawn(top: &Top, now: Instant) -> String {
        drawn_in(80, top, now)
    }

    fn drawn_in(width: u16, top: &Top, now: Instant) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 14)).unwrap();
        terminal.draw(|frame| draw(top, now, frame)).unwrap();
        terminal.backend().to_string()
    }

    fn told(top: &mut Top, now: Instant) {
        let ready = json!({ "id": "gemma", "status": "ready", "since": 61.7, "in_flight": 2, "queued": 1,
            "progress": 1.0, "pinned": true, "memory": { "measured": { "host": 3u64 << 29, "devices": {} } } });
        let loading = json!({ "id": "qwen\u{1b}[2J", "status": "loading", "since": 1.0, "in_flight": 0,
            "queued": 3, "progress": 0.42, "memory": { "predicted": { "host": 1u64 << 30, "devices": {} } } });
        let memory = json!({ "used": { "host": 1u64 << 30, "devices": { "CUDA0": 1u64 << 31 } },
            "budget": { "host": 1u64 << 32, "devices": { "CUDA0": null } } });
        let all = json!({ "models": [ready, loading], "memory": memory });
        let request = json!({ "id": "0198f2c4", "model": "gemma", "outcome": "complete", "error": null,
            "ttft_seconds": 0.213, "total_seconds": 2.5, "tokens": { "generated": 128 },
            "tokens_per_second": 51.25 });
        let refused = json!({ "id": "0198f2c5", "model": null, "outcome": "refused",
            "error": "unknown_model", "ttft_seconds": null, "total_seconds": 0.001, "tokens": null });
        for (name, data) in [
            ("snapshot", all),
            ("request", request),
            ("request", refused),
            ("in_flight", json!({ "total": 2 })),
        ] {
            top.handle(Event::Told(name.to_owned(), data), now);
        }
    }

    #[test]
    fn everything_has_its_place() {
        let now = Instant::now();
        let mut top = Top::new("127.0.0.1:8081".to_owned());
        insta::assert_snapshot!("connecting", drawn(&top, now));
        told(&mut top, now);
        insta::assert_snapshot!("live", drawn(&top, now + Duration::from_mins(1)));
        insta::assert_snapshot!("narrow", drawn_in(40, &top, now));
        top.handle(Event::Lost("the paddock has gone".to_owned()), now);
        top.handle(Event::Ordered(Some("no\u{1b}".to_owned())), now);
        insta::assert_snapshot!("stale", drawn(&top, now + Duration::from_secs(5)));
    }

    #[test]
    fn a_window_of_any_size_is_drawn() {
        let now = Instant::now();
        let mut top = Top::new("x".to_owned());
        told(&mut top, now);
        for (width, height) in [(1, 1), (5, 3), (200, 2), (10, 60)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(&top, now, frame)).unwrap();
        }
    }
}
