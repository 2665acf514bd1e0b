//! Builds the tables of `paddock top` from the columns that fit into the window.

use ratatui::layout::Constraint;
use ratatui::style::Modifier;
use ratatui::widgets::{Row, Table};

/// A column of a table.
#[derive(Debug)]
pub(super) struct TableColumn {
    head: &'static str,
    /// Width in characters; minimum width of a column that grows.
    width: u16,
    grows: bool,
    /// Columns of the lowest priority are dropped first in a narrow window.
    priority: u8,
}

/// Creates a column of fixed width.
pub(super) const fn fixed_column(head: &'static str, width: u16, priority: u8) -> TableColumn {
    TableColumn {
        head,
        width,
        grows: false,
        priority,
    }
}

/// Creates a column that takes the remaining width.
pub(super) const fn growing_column(head: &'static str, width: u16, priority: u8) -> TableColumn {
    TableColumn {
        head,
        width,
        grows: true,
        priority,
    }
}

/// Builds a table from rows with a cell for each column, dropping columns that do not fit into `width`.
pub(super) fn build_table<const N: usize>(
    columns: &[TableColumn; N],
    rows: impl Iterator<Item = [String; N]>,
    width: u16,
) -> Table<'static> {
    let indices = fitting_columns(columns, width);
    let is_shown = |index: usize| indices.contains(&index);
    let rows = rows.map(|cells| {
        let cells = cells.into_iter().enumerate();
        Row::new(cells.filter_map(|(index, cell)| is_shown(index).then_some(cell)))
    });
    let columns = || {
        columns
            .iter()
            .enumerate()
            .filter(|(index, _)| is_shown(*index))
    };
    let widths = columns().map(|(_, column)| match column.grows {
        true => Constraint::Fill(1),
        false => Constraint::Length(column.width),
    });
    let head = Row::new(columns().map(|(_, column)| column.head));
    Table::new(rows.collect::<Vec<_>>(), widths.collect::<Vec<_>>())
        .header(head.style(Modifier::BOLD))
}

/// Returns the indices of the columns that fit, at least one.
fn fitting_columns(columns: &[TableColumn], width: u16) -> Vec<usize> {
    let mut fitting: Vec<(usize, &TableColumn)> = columns.iter().enumerate().collect();
    // A space follows each column except the last.
    let needed = |fitting: &[(usize, &TableColumn)]| {
        let widths = fitting.iter().map(|(_, column)| column.width + 1);
        widths.sum::<u16>().saturating_sub(1)
    };
    while fitting.len() > 1 && needed(&fitting) > width {
        let lowest = fitting.iter().map(|(_, column)| column.priority).min();
        fitting.retain(|(_, column)| Some(column.priority) != lowest);
    }
    fitting.into_iter().map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_least_goes_first_and_one_stays() {
        let columns = [
            growing_column("NAME", 10, 9),
            fixed_column("AGE", 4, 1),
            fixed_column("STATE", 6, 5),
        ];
        for (width, expected) in [
            (80, &[0, 1, 2][..]),
            (22, &[0, 1, 2]),
            (21, &[0, 2]),
            (17, &[0, 2]),
            (16, &[0]),
            (1, &[0]),
        ] {
            assert_eq!(fitting_columns(&columns, width), expected, "{width}");
        }
    }
}
