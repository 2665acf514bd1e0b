//! Rows of cells for people and for pipes.

/// What stands in a cell that has nothing to say.
const NOTHING: &str = "-";

/// Cells, of which some may have nothing to say.
pub(crate) fn filled<const N: usize>(cells: [Option<String>; N]) -> [String; N] {
    cells.map(|cell| cell.unwrap_or_else(|| NOTHING.to_owned()))
}

/// How wide each column is, which grows with what is shown.
#[derive(Debug)]
pub(crate) struct Columns<const N: usize>([usize; N]);

impl<const N: usize> Columns<N> {
    /// Columns as wide as their heads.
    pub(crate) fn new(head: &[&str; N]) -> Self {
        Self(head.map(|cell| cell.chars().count()))
    }

    /// Lines of aligned cells. Later lines are aligned with earlier ones as far as they fit.
    pub(crate) fn lines<S: AsRef<str>>(&mut self, rows: &[[S; N]]) -> String {
        for row in rows {
            for (width, cell) in self.0.iter_mut().zip(row) {
                *width = (*width).max(cell.as_ref().chars().count());
            }
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    fn line<S: AsRef<str>>(&self, row: &[S; N]) -> String {
        let cells = row.iter().zip(self.0);
        let cells = cells.map(|(cell, width)| format!("{:<width$}", cell.as_ref()));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    }
}

/// Lines with a tab between cells, as programs take them.
pub(crate) fn tabbed<const N: usize>(rows: &[[String; N]]) -> String {
    rows.iter().map(|row| row.join("\t") + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_lines_are_aligned_with_earlier_ones() {
        let head = ["A", "LONG"];
        let mut columns = Columns::new(&head);
        assert_eq!(columns.lines(&[head, ["abc", "d"]]), "A    LONG\nabc  d\n");
        assert_eq!(columns.lines(&[["x", "é"]]), "x    é\n");
    }
}
