//! `paddock key new`: creates an API key, prints its secret once, and prints its section of the configuration file or
//! writes it there.

use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use paddock_server::config::{Expiry, KeyHash, Scope, with_key};
use serde_json::json;

use super::{FileArgs, check_still_valid, parse_key_name, write_file};
use crate::exit::Exit;
use crate::output;

/// Prefix of each secret, by which people and secret scanners recognize it.
const SECRET_PREFIX: &str = "pdk_";

/// Flags of `paddock key new`.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Name of the key: letters, digits, `-` and `_`.
    #[arg(value_parser = parse_key_name)]
    name: String,
    /// What the key allows: inference, control, metrics or admin. Can be repeated; default: inference.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', value_parser = str::parse::<Scope>)]
    allow: Vec<Scope>,
    /// Name or alias of a model that the key may use. Can be repeated; default: every model.
    #[arg(long, value_name = "MODEL")]
    model: Vec<String>,
    /// Expiry: a duration such as `90d`, a date (00:00 UTC), or a date and time such as 2027-06-30T18:00:00Z.
    /// Default: never.
    #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
    expires: Option<Expiry>,
    /// Add the section to the configuration file.
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    file: FileArgs,
    /// Print JSON: name, secret, hash and section.
    #[arg(long)]
    json: bool,
}

/// Prints the secret to standard output, and the section with its hash to standard error.
pub(super) fn run(args: &NewArgs) -> Exit {
    let mut random = [0; 32];
    if let Err(error) = getrandom::fill(&mut random) {
        output::print_error(&format!(
            "error: cannot get random numbers from the system: {error}"
        ));
        return Exit::Failed;
    }
    let secret = format_secret(&random);
    let hash = KeyHash::from_secret(secret.as_bytes());
    let section = format_section(args, hash);
    let message = match args.write {
        true => match add_to_file(args, &section) {
            Ok(file) => {
                format!("added to {file}; a running paddock reloads the file within a second")
            }
            Err(exit) => return exit,
        },
        false => format!(
            "This secret will not be shown again. Add this section to the configuration file, which paddock \
             reloads when it changes:\n\n\
             {section}"
        ),
    };
    if args.json {
        let json = json!({ "name": args.name, "secret": secret, "hash": hash.to_string(), "section": section });
        output::print(&format!("{json:#}"));
    } else {
        output::print(&secret);
        output::print_error(&message);
    }
    Exit::Done
}

/// Parses `--expires`.
fn parse_expiry(text: &str) -> Result<Expiry, String> {
    Expiry::from_flag(text, SystemTime::now())
}

/// Formats 256 random bits as a secret.
fn format_secret(random: &[u8; 32]) -> String {
    random
        .iter()
        .fold(SECRET_PREFIX.to_owned(), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Formats the key's section of the configuration file.
fn format_section(args: &NewArgs, hash: KeyHash) -> String {
    let mut section = format!("[auth.keys.{}]\nhash = \"{hash}\"\n", args.name);
    let mut list = |key: &str, words: &[String]| {
        if !words.is_empty() {
            let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
            // Writing to a string does not fail.
            let _ = writeln!(section, "{key} = [{}]", words.join(", "));
        }
    };
    let allow = args.allow.iter().map(|scope| scope.as_str().to_owned());
    list("allow", &allow.collect::<Vec<_>>());
    list("models", &args.model);
    if let Some(expires) = args.expires {
        // Writing to a string does not fail.
        let _ = writeln!(section, "expires = {expires}");
    }
    section
}

/// Adds the section to the file and returns the file's path.
fn add_to_file(args: &NewArgs, section: &str) -> Result<String, Exit> {
    let (file, text) = args.file.read()?;
    let path = file.display().to_string();
    let new_text = with_key(&text, &args.name, section).map_err(|error| {
        output::print_error(&format!("error: {path}: {error}"));
        Exit::Failed
    })?;
    check_still_valid(&file, &text, &new_text)?;
    write_file(&file, &new_text)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_what_it_is_and_holds_all_of_the_random_numbers() {
        let mut random = [0x0f; 32];
        random[31] = 0xa0;
        let secret = format_secret(&random);
        assert_eq!(secret, format!("pdk_{}a0", "0f".repeat(31)));
    }
}
