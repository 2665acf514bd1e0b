//! Renders medians and ratios as a Markdown table.

use crate::cases::Case;
use crate::goals::{GoalResult, ratio};
use crate::results::RunResults;
use crate::stats::median;
use crate::subjects::SubjectName;
use crate::table_rows::{RowGroup, TableRow};

/// The columns of a table after the row labels.
#[derive(Debug)]
pub(crate) struct TableColumns<'a> {
    pub(crate) names: &'a [SubjectName],
    /// The pairs of compared subjects. A row appears if the first subject of any pair was measured.
    pub(crate) ratios: &'a [(SubjectName, SubjectName)],
    /// True if the table shows paddock's goals.
    pub(crate) goals: bool,
}

/// paddock and the proxies it is compared with.
pub(crate) const MAIN_COLUMNS: TableColumns<'_> = TableColumns {
    names: &[
        SubjectName::Direct,
        SubjectName::Paddock,
        SubjectName::Nginx,
        SubjectName::NginxUnix,
        SubjectName::Haproxy,
        SubjectName::Pump,
    ],
    ratios: &[
        (SubjectName::Paddock, SubjectName::Nginx),
        (SubjectName::Paddock, SubjectName::NginxUnix),
        (SubjectName::Pump, SubjectName::Nginx),
    ],
    goals: true,
};

/// The peers of `--peer`.
pub(crate) const PEERS_COLUMNS: TableColumns<'_> = TableColumns {
    names: &[
        SubjectName::Paddock,
        SubjectName::LlamaSwap,
        SubjectName::Gradatum,
    ],
    ratios: &[
        (SubjectName::LlamaSwap, SubjectName::Paddock),
        (SubjectName::Gradatum, SubjectName::Paddock),
    ],
    goals: false,
};

/// A real llama-server and the proxies in front of it.
pub(crate) const REAL_COLUMNS: TableColumns<'_> = TableColumns {
    names: &[
        SubjectName::Direct,
        SubjectName::Paddock,
        SubjectName::Router,
        SubjectName::LlamaSwap,
    ],
    ratios: &[
        (SubjectName::Paddock, SubjectName::Direct),
        (SubjectName::Router, SubjectName::Direct),
        (SubjectName::Router, SubjectName::Paddock),
        (SubjectName::LlamaSwap, SubjectName::Paddock),
    ],
    goals: true,
};

/// Renders the measured rows; empty if no row was measured.
pub(crate) fn render(
    results: &RunResults,
    groups: &[RowGroup],
    columns: &TableColumns<'_>,
) -> String {
    let mut lines = Vec::new();
    for (words, case, rows) in groups {
        let rows = rows
            .iter()
            .filter_map(|row| columns.render_row(results, *case, *row));
        lines.extend(rows.map(|row| format!("| {words}: {row}")));
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("{}\n{}", columns.head(), lines.join("\n"))
}

impl TableColumns<'_> {
    fn head(&self) -> String {
        let names = self.names.iter().map(|name| name.label().to_owned());
        let ratios = self
            .ratios
            .iter()
            .map(|(one, other)| format!("{} / {}", one.label(), other.label()));
        let (goals, marks) = match self.goals {
            true => (" goal | |", "---|---|"),
            false => ("", ""),
        };
        let names = names.chain(ratios).collect::<Vec<_>>().join(" | ");
        let aligned = "---:|".repeat(self.names.len() + self.ratios.len());
        format!("| | {names} |{goals}\n|---|{aligned}{marks}")
    }

    /// Renders a row, or returns `None` if none of the table's main subjects was measured.
    fn render_row(
        &self,
        results: &RunResults,
        case: Case,
        (what, quantity, goal): TableRow,
    ) -> Option<String> {
        let figures = |name| results.get(case, quantity, name);
        if self.ratios.iter().all(|(one, _)| figures(*one).is_empty()) {
            return None;
        }
        let medians = self.names.iter().map(|name| number(median(figures(*name))));
        let ratios = self.ratios.iter().map(|pair| {
            let ratio = ratio(results, case, quantity, *pair);
            match ratio.is_nan() {
                true => String::new(),
                false => format!("{ratio:.2}"),
            }
        });
        let mut cells: Vec<String> = medians.chain(ratios).collect();
        if self.goals {
            let verdict = goal.evaluate(results, case, quantity);
            let met = verdict.as_ref().map_or("", GoalResult::label);
            cells.push(verdict.as_ref().map_or(String::new(), |it| it.goal.clone()));
            cells.push(met.to_owned());
        }
        Some(format!("{what} | {} |", cells.join(" | ")))
    }
}

/// Formats a figure with three significant digits; empty for NaN.
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
    use crate::table_rows::GROUPS;

    #[test]
    fn a_row_has_medians_and_the_median_of_the_rounds_ratios() {
        let mut results = RunResults::default();
        for (paddock, nginx) in [(10.0, 20.0), (12.0, 20.0), (300.0, 400.0)] {
            let mut add = |name, figure| results.add(Case::Many, Quantity::Cpu, name, figure);
            add(SubjectName::Paddock, paddock);
            add(SubjectName::Nginx, nginx);
            add(SubjectName::NginxUnix, nginx / 2.0);
        }
        let table = render(&results, GROUPS, &MAIN_COLUMNS);
        let row = "| 32 connections: CPU a request, µs |  | 12.0 | 20.0 | 10.0 |  |  | 0.60 | 1.20 |  | ≤ 0.6 × nginx | met |";
        assert_eq!(table.lines().last(), Some(row));
        assert_eq!(table.lines().count(), 3);
    }

    #[test]
    fn a_table_shows_rows_of_its_main_subjects_only() {
        let mut results = RunResults::default();
        results.add(Case::Many, Quantity::Cpu, SubjectName::Paddock, 10.0);
        assert_eq!(render(&results, GROUPS, &PEERS_COLUMNS), "");
        results.add(Case::Many, Quantity::Cpu, SubjectName::LlamaSwap, 25.0);
        let table = render(&results, GROUPS, &PEERS_COLUMNS);
        let row = "| 32 connections: CPU a request, µs | 10.0 | 25.0 |  | 2.50 |  |";
        assert_eq!(table.lines().last(), Some(row));
    }
}
