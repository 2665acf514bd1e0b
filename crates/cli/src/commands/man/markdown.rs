//! Renders all commands as one page of Markdown: docs/cli.md.

use std::fmt::Write as _;

use clap::{Arg, Command};

/// Text above the commands.
const INTRODUCTION: &str = "\
# Commands

`paddock man --markdown` prints this page. `paddock COMMAND --help` prints the same text, and so does `man
paddock-COMMAND` if the Debian package is installed.

- Results go to standard output, everything else to standard error. With `--json`, a command prints the admin API's
  response ([api.md](api.md)); without it, a table on a terminal and tab-separated columns in a pipe.
- Commands that talk to a running paddock use the address in `--admin`, or else in `PADDOCK_ADMIN`, or else
  `127.0.0.1:8081`. If no paddock is running at that default address and exactly one `paddock wrap` of this user is
  running, they use that one.
  If paddock requires an [API key](api.md#api-keys), they send the one in `PADDOCK_KEY`.
- Colours are disabled if the output is a pipe or `NO_COLOR` is set; `CLICOLOR_FORCE=1` enables them.

| exit code | |
|---|---|
| 0 | success |
| 1 | failure |
| 2 | invalid usage |
| 64 | invalid configuration |
| 69 | paddock cannot be reached |
| 130 | interrupted |
| the command's exit code | `paddock wrap`: the command exited before it was ready |
";

/// Renders the page. The caller has called [`Command::build`] on `paddock`.
pub(super) fn render(paddock: &Command) -> String {
    let mut text = INTRODUCTION.to_owned();
    for command in paddock.get_subcommands().filter(|it| is_shown(it)) {
        write_section(&mut text, command);
    }
    text
}

/// Returns whether the page describes the command.
fn is_shown(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

/// Adds a command's section: names, description, usage, arguments and examples.
fn write_section(text: &mut String, command: &Command) {
    let about = command.get_about().map(ToString::to_string);
    let names = [command.get_name()].into_iter();
    let names = names.chain(command.get_visible_aliases());
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let about = about.unwrap_or_default();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "\n## {names}\n\n{about}.\n\n```text\n{usage}\n```\n\n"
    );
    let subcommands = command.get_subcommands().filter(|it| is_shown(it));
    let subcommands = subcommands.flat_map(|it| {
        let about = it.get_about().map(ToString::to_string).unwrap_or_default();
        let name = it.get_name();
        let arguments =
            argument_rows(it).map(move |(syntax, meaning)| (format!("{name} {syntax}"), meaning));
        [(name.to_owned(), about)].into_iter().chain(arguments)
    });
    let rows: Vec<_> = subcommands.chain(argument_rows(command)).collect();
    if !rows.is_empty() {
        text.push_str("| | |\n|---|---|\n");
        for (name, meaning) in rows {
            let _ = writeln!(
                text,
                "| `{}` | {} |",
                escape_cell(&name),
                escape_cell(&meaning)
            );
        }
        text.push('\n');
    }
    let examples = command.get_after_help().map(ToString::to_string);
    text.push_str("```console\n");
    for line in examples.unwrap_or_default().lines().skip(1) {
        let _ = writeln!(text, "$ {}", line.trim());
    }
    text.push_str("```\n");
}

/// Returns the syntax and meaning of each argument.
fn argument_rows(command: &Command) -> impl Iterator<Item = (String, String)> {
    let arguments = command.get_arguments().filter(|it| !it.is_hide_set());
    let arguments = arguments.filter(|it| it.get_id() != "help");
    arguments.map(|it| (argument_syntax(it), argument_meaning(it)))
}

/// Returns an argument's syntax.
fn argument_syntax(argument: &Arg) -> String {
    let value = argument.get_value_names().unwrap_or_default().join(" ");
    if argument.is_positional() {
        return value;
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names = short.into_iter().chain(long).collect::<Vec<_>>();
    let names = names.join(", ");
    match argument.get_action().takes_values() {
        true => format!("{names} {value}"),
        false => names,
    }
}

/// Returns an argument's help, possible values, variable and default.
fn argument_meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut parts = vec![help.split_whitespace().collect::<Vec<_>>().join(" ")];
    let values = argument.get_possible_values();
    let values = values.iter().filter(|it| !it.is_hide_set());
    let values: Vec<_> = values.map(|it| format!("`{}`", it.get_name())).collect();
    if argument.get_action().takes_values() && !values.is_empty() {
        parts.push(values.join(", "));
    }
    if let Some(variable) = argument.get_env() {
        parts.push(format!(
            "environment variable `{}`",
            variable.to_string_lossy()
        ));
    }
    let defaults = argument.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|it| it.to_string_lossy()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        parts.push(format!("default `{}`", defaults.join(" ")));
    }
    parts.join("; ")
}

/// Escapes `|`, which ends a table's cell.
fn escape_cell(text: &str) -> String {
    text.replace('|', "\\|")
}
