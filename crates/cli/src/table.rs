//! Formats tables: aligned for people, tab-separated for pipes.

/// Text of an empty cell.
pub(crate) const EMPTY_CELL: &str = "-";

/// Fills empty cells.
pub(crate) fn fill_empty<const N: usize>(cells: [Option<String>; N]) -> [String; N] {
    cells.map(|cell| cell.unwrap_or_else(|| EMPTY_CELL.to_owned()))
}

/// The widths of columns, which grow with their cells.
#[derive(Debug)]
pub(crate) struct ColumnWidths<const N: usize>([usize; N]);

impl<const N: usize> ColumnWidths<N> {
    /// Starts with the widths of the head.
    pub(crate) fn new(head: &[&str; N]) -> Self {
        Self(head.map(|cell| cell.chars().count()))
    }

    /// Formats rows as aligned lines. Later rows are aligned with earlier ones as far as they fit.
    pub(crate) fn align<S: AsRef<str>>(&mut self, rows: &[[S; N]]) -> String {
        for row in rows {
            for (width, cell) in self.0.iter_mut().zip(row) {
                *width = (*width).max(cell.as_ref().chars().count());
            }
        }
        rows.iter().map(|row| self.align_row(row)).collect()
    }

    fn align_row<S: AsRef<str>>(&self, row: &[S; N]) -> String {
        let cells = row.iter().zip(self.0);
        let cells = cells.map(|(cell, width)| format!("{:<width$}", cell.as_ref()));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    }
}

/// Formats rows as lines with tabs between cells.
pub(crate) fn join_with_tabs<const N: usize>(rows: &[[String; N]]) -> String {
    rows.iter().map(|row| row.join("\t") + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_lines_are_aligned_with_earlier_ones() {
        let head = ["A", "LONG"];
        let mut columns = ColumnWidths::new(&head);
        assert_eq!(columns.align(&[head, ["abc", "d"]]), "A    LONG\nabc  d\n");
        assert_eq!(columns.align(&[["x", "é"]]), "x    é\n");
    }
}
