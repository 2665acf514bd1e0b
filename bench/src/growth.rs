//! What figures become as something grows, as Markdown tables.

use crate::cases::Case;
use crate::goals::Verdict;
use crate::results::Quantity::{self, Cpu, LoadedMegabytes, P50, P99, PerSecond, StreamKibibytes};
use crate::results::Results;
use crate::stats::median;
use crate::table::number;

#[derive(Debug, Clone, Copy)]
enum Goal {
    None,
    /// The last figure is at most this multiple of the first.
    Flat(f64),
    /// The last figure is below this.
    Below(f64),
}

type Row = (&'static str, Quantity, Goal);

const MODELS: &[Row] = &[
    ("CPU a request, µs", Cpu, Goal::Flat(1.1)),
    ("requests/s", PerSecond, Goal::None),
    ("resident memory, MB", LoadedMegabytes, Goal::None),
];

const OPEN: &[Row] = &[
    ("CPU an event, µs", Cpu, Goal::None),
    ("events/s", PerSecond, Goal::None),
    ("lateness p50, µs", P50, Goal::None),
    ("lateness p99, µs", P99, Goal::None),
    ("resident memory, MB", LoadedMegabytes, Goal::None),
    ("memory a stream, KiB", StreamKibibytes, Goal::Below(16.0)),
];

const TABLES: [(&str, Case, &[Row]); 2] = [
    ("models configured", Case::Models, MODELS),
    ("streams open", Case::Open, OPEN),
];

/// The tables of what was measured.
pub(crate) fn render(results: &Results) -> String {
    let tables = TABLES
        .iter()
        .filter_map(|(what, case, rows)| render_one(results, what, *case, rows));
    tables.collect::<Vec<_>>().join("\n\n")
}

/// Nothing of what was not measured.
fn render_one(results: &Results, what: &str, case: Case, rows: &[Row]) -> Option<String> {
    let sizes = results.sizes(case, Cpu);
    let (first, last) = (sizes.first()?.0, sizes.last()?.0);
    let numbers: Vec<String> = sizes.iter().map(|(size, _)| thousands(*size)).collect();
    let (first, last) = (thousands(first), thousands(last));
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
        let ratio = growth(&figures);
        let last = figures.last().map_or(f64::NAN, |(_, last)| median(last));
        let verdict = judge(*goal, ratio, last);
        let (goal, met) = verdict
            .as_ref()
            .map_or(("", ""), |verdict| (verdict.goal.as_str(), verdict.words()));
        lines.push(format!(
            "| {words} | {medians} | {} | {goal} | {met} |",
            number(ratio)
        ));
    }
    Some(lines.join("\n"))
}

/// The last size's figure as a multiple of the first's: the median of the rounds' ratios.
fn growth(figures: &[(usize, &[f64])]) -> f64 {
    let (Some((_, first)), Some((_, last))) = (figures.first(), figures.last()) else {
        return f64::NAN;
    };
    let ratios: Vec<f64> = last.iter().zip(*first).map(|(a, b)| a / b).collect();
    median(&ratios)
}

fn judge(goal: Goal, ratio: f64, last: f64) -> Option<Verdict> {
    let (goal, met) = match goal {
        Goal::None => return None,
        Goal::Flat(most) => (format!("≤ {most} ×"), ratio <= most),
        Goal::Below(most) => (format!("< {most}"), last < most),
    };
    Some(Verdict { goal, met })
}

/// A number with its thousands apart.
fn thousands(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", thousands(number / 1000), number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stand_beside_each_other_and_growth_is_judged() {
        let mut results = Results::default();
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
    fn thousands_are_set_apart() {
        assert_eq!(thousands(9900), "9,900");
        assert_eq!(thousands(1_000_007), "1,000,007");
        assert_eq!(thousands(10), "10");
    }
}
