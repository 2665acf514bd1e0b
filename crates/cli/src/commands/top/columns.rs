//! Which columns a window has room for.

use ratatui::layout::Constraint;
use ratatui::style::Modifier;
use ratatui::widgets::{Row, Table};

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    head: &'static str,
    /// How many letters it has; of one that grows, how many at least.
    width: u16,
    grows: bool,
    /// Those of least worth go first where a window is narrow.
    worth: u8,
}

/// A column of this width.
pub(super) const fn fixed(head: &'static str, width: u16, worth: u8) -> Column {
    Column {
        head,
        width,
        grows: false,
        worth,
    }
}

/// A column that takes what others leave.
pub(super) const fn growing(head: &'static str, width: u16, worth: u8) -> Column {
    Column {
        head,
        width,
        grows: true,
        worth,
    }
}

/// A table of rows whose cells are those of all columns, in a window of this width.
pub(super) fn table<const N: usize>(
    columns: &[Column; N],
    rows: impl Iterator<Item = [String; N]>,
    width: u16,
) -> Table<'static> {
    let shown = fitting(columns, width);
    let of_shown = |at: usize| shown.contains(&at);
    let rows = rows.map(|cells| {
        let cells = cells.into_iter().enumerate();
        Row::new(cells.filter_map(|(at, cell)| of_shown(at).then_some(cell)))
    });
    let columns = || columns.iter().enumerate().filter(|(at, _)| of_shown(*at));
    let widths = columns().map(|(_, column)| match column.grows {
        true => Constraint::Fill(1),
        false => Constraint::Length(column.width),
    });
    let head = Row::new(columns().map(|(_, column)| column.head));
    Table::new(rows.collect::<Vec<_>>(), widths.collect::<Vec<_>>())
        .header(head.style(Modifier::BOLD))
}

/// The places of the columns that fit, one at least.
fn fitting(columns: &[Column], width: u16) -> Vec<usize> {
    let mut shown: Vec<(usize, &Column)> = columns.iter().enumerate().collect();
    // Each but the last has a space behind it.
    let needed = |shown: &[(usize, &Column)]| {
        let letters = shown.iter().map(|(_, column)| column.width + 1);
        letters.sum::<u16>().saturating_sub(1)
    };
    while shown.len() > 1 && needed(&shown) > width {
        let least = shown.iter().map(|(_, column)| column.worth).min();
        shown.retain(|(_, column)| Some(column.worth) != least);
    }
    shown.into_iter().map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_least_goes_first_and_one_stays() {
        let columns = [
            growing("NAME", 10, 9),
            fixed("AGE", 4, 1),
            fixed("STATE", 6, 5),
        ];
        for (width, expected) in [
            (80, &[0, 1, 2][..]),
            (22, &[0, 1, 2]),
            (21, &[0, 2]),
            (17, &[0, 2]),
            (16, &[0]),
            (1, &[0]),
        ] {
            assert_eq!(fitting(&columns, width), expected, "{width}");
        }
    }
}
