//! Medians and ratios, as a Markdown table.

use crate::cases::Case;
use crate::results::Quantity::{
    self, Added, ColdMillis, Cpu, EventMillis, FreshMegabytes, FreshSwitches, LoadedMegabytes,
    LoadedSwitches, P50, P99, PerSecond, PolledMillis, SwapMillis,
};
use crate::results::Results;
use crate::stats::median;
use crate::subjects::Name;

#[derive(Debug, Clone, Copy)]
enum Goal {
    None,
    /// Paddock's figure as a share of nginx's.
    Ratio(f64),
    /// The same, where more is better.
    AtLeast(f64),
    /// Paddock's figure.
    Below(f64),
    /// Paddock's figure.
    Zero,
}

/// One line: what it says, where its figure is, what that should be.
type Row = (&'static str, Quantity, Goal);

/// A case in words, and its lines.
type Group = (&'static str, Case, &'static [Row]);

const ONE: &[Row] = &[
    ("p50, µs", P50, Goal::None),
    ("p50 added, µs", Added, Goal::Ratio(0.65)),
    ("CPU a request, µs", Cpu, Goal::None),
];

const MANY: &[Row] = &[
    ("CPU a request, µs", Cpu, Goal::Ratio(0.6)),
    ("requests/s", PerSecond, Goal::AtLeast(1.5)),
    ("p50, µs", P50, Goal::None),
    ("p99, µs", P99, Goal::None),
];

const UPLOAD: &[Row] = &[
    ("CPU a request, µs", Cpu, Goal::Ratio(0.8)),
    ("requests/s", PerSecond, Goal::None),
];

const BURST: &[Row] = &[("CPU an event, µs", Cpu, Goal::Ratio(0.9))];

const PACED: &[Row] = &[
    ("CPU an event, µs", Cpu, Goal::Ratio(0.95)),
    ("lateness p50, µs", P50, Goal::None),
    ("lateness p99, µs", P99, Goal::None),
];

const IDLE: &[Row] = &[
    ("resident memory, MB", FreshMegabytes, Goal::Below(15.0)),
    ("context switches in 10 s", FreshSwitches, Goal::Zero),
    (
        "memory after the load, MB",
        LoadedMegabytes,
        Goal::Below(15.0),
    ),
    ("switches after the load", LoadedSwitches, Goal::None),
];

const READINESS: &[Row] = &[
    ("request passed on, ms", EventMillis, Goal::Below(10.0)),
    ("the same by polling, ms", PolledMillis, Goal::None),
];

const STARTS: &[Row] = &[
    ("added to a cold start, ms", ColdMillis, Goal::Below(20.0)),
    ("added to a swap, ms", SwapMillis, Goal::Below(20.0)),
];

const GROUPS: [Group; 8] = [
    ("1 connection", Case::One, ONE),
    ("32 connections", Case::Many, MANY),
    ("64 KiB requests", Case::Upload, UPLOAD),
    ("bursts of 256 events", Case::Burst, BURST),
    ("64 streams, 10 ms", Case::Paced, PACED),
    ("idle", Case::Idle, IDLE),
    ("child ready", Case::Readiness, READINESS),
    ("child started", Case::Starts, STARTS),
];

/// The lines of what was measured.
pub(crate) fn render(results: &Results) -> String {
    let mut lines = vec![
        "| | direct | paddock | nginx | nginx, unix socket | HAProxy | paddock / nginx | / nginx, unix socket | goal |"
            .to_owned(),
        "|---|---:|---:|---:|---:|---:|---:|---:|---|".to_owned(),
    ];
    for (case_words, case, rows) in GROUPS {
        let rows = rows
            .iter()
            .filter_map(|row| render_row(results, case, *row));
        lines.extend(rows.map(|row| format!("| {case_words}: {row}")));
    }
    lines.join("\n")
}

/// Nothing where paddock was not measured.
fn render_row(results: &Results, case: Case, (what, quantity, goal): Row) -> Option<String> {
    let [direct, paddock, nginx, nginx_unix, haproxy] =
        Name::ALL.map(|name| results.get(case, quantity, name));
    if paddock.is_empty() {
        return None;
    }
    let figure = median(paddock);
    let ratio_to = |other: &[f64]| {
        let ratios: Vec<f64> = paddock.iter().zip(other).map(|(a, b)| a / b).collect();
        median(&ratios)
    };
    let (ratio, ratio_unix) = (ratio_to(nginx), ratio_to(nginx_unix));
    let goal = match goal {
        Goal::None => String::new(),
        Goal::Ratio(most) => verdict(&format!("≤ {most}"), ratio <= most),
        Goal::AtLeast(least) => verdict(&format!("≥ {least}"), ratio >= least),
        Goal::Below(most) => verdict(&format!("< {most}"), figure < most),
        Goal::Zero => verdict("0", figure <= 0.0),
    };
    let cells = [direct, paddock, nginx, nginx_unix, haproxy];
    let cells = cells.map(|figures| number(median(figures))).join(" | ");
    let ratios = [ratio, ratio_unix].map(|ratio| match ratio.is_nan() {
        true => String::new(),
        false => format!("{ratio:.2}"),
    });
    let ratios = ratios.join(" | ");
    Some(format!("{what} | {cells} | {ratios} | {goal} |"))
}

fn verdict(goal: &str, met: bool) -> String {
    format!("{goal}: {}", if met { "met" } else { "**missed**" })
}

/// A figure with three digits that mean something; nothing for what is not a number.
fn number(figure: f64) -> String {
    match figure.abs() {
        _ if figure.is_nan() => String::new(),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size > 0.0 => format!("{figure:.2}"),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_medians_and_the_median_of_the_rounds_ratios() {
        let mut results = Results::default();
        for (paddock, nginx) in [(10.0, 20.0), (12.0, 20.0), (300.0, 400.0)] {
            results.add(Case::Many, Cpu, Name::Paddock, paddock);
            results.add(Case::Many, Cpu, Name::Nginx, nginx);
            results.add(Case::Many, Cpu, Name::NginxUnix, nginx / 2.0);
        }
        let table = render(&results);
        let row = "| 32 connections: CPU a request, µs |  | 12.0 | 20.0 | 10.0 |  | 0.60 | 1.20 | ≤ 0.6: met |";
        assert_eq!(table.lines().last(), Some(row));
        assert_eq!(table.lines().count(), 3);
    }
}
