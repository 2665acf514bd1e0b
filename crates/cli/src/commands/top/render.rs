//! Draws the live view of `paddock top`: models, memory and ended requests.

use paddock_api::{EndedRequest, MemoryUsage, ModelStatus};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph, TableState, Wrap};
use tokio::time::Instant;

use super::columns::{TableColumn, build_table, fixed_column, growing_column};
use super::state::{Freshness, ModelEntry, TopState};
use crate::commands::requests::outcome;
use crate::commands::status::model_bytes;
use crate::format::{format_age, format_bytes, format_duration};
use crate::output::printable;
use crate::table::fill_empty;

/// Columns of the table of models: title, width in characters, and priority. A narrow window drops the columns of the
/// lowest priority first.
const MODEL_COLUMNS: [TableColumn; 7] = [
    growing_column("MODEL", 14, 9),
    fixed_column("STATUS", 14, 8),
    fixed_column("SINCE", 8, 1),
    fixed_column("IN FLIGHT", 9, 3),
    fixed_column("QUEUED", 6, 2),
    fixed_column("MEMORY", 10, 4),
    fixed_column("PINNED", 6, 0),
];

/// Columns of the table of ended requests.
const REQUEST_COLUMNS: [TableColumn; 7] = [
    growing_column("REQUEST", 8, 1),
    growing_column("MODEL", 10, 9),
    fixed_column("OUTCOME", 14, 8),
    fixed_column("TTFT", 8, 4),
    fixed_column("TOKENS", 7, 3),
    fixed_column("TOK/S", 7, 5),
    fixed_column("TOTAL", 8, 2),
];

/// The last line, unless there is a message to show.
const KEY_HELP: &str = "↑↓  l load  u unload  p pin  q quit";

/// Draws everything.
pub(super) fn draw(top: &TopState, now: Instant, frame: &mut Frame<'_>) {
    let memory_bars = top.memory.as_ref().map_or_else(Vec::new, memory_bars);
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
    let is_loading = entry.status == ModelStatus::Loading;
    let progress = entry.progress.filter(|_| is_loading);
    let progress = progress.map_or_else(String::new, |part| format!(" {:.0}%", part * 100.0));
    let age = now
        .saturating_duration_since(model.received_at)
        .as_secs_f64();
    let cells = [
        Some(printable(&entry.id)),
        Some(entry.status.as_str().to_owned() + &progress),
        entry.since.map(|since| format_age(since + age)),
        Some(entry.in_flight.to_string()),
        Some(entry.queued.to_string()),
        model_bytes(&entry.memory).map(format_bytes),
        entry.pinned.then(|| "yes".to_owned()),
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
fn memory_bars(memory: &MemoryUsage) -> Vec<MemoryBar> {
    let (used, budget) = (&memory.used, &memory.budget);
    let host = MemoryBar {
        name: "host".to_owned(),
        used: used.host.unwrap_or(0),
        budget: budget.host,
    };
    let devices = used.devices.iter().map(|(name, bytes)| MemoryBar {
        name: printable(name),
        used: bytes.unwrap_or(0),
        budget: budget.devices.get(name).copied().flatten(),
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

fn request_cells(request: &EndedRequest) -> [String; 7] {
    let seconds = |seconds: f64| format!("{seconds:.2} s");
    let (generated, rate) = (request.tokens.generated, request.tokens_per_second);
    let cells = [
        Some(printable(&request.id)),
        request.model.as_deref().map(printable),
        Some(printable(outcome(request))),
        request.ttft_seconds.map(seconds),
        generated.map(|tokens| tokens.to_string()),
        rate.map(|rate| format!("{rate:.1}")),
        Some(seconds(request.total_seconds)),
    ];
    fill_empty(cells)
}

#[cfg(test)]
mod tests {
    use super::super::state::TopEvent;
    use super::*;
    use paddock_api::{ActiveRequests, Event, Memory, Model, ModelMemory, Status, Tokens};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use std::time::Duration;

    fn drawn(top: &TopState, now: Instant) -> String {
        drawn_in(80, top, now)
    }

    fn drawn_in(width: u16, top: &TopState, now: Instant) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 14)).unwrap();
        terminal.draw(|frame| draw(top, now, frame)).unwrap();
        terminal.backend().to_string()
    }

    fn memory(host: u64, device: Option<u64>) -> Memory {
        Memory {
            devices: [("CUDA0".to_owned(), device)].into(),
            host: Some(host),
        }
    }

    fn host_only(host: u64) -> Memory {
        Memory {
            host: Some(host),
            ..Memory::default()
        }
    }

    fn status() -> Status {
        let ready = Model {
            id: "gemma".to_owned(),
            status: ModelStatus::Ready,
            since: Some(61.7),
            in_flight: 2,
            queued: 1,
            progress: Some(1.0),
            pinned: true,
            memory: ModelMemory {
                measured: Some(host_only(3 << 29)),
                ..ModelMemory::default()
            },
            ..Model::default()
        };
        let loading = Model {
            id: "qwen\u{1b}[2J".to_owned(),
            status: ModelStatus::Loading,
            since: Some(1.0),
            queued: 3,
            progress: Some(0.42),
            memory: ModelMemory {
                predicted: Some(host_only(1 << 30)),
                ..ModelMemory::default()
            },
            ..Model::default()
        };
        Status {
            models: vec![ready, loading],
            memory: Some(MemoryUsage {
                budget: memory(1 << 32, None),
                used: memory(1 << 30, Some(1 << 31)),
                ..MemoryUsage::default()
            }),
            ..Status::default()
        }
    }

    fn receive(top: &mut TopState, now: Instant) {
        let complete = EndedRequest {
            id: "0198f2c4".to_owned(),
            model: Some("gemma".to_owned()),
            outcome: "complete".to_owned(),
            ttft_seconds: Some(0.213),
            total_seconds: 2.5,
            tokens: Tokens {
                generated: Some(128),
                ..Tokens::default()
            },
            tokens_per_second: Some(51.25),
            ..EndedRequest::default()
        };
        let refused = EndedRequest {
            id: "0198f2c5".to_owned(),
            outcome: "refused".to_owned(),
            error: Some("unknown_model".to_owned()),
            total_seconds: 0.001,
            ..EndedRequest::default()
        };
        let active = ActiveRequests {
            requests: Vec::new(),
            total: 2,
        };
        for event in [
            Event::Snapshot(Box::new(status())),
            Event::Request(Box::new(complete)),
            Event::Request(Box::new(refused)),
            Event::InFlight(active),
        ] {
            top.handle(TopEvent::Server(event), now);
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
