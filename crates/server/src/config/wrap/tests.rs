use super::super::fixture::Fixture;
use super::super::{Config, KeepAlive, Memory, Mode, Overrides, wrapped};
use super::*;

fn words(command: &str) -> Vec<OsString> {
    command.split(' ').map(OsString::from).collect()
}

fn parse_with(command: &str, vars: &[(&str, &str)]) -> Result<Wrap, Problems> {
    let vars = vars
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Wrap::parse(&words(command), vars)
}

fn parse(command: &str) -> Wrap {
    parse_with(command, &[]).unwrap()
}

fn shown(wrap: &Wrap) -> Vec<String> {
    wrap.listen.iter().map(ToString::to_string).collect()
}

#[test]
fn the_address_is_taken_out_and_the_rest_is_untouched() {
    let wrap = parse("llama-server -m a.gguf --host 0.0.0.0 -c 4096 --port 9000 --jinja");
    assert_eq!(wrap.args, words("-m a.gguf -c 4096 --jinja"));
    assert_eq!(shown(&wrap), ["0.0.0.0:9000"]);
    assert_eq!(wrap.model, Some(PathBuf::from("a.gguf")));
}

#[test]
fn the_last_address_counts_and_the_default_is_the_childs() {
    assert_eq!(shown(&parse("llama-server")), ["127.0.0.1:8080"]);
    let twice = parse("llama-server --port 1 --host ::1 --port 2");
    assert_eq!(shown(&twice), ["[::1]:2"]);
    assert_eq!(twice.args, [""; 0]);
}

#[test]
fn several_hosts_and_sockets_are_read() {
    let wrap = parse("llama-server --host 127.0.0.1,,\"::1\",/run/l.sock,localhost");
    let expected = [
        "127.0.0.1:8080",
        "[::1]:8080",
        "unix:/run/l.sock",
        "localhost:8080",
    ];
    assert_eq!(shown(&wrap), expected);
}

#[test]
fn flags_that_bring_a_model_bring_their_port() {
    let wrap = parse("llama-server --fim_qwen_7b_default");
    assert_eq!(
        (shown(&wrap), wrap.router),
        (vec!["127.0.0.1:8012".to_owned()], false)
    );
    assert_eq!(wrap.name(), "fim-qwen-7b-default");
    assert_eq!(
        shown(&parse("llama-server --gpt-oss-20b-default --port 1")),
        ["127.0.0.1:1"]
    );
}

#[test]
fn the_environment_of_the_command_goes_along() {
    let vars = [
        ("LLAMA_ARG_HOST", "127.0.0.2"),
        ("LLAMA_ARG_PORT", "7"),
        ("LLAMA_ARG_CTX_SIZE", "512"),
        ("LLAMA_SERVER_ROUTER_PORT", "1"),
        ("LLAMA_CACHE", "/c"),
        ("HF_TOKEN", "t"),
        ("AWS_SECRET", "s"),
        ("PATH", "/bin"),
    ];
    let wrap = parse_with("llama-server", &vars).unwrap();
    assert_eq!(shown(&wrap), ["127.0.0.2:7"]);
    let names: Vec<_> = wrap.env.keys().map(String::as_str).collect();
    assert_eq!(names, ["HF_TOKEN", "LLAMA_ARG_CTX_SIZE", "LLAMA_CACHE"]);
    let flag = parse_with("llama-server --port 8", &vars).unwrap();
    assert_eq!(shown(&flag), ["127.0.0.2:8"]);
}

#[test]
fn a_command_without_a_model_is_a_router() {
    for single in [
        "-m a",
        "--model a",
        "-hf a/b",
        "--hf_repo a/b",
        "-dr gemma3",
    ] {
        assert!(!parse(&format!("llama-server {single}")).router, "{single}");
    }
    // As in llama-server itself: an address alone names no model.
    for router in ["--models-dir d", "--jinja", "-mu http://h/a.gguf"] {
        assert!(parse(&format!("llama-server {router}")).router, "{router}");
    }
    let vars = [("LLAMA_ARG_MODEL", "a.gguf")];
    assert!(!parse_with("llama-server", &vars).unwrap().router);
}

#[test]
fn the_name_is_the_alias_the_file_or_the_origin() {
    assert_eq!(parse("llama-server -m /d/a.gguf -a x,y").name(), "x");
    assert_eq!(
        parse("llama-server -m /d/a-00001-of-00002.gguf").name(),
        "a"
    );
    assert_eq!(parse("llama-server -hf o/r:q4").name(), "o/r:q4");
    assert_eq!(parse("/opt/llama-server").name(), "llama-server");
}

#[test]
fn what_cannot_be_wrapped_is_told() {
    let cases = [
        (
            "llama-server --host",
            "error: --host: needs a value after it",
        ),
        ("llama-server --port x", "error: --port: `x` is not a port"),
        (
            "llama-server --port 70000",
            "error: --port: `70000` is not a port",
        ),
        (
            "llama-server --host ,",
            "error: --host: needs at least one address",
        ),
        (
            "llama-server --version",
            "error: --version: makes llama-server print something and exit\n  \
             = help: with it the child would print something and exit; run it without paddock",
        ),
        (
            "llama-server --ssl-key-file k",
            "error: --ssl-key-file: TLS is not supported in this version\n  \
             = help: remove it and put a TLS proxy in front of paddock",
        ),
    ];
    for (command, expected) in cases {
        let problems = parse_with(command, &[]).unwrap_err();
        assert_eq!(problems.to_string(), expected);
    }
    let vars = [("LLAMA_ARG_SSL_CERT_FILE", "c")];
    let problems = parse_with("llama-server", &vars).unwrap_err().to_string();
    assert!(problems.starts_with("error: LLAMA_ARG_SSL_CERT_FILE: TLS"));
    let nothing = Wrap::parse(&[], std::iter::empty()).unwrap_err();
    assert!(nothing.to_string().contains("paddock wrap -- llama-server"));
}

fn config(fixture: &Fixture, command: &str) -> Result<Config, Problems> {
    let vars = std::iter::empty();
    wrapped::config(
        &words(command),
        vars,
        &Overrides::default(),
        &fixture.around(),
    )
}

#[test]
fn a_wrapped_command_is_a_configuration() {
    let fixture = Fixture::new();
    let model = fixture.path("model.gguf");
    let command = format!("llama-server -m {} --host 0.0.0.0 -np 3", model.display());
    let config = config(&fixture, &command).unwrap();
    assert_eq!(config.mode, Mode::Wrap { router: false });
    assert_eq!(
        (config.models.len(), config.skipped.len(), &config.memory),
        (1, 0, &Memory::default())
    );
    let only = &config.models[0];
    assert_eq!((only.id.as_str(), only.parallel), ("model", 3));
    assert_eq!(only.path.as_deref(), Some(model.as_path()));
    assert_eq!(
        (only.pinned, only.preload, only.keep_alive),
        (true, true, KeepAlive::Forever)
    );
    let command = config.command(only);
    assert_eq!(command.program, fixture.path("bin/llama-server"));
    assert_eq!(
        command.args,
        words(&format!("-m {} -np 3", model.display()))
    );
}

#[test]
fn every_problem_of_a_wrapped_command_is_told() {
    let fixture = Fixture::new();
    let problems = config(&fixture, "lama-server -m /none/a.gguf --port 8081").unwrap_err();
    let first_lines: Vec<_> = problems
        .as_slice()
        .iter()
        .map(|problem| &*problem.message)
        .collect();
    let expected = [
        "there is no `lama-server` on PATH",
        "there is no file /none/a.gguf",
        "127.0.0.1:8081 is there twice, first in --host/--port",
    ];
    assert_eq!(first_lines, expected);
}
