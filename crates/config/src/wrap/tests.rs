//! Tests of wrapped command lines and their environments.

use super::super::fixture::Fixture;
use super::super::{
    Config, KeepAlive, Memory, Mode, Overrides, ProcessEnv, SandboxMode, wrap_config,
};
use super::*;
use paddock_supervisor::sandbox::SandboxSupport;

fn words(command: &str) -> Vec<OsString> {
    command.split(' ').map(OsString::from).collect()
}

fn parse_with(command: &str, vars: &[(&str, &str)]) -> Result<WrapCommand, Problems> {
    let vars = vars
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    WrapCommand::parse(&words(command), vars)
}

fn parse(command: &str) -> WrapCommand {
    parse_with(command, &[]).unwrap()
}

fn shown(wrap: &WrapCommand) -> Vec<String> {
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
fn the_whole_environment_goes_along_except_what_is_paddocks() {
    let vars = [
        ("LLAMA_ARG_HOST", "127.0.0.2"),
        ("LLAMA_ARG_PORT", "7"),
        ("LLAMA_ARG_CTX_SIZE", "512"),
        ("LLAMA_SERVER_ROUTER_PORT", "1"),
        ("LLAMA_CACHE", "/c"),
        ("HF_TOKEN", "t"),
        ("AWS_SECRET", "s"),
        ("PATH", "/bin"),
        ("NOTIFY_SOCKET", "/run/n"),
    ];
    let wrap = parse_with("llama-server", &vars).unwrap();
    assert_eq!(shown(&wrap), ["127.0.0.2:7"]);
    let names: Vec<_> = wrap.env.keys().map(String::as_str).collect();
    let all = [
        "AWS_SECRET",
        "HF_TOKEN",
        "LLAMA_ARG_CTX_SIZE",
        "LLAMA_CACHE",
        "PATH",
    ];
    assert_eq!(names, all);
    let flag = parse_with("llama-server --port 8", &vars).unwrap();
    assert_eq!(shown(&flag), ["127.0.0.2:8"]);
}

#[test]
fn vertex_chooses_the_port_by_a_variable() {
    let mode = ("AIP_MODE", "PREDICTION");
    for (vars, port) in [
        (&[mode, ("AIP_HTTP_PORT", "7")][..], "7"),
        (&[mode], "8080"),
        (&[("AIP_HTTP_PORT", "7")], "9"),
    ] {
        let wrap = parse_with("llama-server --port 9", vars).unwrap();
        assert_eq!(shown(&wrap), [format!("127.0.0.1:{port}")], "{vars:?}");
        assert_eq!(wrap.args, [""; 0]);
    }
}

#[test]
fn what_starts_a_server_keeps_its_own_words() {
    let table = [
        (
            "nice -n 5 /opt/llama-server -m a.gguf --port 9",
            "-n 5 /opt/llama-server -m a.gguf",
            Some("a.gguf"),
        ),
        (
            "numactl -m 0 ./llama-server-cuda --port 9 -m b.gguf",
            "-m 0 ./llama-server-cuda -m b.gguf",
            Some("b.gguf"),
        ),
        (
            "ssh --port 22 llama-server --port 9",
            "--port 22 llama-server",
            None,
        ),
        ("env A=b llama-server --port 9", "A=b llama-server", None),
        ("./start.sh -m c.gguf --port 9", "-m c.gguf", Some("c.gguf")),
        ("bash start.sh --port 9", "start.sh", None),
    ];
    for (command, args, model) in table {
        let wrap = parse(command);
        assert_eq!(wrap.args, words(args), "{command}");
        assert_eq!(shown(&wrap), ["127.0.0.1:9"], "{command}");
        assert_eq!(wrap.model, model.map(PathBuf::from), "{command}");
        assert!(wrap.is_launched, "{command}");
    }
    assert!(!parse("/opt/llama-server-b11434 -m a").is_launched);
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
    // What is wrong with its arguments the server says itself.
    assert_eq!(parse("llama-server --port").args, words("--port"));
    assert_eq!(parse("llama-server -m x -a").args, words("-m x -a"));
    let nothing = WrapCommand::parse(&[], std::iter::empty()).unwrap_err();
    assert!(nothing.to_string().contains("paddock wrap -- llama-server"));
}

fn config(fixture: &Fixture, command: &str) -> Result<Config, Problems> {
    let vars = std::iter::empty();
    wrap_config::config(
        &words(command),
        vars,
        &Overrides::default(),
        &fixture.process_env(),
    )
}

#[test]
fn a_wrapped_command_is_a_configuration() {
    let fixture = Fixture::new();
    let model = fixture.path("model.gguf");
    let command = format!("llama-server -m {} --host 0.0.0.0 -np 3", model.display());
    let config = config(&fixture, &command).unwrap();
    let mode = Mode::Wrap {
        router: false,
        is_launched: false,
    };
    assert_eq!(config.mode, mode);
    assert_eq!(config.engine.sandbox, SandboxMode::Off);
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
fn only_what_paddock_cannot_do_itself_is_a_problem() {
    let fixture = Fixture::new();
    // A file that is missing is the command's to find, and the words are its own.
    config(&fixture, "llama-server -m /none/a.gguf --no-such-flag").unwrap();
    let problems = config(&fixture, "lama-server -m /none/a.gguf").unwrap_err();
    let messages = problems.as_slice().iter().map(|problem| &*problem.message);
    let messages: Vec<_> = messages.collect();
    assert_eq!(messages, ["`lama-server` was not found on PATH"]);
}

#[test]
fn the_admin_address_gives_way_unless_it_is_given() {
    let fixture = Fixture::new();
    let admin = |command: &str, overrides: &Overrides| {
        let vars = std::iter::empty();
        let config = wrap_config::config(&words(command), vars, overrides, &fixture.process_env());
        let server = config.unwrap().server;
        (server.admin[0].to_string(), server.admin_may_move)
    };
    let default = Overrides::default();
    let at = |text: &str, may_move| (text.to_owned(), may_move);
    assert_eq!(admin("llama-server", &default), at("127.0.0.1:8081", true));
    let taken = "llama-server --host 0.0.0.0 --port 8081";
    assert_eq!(admin(taken, &default), at("127.0.0.1:0", true));
    let given = Overrides {
        admin: vec!["127.0.0.1:7".parse().unwrap()],
        ..Overrides::default()
    };
    assert_eq!(admin("llama-server", &given), at("127.0.0.1:7", false));
}

#[test]
fn a_sandbox_is_the_one_that_is_asked_for() {
    let fixture = Fixture::new();
    let overrides = Overrides {
        sandbox: Some(SandboxMode::On),
        ..Overrides::default()
    };
    let config = |process_env: &ProcessEnv| {
        let vars = std::iter::empty();
        wrap_config::config(&words("llama-server"), vars, &overrides, process_env)
    };
    let whole = config(&fixture.process_env()).unwrap();
    assert_eq!(whole.engine.sandbox, SandboxMode::On);
    let lacking = ProcessEnv {
        parts: SandboxSupport::default(),
        ..fixture.process_env()
    };
    let problems = config(&lacking).unwrap_err().to_string();
    let lacks = "error: --sandbox: this kernel does not support";
    assert!(problems.starts_with(lacks), "{problems}");
}
