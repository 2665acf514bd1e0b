//! Medians and ratios, as a Markdown table.

use crate::cases::Case;
use crate::goals::{Verdict, ratio};
use crate::results::Results;
use crate::rows::{Group, Row};
use crate::stats::median;
use crate::subjects::Name;

/// What a table has beside its lines' names.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    pub(crate) names: &'a [Name],
    /// Whose figure is compared with whose. What the first of them have is what the table shows.
    pub(crate) ratios: &'a [(Name, Name)],
    /// Whether paddock's goals are shown.
    pub(crate) goals: bool,
}

/// paddock and what it is compared with.
pub(crate) const MAIN: Columns<'_> = Columns {
    names: &[
        Name::Direct,
        Name::Paddock,
        Name::Nginx,
        Name::NginxUnix,
        Name::Haproxy,
        Name::Pump,
    ],
    ratios: &[
        (Name::Paddock, Name::Nginx),
        (Name::Paddock, Name::NginxUnix),
        (Name::Pump, Name::Nginx),
    ],
    goals: true,
};

/// The peers of `--peer`.
pub(crate) const PEERS: Columns<'_> = Columns {
    names: &[Name::Paddock, Name::LlamaSwap, Name::Gradatum],
    ratios: &[
        (Name::LlamaSwap, Name::Paddock),
        (Name::Gradatum, Name::Paddock),
    ],
    goals: false,
};

/// A real llama-server and what stands in front of it.
pub(crate) const REAL: Columns<'_> = Columns {
    names: &[Name::Direct, Name::Paddock, Name::Router, Name::LlamaSwap],
    ratios: &[
        (Name::Paddock, Name::Direct),
        (Name::Router, Name::Direct),
        (Name::Router, Name::Paddock),
        (Name::LlamaSwap, Name::Paddock),
    ],
    goals: false,
};

/// The lines of what was measured; nothing if that is nothing.
pub(crate) fn render(results: &Results, groups: &[Group], columns: &Columns<'_>) -> String {
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

impl Columns<'_> {
    fn head(&self) -> String {
        let names = self.names.iter().map(|name| name.words().to_owned());
        let ratios = self
            .ratios
            .iter()
            .map(|(one, other)| format!("{} / {}", one.words(), other.words()));
        let (goals, marks) = match self.goals {
            true => (" goal | |", "---|---|"),
            false => ("", ""),
        };
        let names = names.chain(ratios).collect::<Vec<_>>().join(" | ");
        let aligned = "---:|".repeat(self.names.len() + self.ratios.len());
        format!("| | {names} |{goals}\n|---|{aligned}{marks}")
    }

    /// Nothing where none of those was measured that the table is about.
    fn render_row(
        &self,
        results: &Results,
        case: Case,
        (what, quantity, goal): Row,
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
            let verdict = goal.judge(results, case, quantity);
            let met = verdict.as_ref().map_or("", Verdict::words);
            cells.push(verdict.as_ref().map_or(String::new(), |it| it.goal.clone()));
            cells.push(met.to_owned());
        }
        Some(format!("{what} | {} |", cells.join(" | ")))
    }
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
    use crate::rows::GROUPS;

    #[test]
    fn a_row_has_medians_and_the_median_of_the_rounds_ratios() {
        let mut results = Results::default();
        for (paddock, nginx) in [(10.0, 20.0), (12.0, 20.0), (300.0, 400.0)] {
            let mut add = |name, figure| results.add(Case::Many, Quantity::Cpu, name, figure);
            add(Name::Paddock, paddock);
            add(Name::Nginx, nginx);
            add(Name::NginxUnix, nginx / 2.0);
        }
        let table = render(&results, GROUPS, &MAIN);
        let row = "| 32 connections: CPU a request, µs |  | 12.0 | 20.0 | 10.0 |  |  | 0.60 | 1.20 |  | ≤ 0.6 × nginx | met |";
        assert_eq!(table.lines().last(), Some(row));
        assert_eq!(table.lines().count(), 3);
    }

    #[test]
    fn a_table_shows_what_it_is_about() {
        let mut results = Results::default();
        results.add(Case::Many, Quantity::Cpu, Name::Paddock, 10.0);
        assert_eq!(render(&results, GROUPS, &PEERS), "");
        results.add(Case::Many, Quantity::Cpu, Name::LlamaSwap, 25.0);
        let table = render(&results, GROUPS, &PEERS);
        let row = "| 32 connections: CPU a request, µs | 10.0 | 25.0 |  | 2.50 |  |";
        assert_eq!(table.lines().last(), Some(row));
    }
}
