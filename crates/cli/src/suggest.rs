//! Suggests a paddock command for arguments that people know from other tools, such as `ask MODEL` or llama-server's
//! flags.

use std::fmt::Write as _;
use std::path::Path;

/// Returns the command to type instead of `args`, which the parser has refused; alternatives and advice are on further
/// lines.
pub(crate) fn suggest(args: &[String]) -> Option<String> {
    let (first, rest) = args.split_first()?;
    let model = rest.iter().find(|arg| !arg.starts_with('-'));
    let with_model = |command: &str| {
        let name = model.map_or("MODEL", String::as_str);
        format!("paddock {command} {}", shell_quote(name))
    };
    match first.as_str() {
        "generate" | "ask" => Some(with_model("run")),
        "start" | "up" | "server" | "daemon" => Some(with_args("paddock serve", rest)),
        "list" | "ls" => Some("paddock models".to_owned()),
        "remove" | "delete" if model.is_some() => Some(with_model("rm")),
        "stop" | "down" if model.is_some() => Some(with_model("unload")),
        "stop" | "down" => Some(
            "paddock unload MODEL\nto stop paddock itself: press Ctrl-C in its terminal, or run systemctl stop \
             paddock"
                .to_owned(),
        ),
        "key" => suggest_key(rest),
        "keys" => Some("paddock key list".to_owned()),
        "show" | "info" if model.is_some_and(|model| is_model_file(model)) => Some(with_model("inspect")),
        "show" | "info" => Some(with_model("explain")),
        "validate" | "test" => Some(with_args("paddock check", rest)),
        "init" => Some("paddock config example > paddock.toml".to_owned()),
        "download" | "get" => Some(with_args("paddock pull", rest)),
        "llama-server" | "llama" => Some(with_args("paddock wrap -- llama-server", rest)),
        "serve" | "check" => suggest_serve(rest).map(|line| line.replace("paddock serve", &format!("paddock {first}"))),
        "wrap" if rest.first().is_some_and(|arg| arg.starts_with('-')) => {
            Some(with_args("paddock wrap -- llama-server", rest))
        }
        file if is_model_file(file) => suggest_serve(args),
        _ => None,
    }
}

/// Suggests a subcommand of `paddock key`.
fn suggest_key(args: &[String]) -> Option<String> {
    let (word, rest) = args.split_first()?;
    let command = match word.as_str() {
        "create" | "add" | "generate" | "make" => "new",
        "remove" | "rm" | "delete" | "del" => "revoke",
        "ls" | "show" => "list",
        _ => return None,
    };
    Some(with_args(&format!("paddock key {command}"), rest))
}

/// Translates llama-server's flags, and bare file names, to paddock's.
fn suggest_serve(args: &[String]) -> Option<String> {
    let mut line = "paddock serve".to_owned();
    let mut notes = String::new();
    let (mut host, mut port) = (None, None);
    let mut is_translated = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value.to_owned())),
            _ => (arg.as_str(), None),
        };
        let mut next_value = || {
            value
                .clone()
                .or_else(|| args.next().cloned())
                .unwrap_or_default()
        };
        match flag {
            "-m" => push_words(&mut line, &["--model", &next_value()]),
            "--port" => port = Some(next_value()),
            "--host" => host = Some(next_value()),
            "-c" | "--ctx-size" => add_note(&mut notes, &format!("context = {}", next_value())),
            "-np" => add_note(&mut notes, &format!("parallel = {}", next_value())),
            "-ngl" | "--gpu-layers" | "--n-gpu-layers" => {
                add_note(&mut notes, &format!("gpu_layers = {}", next_value()));
            }
            file if is_model_file(file) => push_words(&mut line, &["--model", file]),
            "--model" | "--config" | "--models-dir" | "--listen" | "--admin" | "--log" => {
                push_words(&mut line, &[flag, &next_value()]);
                continue;
            }
            _ => {
                push_words(&mut line, &[arg]);
                continue;
            }
        }
        is_translated = true;
    }
    if host.is_some() || port.is_some() {
        let host = host.as_deref().unwrap_or("127.0.0.1");
        let port = port.as_deref().unwrap_or("8080");
        push_words(&mut line, &["--listen", &format!("{host}:{port}")]);
    }
    if !notes.is_empty() {
        let _ = write!(line, "\nand in paddock.toml, under [models.NAME]:{notes}");
    }
    is_translated.then_some(line)
}

fn add_note(notes: &mut String, key: &str) {
    let before = if notes.is_empty() { " " } else { ", " };
    notes.push_str(before);
    notes.push_str(key);
}

fn push_words(line: &mut String, words: &[&str]) {
    for word in words {
        line.push(' ');
        line.push_str(&shell_quote(word));
    }
}

fn with_args(command: &str, rest: &[String]) -> String {
    let mut line = command.to_owned();
    for word in rest {
        push_words(&mut line, &[word]);
    }
    line
}

fn is_model_file(word: &str) -> bool {
    let extension = Path::new(word).extension();
    extension.is_some_and(|it| it.eq_ignore_ascii_case("gguf")) && !word.starts_with('-')
}

/// Quotes a word for a shell, if necessary.
fn shell_quote(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@+,~".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_told() {
        for (typed, meant) in [
            ("ask gemma", "paddock run gemma"),
            ("download hf:u/r", "paddock pull hf:u/r"),
            ("remove gemma", "paddock rm gemma"),
            ("start", "paddock serve"),
            ("start --models-dir m", "paddock serve --models-dir m"),
            ("list", "paddock models"),
            ("stop gemma", "paddock unload gemma"),
            ("show m.gguf", "paddock inspect m.gguf"),
            ("init", "paddock config example > paddock.toml"),
            ("key add laptop", "paddock key new laptop"),
            ("key rm laptop", "paddock key revoke laptop"),
            ("keys", "paddock key list"),
            ("serve model.gguf", "paddock serve --model model.gguf"),
            ("check a.gguf", "paddock check --model a.gguf"),
            ("model.gguf", "paddock serve --model model.gguf"),
            (
                "serve -m a.gguf --port 9000 -c 4096 -ngl 99",
                "paddock serve --model a.gguf --listen 127.0.0.1:9000\n\
                 and in paddock.toml, under [models.NAME]: context = 4096, gpu_layers = 99",
            ),
            (
                "llama-server -m a.gguf",
                "paddock wrap -- llama-server -m a.gguf",
            ),
            ("wrap -m a.gguf", "paddock wrap -- llama-server -m a.gguf"),
        ] {
            let args: Vec<_> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(suggest(&args).as_deref(), Some(meant), "{typed}");
        }
        for typed in ["frobnicate", "serve --listen nowhere", "load"] {
            let args: Vec<_> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(suggest(&args), None, "{typed}");
        }
    }

    #[test]
    fn words_stay_words_in_a_shell() {
        assert_eq!(shell_quote("it's"), r"'it'\''s'");
        assert_eq!(shell_quote(""), "''");
    }
}
