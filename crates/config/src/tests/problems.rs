//! Tables of invalid values and their messages.

use super::super::fixture::{self, Fixture, part};
use super::*;

const WRONG: &str = r#"[server]
listen = ["0.0.0.0:80", 8080]
body_limit = 5
drain_timout = "30s"

[tls]
cert = "x"

[models.m]
path = "modle.gguf"
kind = "auto"
context = "4096"
args = ["--verbose", "--ctx_size", "4096"]
"#;

const SHOWN: &str = r#"error: server.listen: 0.0.0.0:80 listens on all network interfaces of this machine
 --> DIR/paddock.toml:2:11
  |
2 | listen = ["0.0.0.0:80", 8080]
  |           ^^^^^^^^^^^^
  = help: listen on 127.0.0.1 or on a specific address of this machine; or require a key from clients: `paddock key new NAME`; to allow access for everyone, set `allow_public = true` under [server], or pass --allow-public

error: server.listen: expected a string, found a number
 --> DIR/paddock.toml:2:25
  |
2 | listen = ["0.0.0.0:80", 8080]
  |                         ^^^^

error: server.body_limit: expected a size such as "100MiB", found a number
 --> DIR/paddock.toml:3:14
  |
3 | body_limit = 5
  |              ^
  = help: write it with a unit, such as "5MiB"

error: server: unknown key `drain_timout`, did you mean `drain_timeout`?
 --> DIR/paddock.toml:4:1
  |
4 | drain_timout = "30s"
  | ^^^^^^^^^^^^

error: `tls` is not supported in this version
 --> DIR/paddock.toml:6:2
  |
6 | [tls]
  |  ^^^

error: models.m.path: there is no file DIR/modle.gguf
  --> DIR/paddock.toml:10:8
   |
10 | path = "modle.gguf"
   |        ^^^^^^^^^^^^
   = help: did you mean DIR/model.gguf?

error: models.m: `kind` is not supported in this version
  --> DIR/paddock.toml:11:1
   |
11 | kind = "auto"
   | ^^^^

error: models.m.context: expected a whole number, found a string
  --> DIR/paddock.toml:12:11
   |
12 | context = "4096"
   |           ^^^^^^
   = help: write it without quotes: 4096

error: models.m.args: `--ctx-size` is not allowed in `args`: paddock sets it or does not support it
  --> DIR/paddock.toml:13:22
   |
13 | args = ["--verbose", "--ctx_size", "4096"]
   |                      ^^^^^^^^^^^^
   = help: use `context` under [models.NAME]"#;

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let fixture = Fixture::new();
    assert_eq!(fixture.problems(WRONG), SHOWN);
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    let expected = r"error: string values must be quoted, expected literal string
 --> DIR/paddock.toml:2:8
  |
2 | path = model.gguf
  |        ^^^^^^^^^^";
    assert_eq!(
        Fixture::new().problems("[models.m]\npath = model.gguf\n"),
        expected
    );
}

/// Checks each text: the first line of the only problem it has.
pub(super) fn each_has_one(cases: &[(&str, &str)]) {
    let fixture = Fixture::new();
    for (text, expected) in cases {
        let model = text.contains("models") || text.is_empty();
        let text = if model {
            (*text).to_owned()
        } else {
            format!("{text}\n{MODEL}")
        };
        let problems = fixture.problems(&text);
        assert_eq!(problems.lines().next(), Some(*expected), "{text}");
        assert_eq!(problems.matches("error: ").count(), 1, "{problems}");
    }
}

#[test]
fn problems_of_models() {
    each_has_one(&[
        ("", "error: no model is configured"),
        (
            "[models.m]\n",
            "error: models.m: needs `path`, the model's file, or `source`, where to get it",
        ),
        (
            "[models.'a b']\npath='model.gguf'",
            "error: models.\"a b\": the name `a b` contains ' ', which clients cannot send safely",
        ),
        (
            "[models.a]\npath='model.gguf'\naliases=['a']",
            "error: models.a.aliases: the name `a` is used twice, first in models.a on line 1",
        ),
        ("frobnicate = 1\n", "error: unknown key `frobnicate`"),
        (
            "[defaults]\nkeep_alvie = '1s'\n",
            "error: defaults: unknown key `keep_alvie`, did you mean `keep_alive`?",
        ),
        (
            "[defaults]\nparallel = 0\n",
            "error: defaults.parallel: expected a number from 1 to 4294967295",
        ),
        (
            "[defaults]\ngpu_layers = 'most'\n",
            "error: defaults.gpu_layers: expected \"auto\", \"all\" or a number, found `most`",
        ),
        (
            "[defaults]\nstartup_timeout = '0s'\n",
            "error: defaults.startup_timeout: must be longer than 0",
        ),
        (
            "[defaults]\nargs = ['-hf', 'a/b']\n",
            "error: defaults.args: `-hf` is not allowed in `args`: paddock sets it or does not support it",
        ),
    ]);
}

#[test]
fn problems_of_the_rest() {
    each_has_one(&[
        (
            "[engine]\nargs = ['--host=0.0.0.0']\n",
            "error: engine.args: `--host` is not allowed in `args`: paddock sets it or does not support it",
        ),
        (
            "[engine]\nenv = { LLAMA_ARG_PORT = '1' }\n",
            "error: engine.env: `LLAMA_ARG_PORT` is not allowed in `env`: paddock sets it or does not support it",
        ),
        (
            "[engine]\nenv = { A = 1 }\n",
            "error: engine.env: `A` must be a string",
        ),
        (
            "[engine]\ncommand = 'lama-server'\n",
            "error: engine.command: `lama-server` was not found on PATH",
        ),
        (
            "[engine]\ncommand = './model.gguf'\n",
            "error: engine.command: DIR/model.gguf is not executable",
        ),
        (
            "[server]\nlisten = []\n",
            "error: server.listen: needs at least one address",
        ),
        (
            "[server]\nadmin = ['127.0.0.1:8080']\n",
            "error: server.admin: 127.0.0.1:8080 is listed twice, first in server.listen",
        ),
        (
            "[server]\nbody_limit = '0B'\n",
            "error: server.body_limit: must be at least 1B",
        ),
        (
            "[server]\nruntime_dir = 'run'\n",
            "error: server.runtime_dir: there is no directory DIR/run",
        ),
        (
            "[server]\nstate_dir = '$XDG_STATE_HOME/p'\n",
            "error: server.state_dir: there is no directory DIR/$XDG_STATE_HOME/p",
        ),
        (
            "[server]\nstate_dir = 'model.gguf'\n",
            "error: server.state_dir: DIR/model.gguf is not a directory",
        ),
        (
            "[telemetry]\nlog = 'inof'\n",
            "error: telemetry.log: expected a level (off, error, warn, info, debug, trace) \
             or comma-separated TARGET=LEVEL pairs, found `inof`",
        ),
    ]);
}

#[test]
fn values_of_the_environment_are_not_shown() {
    let text = "[engine]\nenv = { HF_TOKEN = \"secret\", LLAMA_ARG_HOST = \"secret\" }\n";
    let problems = Fixture::new().problems(&format!("{text}{MODEL}"));
    assert!(!problems.contains("secret"), "{problems}");
    assert!(problems.contains(" LLAMA_ARG_HOST …"), "{problems}");
}

#[test]
fn credentials_in_addresses_are_not_shown() {
    let url = "https://me:secret@host/a?token=secret";
    for line in [
        format!("[telemetry]\nevents_url = \"{url}\""),
        format!("[telemetry]\notlp_endpoint = \"{url}\""),
        format!("[server]\nlisten = [\"{url}\"]"),
        format!("[server]\nlisten = [\"a\"] # {url}"),
        format!("[server]\ndefault_model = \"{url}\""),
        format!("[engine]\nargs = [\"--port\", \"{url}\"]"),
        format!("[engine]\nsandbox = \"{url}\""),
    ] {
        let problems = Fixture::new().problems(&format!("{line}\n{MODEL}"));
        assert!(!problems.contains("secret"), "{problems}");
        assert!(problems.contains("://*********@host"), "{problems}");
    }
}

#[test]
fn model_files_are_checked() {
    let fixture = Fixture::new();
    let whole = fixture::model().build();
    fixture.write("cut.gguf", &whole[..whole.len() - 100]);
    fixture.write("page.gguf", b"<!DOCTYPE html>");
    fixture.write("p-00001-of-00003.gguf", &part(0, 3).build());
    fixture.write("p-00003-of-00003.gguf", &part(2, 3).build());
    fixture.write("renamed.gguf", &part(0, 3).build());
    let cases = [
        (
            "cut",
            "cut.gguf is truncated: its tensors need 640 bytes, but the file has 540",
        ),
        (
            "page",
            "page.gguf is not a GGUF file: it is a web page, so the download probably failed",
        ),
        (
            "p-00001-of-00003",
            "p-00001-of-00003.gguf is the first of 3 parts, but 1 of them cannot be found",
        ),
        ("p-00003-of-00003", "p-00003-of-00003.gguf is part 3 of 3"),
        (
            "renamed",
            "renamed.gguf is part 1 of 3, but its name does not show that",
        ),
    ];
    for (name, expected) in cases {
        let problems = fixture.problems(&format!("[models.m]\npath = \"{name}.gguf\"\n"));
        let expected = format!("error: models.m.path: DIR/{expected}");
        assert_eq!(problems.lines().next(), Some(expected.as_str()));
    }
    fixture.write("p-00002-of-00003.gguf", &part(1, 3).build());
    let split = "[models.m]\npath = \"p-00001-of-00003.gguf\"\n";
    assert!(fixture.config(split, &Overrides::default()).is_ok());
    let named_after = flags(&[fixture.path("p-00001-of-00003.gguf").to_str().unwrap()]);
    assert_eq!(fixture.config("", &named_after).unwrap().models[0].id, "p");
}

#[test]
fn problems_of_memory_and_time() {
    each_has_one(&[
        (
            "[memory]\nram = 'lots'\n",
            "error: memory.ram: expected a size such as \"100MiB\", found `lots`; or write \"auto\"",
        ),
        (
            "[memory]\nram = '0B'\n",
            "error: memory.ram: must be at least 1B; or write \"auto\"",
        ),
        (
            "[memory]\nram = 24\n",
            "error: memory.ram: expected \"auto\" or a size such as \"24GiB\", found a number",
        ),
        (
            "[memory]\nvram = '20GiB'\n",
            "error: memory.vram: expected \"auto\" or a table such as { CUDA0 = \"20GiB\" }, found `20GiB`",
        ),
        (
            "[memory]\nvram = 1\n",
            "error: memory.vram: expected \"auto\" or a table such as { CUDA0 = \"20GiB\" }, found a number",
        ),
        (
            "[memory]\nvram = {}\n",
            "error: memory.vram: needs device names",
        ),
        (
            "[memory.vram]\nCUDA0 = 'all'\n",
            "error: memory.vram.CUDA0: expected a size such as \"100MiB\", found `all`",
        ),
        (
            "[memory]\nvram = { CUDA0 = 20 }\n",
            "error: memory.vram.CUDA0: expected a size such as \"100MiB\", found a number",
        ),
        (
            "[memory]\nreserve = '-1GiB'\n",
            "error: memory.reserve: expected a size such as \"100MiB\", found `-1GiB`",
        ),
        (
            "[memory]\nrma = 'auto'\n",
            "error: memory: unknown key `rma`, did you mean `ram`?",
        ),
        (
            "[scheduler]\nmax_loaded = -1\n",
            "error: scheduler.max_loaded: expected a number from 0 to 4294967295",
        ),
        (
            "[scheduler]\nmax_wait = 30\n",
            "error: scheduler.max_wait: expected a duration such as \"30s\", found a number",
        ),
        (
            "[scheduler]\nmin_residency = 'long'\n",
            "error: scheduler.min_residency: expected a duration such as \"30s\" or \"5m\", found `long`",
        ),
        (
            "[defaults]\nkeep_alive = 'ever'\n",
            "error: defaults.keep_alive: expected a duration such as \"30s\" or \"5m\", found `ever`; \
             or write \"forever\"",
        ),
        (
            "[defaults]\nkeep_alive = -1\n",
            "error: defaults.keep_alive: expected a duration such as \"10m\" or \"forever\", found a number",
        ),
        (
            "[defaults]\npinned = 'yes'\n",
            "error: defaults.pinned: expected true or false, found a string",
        ),
        (
            "[defaults]\npreload = 1\n",
            "error: defaults.preload: expected true or false, found a number",
        ),
        (
            "[defaults]\nmemory = '0B'\n",
            "error: defaults.memory: must be at least 1B",
        ),
        (
            "[discover]\ndirs = 'bin'\n",
            "error: discover.dirs: expected an array of strings, found a string",
        ),
        (
            "[discover]\ndirs = ['gone']\n",
            "error: discover.dirs: there is no directory DIR/gone",
        ),
        (
            "[discover]\ndirs = ['']\n",
            "error: discover.dirs: must not be empty",
        ),
    ]);
}

#[test]
fn an_engine_that_may_not_be_executed_is_told() {
    let fixture = Fixture::new();
    fixture.set_mode("bin/llama-server", 0o644);
    let problems = fixture.problems(MODEL);
    let expected = "error: engine.command: DIR/bin/llama-server is not executable\n  \
        = help: if it is the right program: chmod +x DIR/bin/llama-server";
    assert_eq!(problems, expected);
}

#[test]
fn a_sandbox_that_is_demanded_needs_a_kernel_that_has_it() {
    use paddock_supervisor::sandbox::SandboxSupport;
    let fixture = Fixture::new();
    let config = |landlock: u8, mode: &str| {
        let process_env = ProcessEnv {
            parts: SandboxSupport::for_linux(landlock, true),
            ..fixture.process_env()
        };
        let text = format!("engine.sandbox = '{mode}'\nmodels.m.path = 'model.gguf'");
        let file = fixture.path("paddock.toml");
        resolve::from_toml(&text, &file, &Overrides::default(), &process_env)
    };
    for (landlock, mode, starts) in [
        (0, "auto", true),
        (0, "off", true),
        (0, "on", false),
        (5, "on", false),
        (6, "on", true),
        (7, "yes", false),
    ] {
        let result = config(landlock, mode);
        assert_eq!(result.is_ok(), starts, "{landlock} {mode}: {result:?}");
    }
    let words = config(4, "on").unwrap_err().to_string();
    assert!(
        words.contains("engine.sandbox: this kernel does not support parts of the sandbox: scope"),
        "{words}"
    );
}
