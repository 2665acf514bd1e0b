//! `paddock key new`.

use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use paddock_server::config::{Expiry, KeyHash, Scope, with_key};
use serde_json::json;

use super::{FileArgs, key_name, still_read, write};
use crate::exit::Exit;
use crate::output;

/// What every secret begins with: so people, and tools that look for lost secrets, know what it is.
const PREFIX: &str = "pdk_";

/// Flags of `paddock key new`.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// What the key is called: letters, digits, `-` and `_`.
    #[arg(value_parser = key_name)]
    name: String,
    /// What it is for: inference, control, metrics or admin. Can be given several times; without it, inference.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', value_parser = str::parse::<Scope>)]
    allow: Vec<Scope>,
    /// A model it may use, by a name or an alias. Can be given several times; without it, every model.
    #[arg(long, value_name = "MODEL")]
    model: Vec<String>,
    /// When it ends: after a duration such as `90d`, or at a date (00:00 UTC) or a date and time such as
    /// 2027-06-30T18:00:00Z. Without it, never.
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
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

/// Prints the secret to standard output, and to standard error what to do with the hash.
pub(super) fn run(args: &NewArgs) -> Exit {
    let mut random = [0; 32];
    if let Err(error) = getrandom::fill(&mut random) {
        output::error(&format!(
            "error: the system gives no random numbers: {error}"
        ));
        return Exit::Failed;
    }
    let secret = secret(&random);
    let hash = KeyHash::from_secret(secret.as_bytes());
    let section = section(args, hash);
    let told = match args.write {
        true => match add(args, &section) {
            Ok(file) => {
                format!("added to {file}; a paddock that runs with it takes it up in a second")
            }
            Err(exit) => return exit,
        },
        false => format!(
            "The secret is shown this once. For the configuration, which paddock reads again when it changes:\n\n\
             {section}"
        ),
    };
    if args.json {
        let json = json!({ "name": args.name, "secret": secret, "hash": hash.to_string(), "section": section });
        output::text(&format!("{json:#}"));
    } else {
        output::text(&secret);
        output::error(&told);
    }
    Exit::Done
}

/// Reads `--expires`.
fn expiry(text: &str) -> Result<Expiry, String> {
    Expiry::from_flag(text, SystemTime::now())
}

/// 256 bits, as clients send them.
fn secret(random: &[u8; 32]) -> String {
    random.iter().fold(PREFIX.to_owned(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The key's section of the file.
fn section(args: &NewArgs, hash: KeyHash) -> String {
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

/// Adds it to the file, and returns which that is.
fn add(args: &NewArgs, section: &str) -> Result<String, Exit> {
    let (file, text) = args.file.read()?;
    let shown = file.display().to_string();
    let longer = with_key(&text, &args.name, section).map_err(|error| {
        output::error(&format!("error: {shown}: {error}"));
        Exit::Failed
    })?;
    still_read(&file, &text, &longer)?;
    write(&file, &longer)?;
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_what_it_is_and_holds_all_of_the_random_numbers() {
        let mut random = [0x0f; 32];
        random[31] = 0xa0;
        let secret = secret(&random);
        assert_eq!(secret, format!("pdk_{}a0", "0f".repeat(31)));
    }
}
