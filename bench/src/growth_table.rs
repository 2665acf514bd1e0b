//! Renders figures at growing sizes as Markdown tables.

use crate::cases::Case;
use crate::goals::GoalResult;
use crate::ratio_table::number;
use crate::results::Quantity::{self, Cpu, LoadedMegabytes, P50, P99, PerSecond, StreamKibibytes};
use crate::results::RunResults;
use crate::stats::median;

#[derive(Debug, Clone, Copy)]
enum GrowthGoal {
    None,
    /// The last figure is at most this multiple of the first.
    Flat(f64),
    /// The last figure is below this.
    Below(f64),
}

type GrowthRow = (&'static str, Quantity, GrowthGoal);

const MODEL_ROWS: &[GrowthRow] = &[
    ("CPU a request, µs", Cpu, GrowthGoal::Flat(1.1)),
    ("requests/s", PerSecond, GrowthGoal::None),
    ("resident memory, MB", LoadedMegabytes, GrowthGoal::None),
];

const STREAM_ROWS: &[GrowthRow] = &[
    ("CPU an event, µs", Cpu, GrowthGoal::None),
    ("events/s", PerSecond, GrowthGoal::None),
    ("lateness p50, µs", P50, GrowthGoal::None),
    ("lateness p99, µs", P99, GrowthGoal::None),
    ("resident memory, MB", LoadedMegabytes, GrowthGoal::None),
    (
        "memory a stream, KiB",
        StreamKibibytes,
        GrowthGoal::Below(16.0),
    ),
];

const TABLES: [(&str, Case, &[GrowthRow]); 2] = [
    ("models configured", Case::Models, MODEL_ROWS),
    ("streams open", Case::Open, STREAM_ROWS),
];

/// Renders the tables of the measured cases.
pub(crate) fn render(results: &RunResults) -> String {
    let tables = TABLES
        .iter()
        .filter_map(|(what, case, rows)| render_case(results, what, *case, rows));
    tables.collect::<Vec<_>>().join("\n\n")
}

/// Renders one case, or returns `None` if it was not measured.
fn render_case(results: &RunResults, what: &str, case: Case, rows: &[GrowthRow]) -> Option<String> {
    let sizes = results.sizes(case, Cpu);
    let (first, last) = (sizes.first()?.0, sizes.last()?.0);
    let numbers: Vec<String> = sizes
        .iter()
        .map(|(size, _)| format_thousands(*size))
        .collect();
    let (first, last) = (format_thousands(first), format_thousands(last));
    let mut lines = vec![
        format!(
            "| {what} | {} | {last} / {first} | goal | |",
            numbers.join(" | ")
        ),
        format!("|---|{}---:|---|---|", "---:|".repeat(sizes.len())),
    ];
    for (words, quantity, goal) in rows {
        let figures = results.sizes(case, *quantity);
        let medians = figures.iter().map(|(_, figures)| number(median(figures)));
        let medians = medians.collect::<Vec<_>>().join(" | ");
        let ratio = growth_ratio(&figures);
        let last = figures.last().map_or(f64::NAN, |(_, last)| median(last));
        let verdict = evaluate(*goal, ratio, last);
        let (goal, met) = verdict
            .as_ref()
            .map_or(("", ""), |verdict| (verdict.goal.as_str(), verdict.label()));
        lines.push(format!(
            "| {words} | {medians} | {} | {goal} | {met} |",
            number(ratio)
        ));
    }
    Some(lines.join("\n"))
}

/// Returns the last size's figure as a multiple of the first's: the median of the rounds' ratios.
fn growth_ratio(figures: &[(usize, &[f64])]) -> f64 {
    let (Some((_, first)), Some((_, last))) = (figures.first(), figures.last()) else {
        return f64::NAN;
    };
    let ratios: Vec<f64> = last.iter().zip(*first).map(|(a, b)| a / b).collect();
    median(&ratios)
}

fn evaluate(goal: GrowthGoal, ratio: f64, last: f64) -> Option<GoalResult> {
    let (goal, met) = match goal {
        GrowthGoal::None => return None,
        GrowthGoal::Flat(limit) => (format!("≤ {limit} ×"), ratio <= limit),
        GrowthGoal::Below(limit) => (format!("< {limit}"), last < limit),
    };
    Some(GoalResult { goal, met })
}

/// Formats a number with thousands separators.
fn format_thousands(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", format_thousands(number / 1000), number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_columns_and_growth_is_evaluated() {
        let mut results = RunResults::default();
        for (size, cpu) in [(1000, 23.0), (1, 20.0), (1000, 22.0), (1, 20.0)] {
            results.add_at(Case::Models, Cpu, size, cpu);
        }
        let table = render(&results);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "| models configured | 1 | 1,000 | 1,000 / 1 | goal | |",
                "|---|---:|---:|---:|---|---|",
                "| CPU a request, µs | 20.0 | 22.5 | 1.12 | ≤ 1.1 × | **missed** |",
            ]
        );
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(format_thousands(9900), "9,900");
        assert_eq!(format_thousands(1_000_007), "1,000,007");
        assert_eq!(format_thousands(10), "10");
    }
}
