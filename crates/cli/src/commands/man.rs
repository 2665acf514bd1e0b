//! `paddock man`: writes the manual pages, which the Debian package contains.

mod markdown;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::Cli;
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write one page per command to this directory; without it, print the page of paddock itself.
    directory: Option<PathBuf>,
    /// Print all commands as one page of Markdown.
    #[arg(long, conflicts_with = "directory")]
    markdown: bool,
}

/// Prints or writes the manual.
pub(super) fn run(args: &ManArgs) -> Exit {
    let mut paddock = Cli::command();
    paddock.build();
    if args.markdown {
        output::print(&markdown::render(&paddock));
        return Exit::Done;
    }
    let result = match &args.directory {
        Some(directory) => write_pages(&paddock, directory),
        None => render_page(&paddock, "paddock").map(|page| output::print_bytes(&page)),
    };
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            output::print_error(&format!("error: cannot write the man pages: {error}"));
            Exit::Failed
        }
    }
}

/// Writes `paddock.1`, and a page such as `paddock-serve.1` for each visible command.
fn write_pages(paddock: &Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let pages = paddock
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
        .map(|command| (command, format!("paddock-{}", command.get_name())));
    for (command, name) in [(paddock, "paddock".to_owned())].into_iter().chain(pages) {
        let page = render_page(command, &name)?;
        fs::File::create(directory.join(format!("{name}.1")))?.write_all(&page)?;
    }
    Ok(())
}

/// Renders a page of section 1.
fn render_page(command: &Command, name: &str) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).title(name.to_uppercase());
    man.source(concat!("paddock ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_all_commands_is_the_one_that_is_kept() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        let mut paddock = Cli::command();
        paddock.build();
        assert_eq!(
            fs::read_to_string(kept).unwrap_or_default(),
            markdown::render(&paddock),
            "regenerate it: paddock man --markdown > docs/cli.md"
        );
    }
}
