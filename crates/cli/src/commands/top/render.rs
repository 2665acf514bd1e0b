//! Draws the live view.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph, TableState, Wrap};
use serde_json::Value;
use tokio::time::Instant;

use super::columns::{TableColumn, build_table, fixed_column, growing_column};
use super::state::{Freshness, ModelEntry, TopState};
use crate::commands::status::total_bytes;
use crate::format::{format_age, format_bytes, format_duration};
use crate::output::printable;
use crate::table::fill_empty;

const MODEL_COLUMNS: [TableColumn; 7] = [
    growing_column("MODEL", 14, 9),
    fixed_column("STATUS", 14, 8),
    fixed_column("SINCE", 8, 1),
    fixed_column("IN FLIGHT", 9, 3),
    fixed_column("QUEUED", 6, 2),
    fixed_column("MEMORY", 10, 4),
    fixed_column("PINNED", 6, 0),
];

const REQUEST_COLUMNS: [TableColumn; 7] = [
    growing_column("REQUEST", 8, 1),
    growing_column("MODEL", 10, 9),
    fixed_column("OUTCOME", 14, 8),
    fixed_column("TTFT", 8, 4),
    fixed_column("TOKENS", 7, 3),
    fixed_column("TOK/S", 7, 5),
    fixed_column("TOTAL", 8, 2),
];

const KEY_HELP: &str = "↑↓  l load  u unload  p pin  q quit";

/// Draws everything.
pub(super) fn draw(top: &TopState, now: Instant, frame: &mut Frame<'_>) {
    let memory_bars = memory_bars(&top.memory);
    let models = u16::try_from(top.models.len()).unwrap_or(u16::MAX);
    let bars = u16::try_from(memory_bars.len()).unwrap_or(u16::MAX);
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
    for (bar, row) in memory_bars.iter().zip(memory.rows()) {
        draw_memory(bar, style_in(top, Color::Blue), frame, row);
    }
    draw_requests(top, frame, requests);
    let note = top.note.as_deref().map(printable);
    frame.render_widget(
        Line::from(note.unwrap_or_else(|| KEY_HELP.to_owned())),
        foot,
    );
}

fn headline(top: &TopState, now: Instant) -> Paragraph<'_> {
    let (text, colour) = match &top.freshness {
        Freshness::Connecting => ("connecting".to_owned(), Color::Yellow),
        Freshness::Live => (format!("{} in flight", top.in_flight), Color::Green),
        Freshness::Stale { since, why } => {
            let old = format_duration(now.saturating_duration_since(*since).as_secs());
            (format!("STALE for {old}: {}", printable(why)), Color::Red)
        }
    };
    let text = format!("paddock at {}  {text}", top.address);
    let text = Paragraph::new(text).wrap(Wrap { trim: true });
    text.style(style_in(top, colour))
}

/// Returns a style with this colour, if the terminal shows colours.
fn style_in(top: &TopState, colour: Color) -> Style {
    if top.colours {
        Style::new().fg(colour)
    } else {
        Style::new()
    }
}

fn draw_models(top: &TopState, now: Instant, frame: &mut Frame<'_>, area: Rect) {
    let rows = top.models.iter().map(|model| model_cells(model, now));
    let table =
        build_table(&MODEL_COLUMNS, rows, area.width).row_highlight_style(Modifier::REVERSED);
    let mut state = TableState::new().with_selected(top.selected);
    frame.render_stateful_widget(table, area, &mut state);
}

fn model_cells(model: &ModelEntry, now: Instant) -> [String; 7] {
    let entry = &model.entry;
    let status = entry["status"].as_str().unwrap_or("unknown");
    let progress = entry["progress"].as_f64().filter(|_| status == "loading");
    let progress = progress.map_or_else(String::new, |part| format!(" {:.0}%", part * 100.0));
    let age = now
        .saturating_duration_since(model.received_at)
        .as_secs_f64();
    let since = entry["since"].as_f64().map(|since| format_age(since + age));
    let number = |key: &str| entry[key].as_u64().map(|number| number.to_string());
    let memory = &entry["memory"];
    let memory = total_bytes(&memory["measured"]).or_else(|| total_bytes(&memory["predicted"]));
    let cells = [
        entry["id"].as_str().map(printable),
        Some(printable(status) + &progress),
        since,
        number("in_flight"),
        number("queued"),
        memory.map(format_bytes),
        model.is_pinned().then(|| "yes".to_owned()),
    ];
    fill_empty(cells)
}

/// The bar of a memory: its name, use and budget.
#[derive(Debug, PartialEq, Eq)]
struct MemoryBar {
    name: String,
    used: u64,
    budget: Option<u64>,
}

/// Returns the bars of the host's memory and of each device.
fn memory_bars(memory: &Value) -> Vec<MemoryBar> {
    let (used, budget) = (&memory["used"], &memory["budget"]);
    if !used.is_object() {
        return Vec::new();
    }
    let host = MemoryBar {
        name: "host".to_owned(),
        used: used["host"].as_u64().unwrap_or(0),
        budget: budget["host"].as_u64(),
    };
    let devices = used["devices"].as_object().into_iter().flatten();
    let devices = devices.map(|(name, bytes)| MemoryBar {
        name: printable(name),
        used: bytes.as_u64().unwrap_or(0),
        budget: budget["devices"][name].as_u64(),
    });
    std::iter::once(host).chain(devices).collect()
}

fn draw_memory(memory: &MemoryBar, style: Style, frame: &mut Frame<'_>, row: Rect) {
    let [name, bar] = Layout::horizontal([Constraint::Length(12), Constraint::Fill(1)]).areas(row);
    frame.render_widget(Line::from(memory.name.as_str()), name);
    let used = format_bytes(memory.used);
    let Some(budget) = memory.budget else {
        frame.render_widget(Line::from(format!("{used} used, no limit")), bar);
        return;
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a bar has only some hundred steps"
    )]
    let part = memory.used as f64 / budget.max(1) as f64;
    let gauge = Gauge::default()
        .ratio(part.clamp(0.0, 1.0))
        .label(format!("{used} of {}", format_bytes(budget)))
        .gauge_style(style);
    frame.render_widget(gauge, bar);
}

fn draw_requests(top: &TopState, frame: &mut Frame<'_>, area: Rect) {
    let rows = top.requests.iter().map(request_cells);
    frame.render_widget(build_table(&REQUEST_COLUMNS, rows, area.width), area);
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
    fill_empty(cells)
}

#[cfg(test)]
mod tests {
    use super::super::state::TopEvent;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;
    use std::time::Duration;

    fn drawn(top: &TopState, now: Instant) -> String {
        drawn_in(80, top, now)
    }

    fn drawn_in(width: u16, top: &TopState, now: Instant) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 14)).unwrap();
        terminal.draw(|frame| draw(top, now, frame)).unwrap();
        terminal.backend().to_string()
    }

    fn receive(top: &mut TopState, now: Instant) {
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
            top.handle(TopEvent::Server(name.to_owned(), data), now);
        }
    }

    #[test]
    fn everything_has_its_place() {
        let now = Instant::now();
        let mut top = TopState::new("127.0.0.1:8081".to_owned());
        insta::assert_snapshot!("connecting", drawn(&top, now));
        receive(&mut top, now);
        insta::assert_snapshot!("live", drawn(&top, now + Duration::from_mins(1)));
        insta::assert_snapshot!("narrow", drawn_in(40, &top, now));
        top.handle(TopEvent::Disconnected("connection lost".to_owned()), now);
        top.handle(TopEvent::ActionDone(Some("no\u{1b}".to_owned())), now);
        insta::assert_snapshot!("stale", drawn(&top, now + Duration::from_secs(5)));
    }

    #[test]
    fn a_window_of_any_size_is_drawn() {
        let now = Instant::now();
        let mut top = TopState::new("x".to_owned());
        receive(&mut top, now);
        for (width, height) in [(1, 1), (5, 3), (200, 2), (10, 60)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(&top, now, frame)).unwrap();
        }
    }
}
