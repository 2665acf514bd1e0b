//! The table of docs/operations.md.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::moment::Moment;
use crate::scene::Row;

const BEGIN: &str = "<!-- faults: begin -->\n";
const END: &str = "<!-- faults: end -->\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md")
}

/// Compares with what the page shows, but for the times that something took; or writes it there, where
/// `PADDOCK_WRITE_DOCS` is set.
pub(crate) fn compare(rows: &[Row]) {
    let page = page();
    let text = fs::read_to_string(&page).expect("the page");
    let (before, rest) = text.split_once(BEGIN).expect("a begin of the table");
    let (shown, after) = rest.split_once(END).expect("an end of the table");
    let table = render(rows);
    if std::env::var_os("PADDOCK_WRITE_DOCS").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{table}{END}{after}")).expect("to write");
        return;
    }
    let (shown, table) = (timeless(shown), timeless(&table));
    for (shown, found) in shown.iter().zip(&table) {
        assert_eq!(
            shown, found,
            "docs/operations.md shows something else; see its end"
        );
    }
    assert_eq!(shown.len(), table.len());
}

/// The lines without their last column.
fn timeless(table: &str) -> Vec<&str> {
    let lines = table.lines();
    lines
        .map(|line| {
            let line = line.trim_end_matches('|');
            line.rsplit_once('|').map_or(line, |(line, _)| line)
        })
        .collect()
}

fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    for moment in Moment::ALL {
        let _ = write!(
            text,
            "\n### {}\n\n{}\n\n\
             | fault | the client sees | then | within | took |\n|---|---|---|---|---|\n",
            moment.name(),
            moment.sentence()
        );
        for row in rows.iter().filter(|row| row.moment == moment) {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} s | {} |",
                row.fault.name(),
                row.client,
                row.then,
                row.fault.limit(moment).as_secs(),
                rounded(row.took)
            );
        }
    }
    text + "\n"
}

fn rounded(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        millis => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}
