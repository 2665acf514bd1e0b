//! Medians and ratios, as a Markdown table.

use crate::cases::Case;
use crate::goals::ratio;
use crate::results::Results;
use crate::rows::{GROUPS, Row};
use crate::stats::median;
use crate::subjects::Name;

/// The lines of what was measured.
pub(crate) fn render(results: &Results) -> String {
    let names = Name::MAIN.map(Name::words).join(" | ");
    let mut lines = vec![
        format!("| | {names} | paddock / nginx | / nginx, unix socket | goal | |"),
        "|---|---:|---:|---:|---:|---:|---:|---:|---|---|".to_owned(),
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
    if results.get(case, quantity, Name::Paddock).is_empty() {
        return None;
    }
    let figures = Name::MAIN.map(|name| number(median(results.get(case, quantity, name))));
    let ratios = [Name::Nginx, Name::NginxUnix].map(|other| {
        let ratio = ratio(results, case, quantity, other);
        match ratio.is_nan() {
            true => String::new(),
            false => format!("{ratio:.2}"),
        }
    });
    let verdict = goal.judge(results, case, quantity);
    let (goal, met) = verdict
        .as_ref()
        .map_or(("", ""), |verdict| (verdict.goal.as_str(), verdict.words()));
    let (figures, ratios) = (figures.join(" | "), ratios.join(" | "));
    Some(format!("{what} | {figures} | {ratios} | {goal} | {met} |"))
}

/// A figure with three digits that mean something; nothing for what is not a number.
pub(crate) fn number(figure: f64) -> String {
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
    use crate::results::Quantity;

    #[test]
    fn a_row_has_medians_and_the_median_of_the_rounds_ratios() {
        let mut results = Results::default();
        for (paddock, nginx) in [(10.0, 20.0), (12.0, 20.0), (300.0, 400.0)] {
            let mut add = |name, figure| results.add(Case::Many, Quantity::Cpu, name, figure);
            add(Name::Paddock, paddock);
            add(Name::Nginx, nginx);
            add(Name::NginxUnix, nginx / 2.0);
        }
        let table = render(&results);
        let row = "| 32 connections: CPU a request, µs |  | 12.0 | 20.0 | 10.0 |  | 0.60 | 1.20 | ≤ 0.6 × nginx | met |";
        assert_eq!(table.lines().last(), Some(row));
        assert_eq!(table.lines().count(), 3);
    }
}
