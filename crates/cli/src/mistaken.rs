//! The right command for one that is not paddock's: what people know from other tools.

use std::fmt::Write as _;
use std::path::Path;

/// Returns what to type instead of these arguments, which were refused; each line is one way.
pub(crate) fn instead(args: &[String]) -> Option<String> {
    let (first, rest) = args.split_first()?;
    let model = rest.iter().find(|arg| !arg.starts_with('-'));
    let named = |command: &str| {
        let name = model.map_or("MODEL", String::as_str);
        format!("paddock {command} {}", quoted(name))
    };
    match first.as_str() {
        "run" | "generate" | "ask" if model.is_some_and(|model| is_file(model)) => serve(rest),
        "run" | "generate" | "ask" => Some(named("chat")),
        "start" | "up" | "server" | "daemon" => Some(with("paddock serve", rest)),
        "list" | "ls" | "models" => Some("paddock status".to_owned()),
        "stop" | "rm" | "remove" | "down" if model.is_some() => Some(named("unload")),
        "stop" | "down" => Some(
            "paddock unload MODEL\nto end paddock itself: Ctrl-C where it runs, or systemctl stop paddock"
                .to_owned(),
        ),
        "key" => key(rest),
        "keys" => Some("paddock key list".to_owned()),
        "show" | "info" if model.is_some_and(|model| is_file(model)) => Some(named("inspect")),
        "show" | "info" => Some(named("explain")),
        "validate" | "test" => Some(with("paddock check", rest)),
        "init" => Some("paddock config example > paddock.toml".to_owned()),
        "pull" | "download" | "get" => Some(
            "paddock does not download models: fetch a .gguf file, then\npaddock serve --model FILE.gguf"
                .to_owned(),
        ),
        "llama-server" | "llama" => Some(with("paddock wrap -- llama-server", rest)),
        "serve" | "check" => serve(rest).map(|line| line.replace("paddock serve", &format!("paddock {first}"))),
        "wrap" if rest.first().is_some_and(|arg| arg.starts_with('-')) => {
            Some(with("paddock wrap -- llama-server", rest))
        }
        file if is_file(file) => serve(args),
        _ => None,
    }
}

/// What is meant to be done with a key.
fn key(args: &[String]) -> Option<String> {
    let (word, rest) = args.split_first()?;
    let command = match word.as_str() {
        "create" | "add" | "generate" | "make" => "new",
        "remove" | "rm" | "delete" | "del" => "revoke",
        "ls" | "show" => "list",
        _ => return None,
    };
    Some(with(&format!("paddock key {command}"), rest))
}

/// Writes llama-server's flags, and bare files, as paddock's.
fn serve(args: &[String]) -> Option<String> {
    let mut line = "paddock serve".to_owned();
    let mut notes = String::new();
    let (mut host, mut port) = (None, None);
    let mut understood = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value.to_owned())),
            _ => (arg.as_str(), None),
        };
        let mut take = || {
            value
                .clone()
                .or_else(|| args.next().cloned())
                .unwrap_or_default()
        };
        match flag {
            "-m" => add(&mut line, &["--model", &take()]),
            "--port" => port = Some(take()),
            "--host" => host = Some(take()),
            "-c" | "--ctx-size" => note(&mut notes, &format!("context = {}", take())),
            "-np" => note(&mut notes, &format!("parallel = {}", take())),
            "-ngl" | "--gpu-layers" | "--n-gpu-layers" => {
                note(&mut notes, &format!("gpu_layers = {}", take()));
            }
            file if is_file(file) => add(&mut line, &["--model", file]),
            "--model" | "--config" | "--models-dir" | "--listen" | "--admin" | "--log" => {
                add(&mut line, &[flag, &take()]);
                continue;
            }
            _ => {
                add(&mut line, &[arg]);
                continue;
            }
        }
        understood = true;
    }
    if host.is_some() || port.is_some() {
        let host = host.as_deref().unwrap_or("127.0.0.1");
        let port = port.as_deref().unwrap_or("8080");
        add(&mut line, &["--listen", &format!("{host}:{port}")]);
    }
    if !notes.is_empty() {
        let _ = write!(line, "\nand in paddock.toml, under [models.NAME]:{notes}");
    }
    understood.then_some(line)
}

fn note(notes: &mut String, key: &str) {
    let before = if notes.is_empty() { " " } else { ", " };
    notes.push_str(before);
    notes.push_str(key);
}

fn add(line: &mut String, words: &[&str]) {
    for word in words {
        line.push(' ');
        line.push_str(&quoted(word));
    }
}

fn with(command: &str, rest: &[String]) -> String {
    let mut line = command.to_owned();
    for word in rest {
        add(&mut line, &[word]);
    }
    line
}

fn is_file(word: &str) -> bool {
    let extension = Path::new(word).extension();
    extension.is_some_and(|it| it.eq_ignore_ascii_case("gguf")) && !word.starts_with('-')
}

/// Writes a word as a shell reads it.
fn quoted(word: &str) -> String {
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
            ("run gemma", "paddock chat gemma"),
            ("run model.gguf", "paddock serve --model model.gguf"),
            ("start", "paddock serve"),
            ("start --models-dir m", "paddock serve --models-dir m"),
            ("list", "paddock status"),
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
            assert_eq!(instead(&args).as_deref(), Some(meant), "{typed}");
        }
        for typed in ["frobnicate", "serve --listen nowhere", "load"] {
            let args: Vec<_> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(instead(&args), None, "{typed}");
        }
    }

    #[test]
    fn words_stay_words_in_a_shell() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
