//! A run from its start to the page.

use std::fs;

use anyhow::{Context as _, Result};

use crate::cases;
use crate::growth;
use crate::instructions;
use crate::machine;
use crate::options::{Instructions, Options};
use crate::results::Results;
use crate::say;
use crate::subjects::{self, Place, Subjects};
use crate::table;

/// The page around the table.
const PAGE: &str = include_str!("performance.md.in");

/// Measures, prints the table, and writes the page if it is to be written.
pub(crate) async fn make(options: &Options) -> Result<()> {
    if let Some(what) = options.instructions {
        let program = subjects::program(options)?;
        let place = Place::new()?;
        return instructions::check(&program, &place, what == Instructions::Keep).await;
    }
    let subjects = Subjects::start(options).await?;
    let load = machine::load();
    let mut results = Results::default();
    for case in options.cases() {
        cases::run(case, &subjects, options, &mut results).await?;
    }
    let (table, growth) = (table::render(&results), growth::render(&results));
    say::result(&format!("{table}\n\n{growth}"));
    if let Some(path) = options.page() {
        let text = PAGE
            .replace("{machine}", &machine::describe())
            .replace("{load}", &load)
            .replace("{rounds}", &options.rounds.to_string())
            .replace("{seconds}", &options.seconds.to_string())
            .replace("{nginx}", &subjects.nginx)
            .replace("{haproxy}", &subjects.haproxy)
            .replace("{growth}", &growth)
            .replace("{table}", &table);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
