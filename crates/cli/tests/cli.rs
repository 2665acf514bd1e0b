//! The command as it is called: what it prints and how it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use paddock_gguf::{GgmlType, builder::GgufBuilder};
use tempfile::TempDir;

/// A directory with an engine that only sleeps and a small model, where paddock is called.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let engine = place.path().join("llama-server");
        fs::write(&engine, "#!/bin/sh\nexec sleep 600\n").unwrap();
        fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
        let model = GgufBuilder::new("llama").tensor("t", &[8], GgmlType::F32);
        fs::write(place.path().join("m.gguf"), model.build()).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paddock"));
        let path = format!("{}:/usr/bin:/bin", self.path().display());
        command
            .args(args)
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path());
        command
    }

    /// Runs paddock and returns its exit code, standard output and standard error.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        self.shown(&self.command(args).output().unwrap())
    }

    fn shown(&self, output: &Output) -> (i32, String, String) {
        let directory = self.path().canonicalize().unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(directory.to_str().unwrap(), "DIR")
        };
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}

/// The flags that keep tests from using the default ports.
const ANYWHERE: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &ANYWHERE].concat()
}

#[test]
fn the_version_is_printed() {
    let expected = (
        0,
        format!("paddock {}\n", env!("CARGO_PKG_VERSION")),
        String::new(),
    );
    assert_eq!(Place::new().run(&["version"]), expected);
    assert_eq!(Place::new().run(&["--version"]), expected);
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    let place = Place::new();
    for wrong in [
        &[][..],
        &["sreve"],
        &["serve", "--listen", "nowhere"],
        &["wrap"],
    ] {
        let (code, out, _) = place.run(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
    }
    let (code, out, _) = place.run(&["serve", "--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("--model <PATH|NAME=PATH>"));
    let (_, out, _) = place.run(&["--help"]);
    assert!(!out.contains("__exec"));
}

#[test]
fn completions_are_printed() {
    for (shell, part) in [
        ("bash", "_paddock()"),
        ("zsh", "#compdef paddock"),
        ("fish", "complete -c"),
    ] {
        let (code, out, _) = Place::new().run(&["completions", shell]);
        assert!(code == 0 && out.contains(part), "{shell}");
    }
}

#[test]
fn check_says_what_would_be_served() {
    let place = Place::new();
    place.write("paddock.toml", "[models.m]\npath = 'm.gguf'\n");
    let (code, out, error) = place.run(&with(&["check"]));
    let expected = "ok\n  model   m: DIR/m.gguf\n  engine  DIR/llama-server\n  config  paddock.toml\n  \
        listen  http://127.0.0.1:0\n  admin   http://127.0.0.1:0\n";
    assert_eq!((code, out.as_str(), error.as_str()), (0, expected, ""));
}

#[test]
fn check_lists_every_model_and_every_file_that_is_none() {
    let place = Place::new();
    for name in ["models/b.gguf", "models/a b.gguf", "models/a#.gguf"] {
        place.write(name, "");
    }
    place.write("more/c.gguf", "");
    place.write(
        "paddock.toml",
        "[discover]\ndirs = ['models']\n[models.m]\npath = 'm.gguf'\n",
    );
    let (code, out, error) = place.run(&with(&["check", "--models-dir", "more"]));
    let expected = "ok\n  model   m: DIR/m.gguf\n  model   a-b: DIR/models/a b.gguf\n  \
        model   b: DIR/models/b.gguf\n  model   c: DIR/more/c.gguf\n  \
        skipped DIR/models/a#.gguf cannot be served under its file name: the name `a#` contains '#', \
        which clients cannot send safely\n  engine  DIR/llama-server\n";
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.starts_with(expected), "{out}");
}

#[test]
fn check_and_serve_tell_every_problem() {
    let place = Place::new();
    place.write(
        "paddock.toml",
        "[server]\nlistne = 1\n[models.m]\npath = 'n.gguf'\n",
    );
    let expected = "error: server: unknown key `listne`, did you mean `listen`?
 --> paddock.toml:2:1
  |
2 | listne = 1
  | ^^^^^^

error: models.m.path: there is no file DIR/n.gguf
 --> paddock.toml:4:8
  |
4 | path = 'n.gguf'
  |        ^^^^^^^^
  = help: did you mean DIR/m.gguf?

2 problems
";
    for command in ["check", "serve"] {
        let (code, out, error) = place.run(&with(&[command]));
        assert_eq!((code, out.as_str(), error.as_str()), (64, "", expected));
    }
}

#[test]
fn the_file_is_looked_for_here_then_with_the_user() {
    let place = Place::new();
    let (code, _, error) = place.run(&with(&["check"]));
    assert_eq!(code, 64);
    assert!(
        error.starts_with("error: no model is configured"),
        "{error}"
    );

    place.write(
        ".config/paddock/paddock.toml",
        "[models.user]\npath = '../../m.gguf'\n",
    );
    let (_, out, _) = place.run(&with(&["check"]));
    assert!(out.contains("model   user"), "{out}");

    place.write("paddock.toml", "[models.here]\npath = 'm.gguf'\n");
    let (_, out, _) = place.run(&with(&["check"]));
    assert!(out.contains("model   here"), "{out}");

    let (code, _, error) = place.run(&["check", "--config", "other.toml"]);
    assert_eq!(
        (code, error.as_str()),
        (64, "error: there is no file other.toml\n")
    );
}

#[test]
fn a_port_that_is_taken_is_told_by_both() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let flags = [
        "--model",
        "m.gguf",
        "--admin",
        "127.0.0.1:0",
        "--listen",
        &address,
    ];
    let (code, _, error) = place.run(&[&["check"], &flags[..]].concat());
    let expected = format!("error: server.listen: another process is listening on {address}\n");
    assert_eq!(code, 64);
    assert!(error.starts_with(&expected), "{error}");
    let (code, _, error) = place.run(&[&["serve"], &flags[..]].concat());
    assert_eq!(code, 1);
    assert!(
        error.contains(&format!("error: cannot listen on {address}")),
        "{error}"
    );
}

#[test]
fn a_file_in_the_place_of_a_socket_is_told() {
    let place = Place::new();
    let flags = [
        "check",
        "--model",
        "m.gguf",
        "--admin",
        "127.0.0.1:0",
        "--listen",
        "unix:m.gguf",
    ];
    let (code, _, error) = place.run(&flags);
    assert_eq!(code, 64);
    assert!(
        error.contains("m.gguf already exists and is not a socket"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_wrapped_is_refused() {
    let place = Place::new();
    let (code, _, error) = place.run(&["wrap", "--", "llama-server", "--ssl-key-file", "k"]);
    assert_eq!(code, 64);
    assert!(
        error.starts_with("error: --ssl-key-file: TLS is not supported"),
        "{error}"
    );
    let (code, _, error) = place.run(&["wrap", "lama-server", "--port", "0"]);
    assert_eq!(code, 64);
    assert!(
        error.starts_with("error: the command: `lama-server` was not found on PATH"),
        "{error}"
    );
}

#[test]
fn the_shim_is_not_for_people() {
    let (code, out, error) = Place::new().run(&["__exec", "--help"]);
    assert_eq!((code, out.as_str()), (125, ""));
    assert!(error.contains("paddock shim"), "{error}");
}

#[test]
fn a_log_filter_from_the_environment_is_checked() {
    let place = Place::new();
    let mut command = place.command(&with(&["check", "--model", "m.gguf"]));
    let output = command.env("PADDOCK_LOG", "inof").output().unwrap();
    let (code, _, error) = place.shown(&output);
    assert_eq!(code, 64);
    assert!(
        error.starts_with("error: --log: expected a level"),
        "{error}"
    );
}

#[test]
fn the_example_is_accepted_by_check_and_the_schema_is_json() {
    let place = Place::new();
    let (code, example, error) = place.run(&["config", "example"]);
    assert_eq!((code, error.as_str()), (0, ""));
    place.write("paddock.toml", &example);
    let (code, _, error) = place.run(&with(&["check"]));
    let missing = "error: models.gemma.path: there is no file DIR/model.gguf\n";
    assert_eq!(code, 64);
    assert!(error.starts_with(missing), "{error}");
    fs::rename(place.path().join("m.gguf"), place.path().join("model.gguf")).unwrap();
    let (code, out, error) = place.run(&with(&["check"]));
    assert_eq!((code, error.as_str()), (0, ""), "{out}");

    let (code, schema, _) = place.run(&["config", "schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(code, 0);
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

#[test]
fn check_gives_problems_as_data() {
    let place = Place::new();
    place.write(
        "paddock.toml",
        "[models.m]\npath = 'm.gguf'\nkeep_alvie = '10m'\n",
    );
    let (code, out, error) = place.run(&with(&["check", "--json"]));
    assert_eq!((code, error.as_str()), (64, ""));
    insta::assert_snapshot!("check_json_refused", out);

    place.write("paddock.toml", "[models.m]\npath = 'm.gguf'\n");
    let (code, out, error) = place.run(&with(&["check", "--json"]));
    assert_eq!((code, error.as_str()), (0, ""));
    insta::assert_snapshot!("check_json_ok", out);
}

#[test]
fn problems_have_colours_only_where_they_are_shown() {
    let place = Place::new();
    place.write("paddock.toml", "[server]\nlistne = 1\n");
    let mut command = place.command(&with(&["check", "--model", "m.gguf"]));
    let (code, _, error) = place.shown(&command.output().unwrap());
    assert_eq!(code, 64);
    assert!(!error.contains('\u{1b}'), "{error:?}");
    let forced = command.env("CLICOLOR_FORCE", "1").output().unwrap();
    let (_, _, error) = place.shown(&forced);
    assert!(error.starts_with("\u{1b}[1m\u{1b}[91merror"), "{error:?}");
    let never = command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    let (_, _, error) = place.shown(&never.output().unwrap());
    assert!(!error.contains('\u{1b}'), "{error:?}");
}

#[test]
fn wrong_usage_is_answered_with_the_right_one() {
    let place = Place::new();
    for (name, args) in [
        ("usage_run", &["run", "u/r", "hi"][..]),
        ("usage_start", &["start"]),
        ("usage_list", &["list"]),
        ("usage_pull", &["pull", "org/model"]),
        ("usage_serve_file", &["serve", "model.gguf"]),
        ("usage_unknown", &["frobnicate"]),
    ] {
        let (code, out, error) = place.run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{name}");
        insta::assert_snapshot!(name, error);
    }
}

#[test]
fn help_is_what_it_was() {
    let place = Place::new();
    let (_, help, _) = place.run(&["--help"]);
    insta::assert_snapshot!("help", help);
    for command in ["serve", "chat", "load", "key"] {
        let (code, help, _) = place.run(&[command, "--help"]);
        assert_eq!(code, 0, "{command}");
        insta::assert_snapshot!(format!("help_{command}"), help);
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let place = Place::new();
    let (code, page, _) = place.run(&["man"]);
    assert_eq!(code, 0);
    assert!(
        page.contains(".TH PADDOCK 1") && page.contains("paddock\\-serve(1)"),
        "{page}"
    );
    let (code, out, _) = place.run(&["man", "man1"]);
    assert_eq!((code, out.as_str()), (0, ""));
    let (_, help, _) = place.run(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    for command in commands.map(|line| line.split_whitespace().next().unwrap()) {
        let page = place.path().join(format!("man1/paddock-{command}.1"));
        if command != "help" {
            let page = fs::read_to_string(page).unwrap();
            assert!(page.contains("Examples:"), "{command}");
        }
    }
    assert!(!place.path().join("man1/paddock-man.1").exists());
}
