//! Many models and keys that apply to all of them.

use super::super::fixture::Fixture;
use super::*;

const TWO: &str = "[models.b]\npath = \"model.gguf\"\n[models.a]\npath = \"model.gguf\"\n";

fn read(fixture: &Fixture, text: &str) -> Config {
    fixture.config(text, &Overrides::default()).unwrap()
}

fn ids(config: &Config) -> Vec<&str> {
    config
        .models
        .iter()
        .map(|model| model.id.as_str())
        .collect()
}

#[test]
fn models_come_in_the_order_of_the_file_then_of_flags() {
    let fixture = Fixture::new();
    let file = fixture.path("model.gguf");
    let named = |name: &str| format!("{name}={}", file.display());
    let overrides = flags(&[&named("z"), &named("a"), &named("y")]);
    let config = fixture.config(TWO, &overrides).unwrap();
    assert_eq!(ids(&config), ["b", "a", "z", "y"]);
}

#[test]
fn a_model_is_found_by_its_name_and_its_aliases() {
    let text = format!("{TWO}aliases = [\"x\", \"org/y\"]\n");
    let fixture = Fixture::new();
    let config = read(&fixture, &text);
    let id = |name| config.model(name).map(|model| model.id.as_str());
    assert_eq!(id("a"), Some("a"));
    assert_eq!(id("org/y"), Some("a"));
    assert_eq!(id("b"), Some("b"));
    assert_eq!((id("c"), id("")), (None, None));
    let of = |name| config.command(config.model(name).unwrap()).args;
    assert_eq!(of("b")[3], "b");
    assert_eq!(of("x")[3], "a");
}

#[test]
fn every_clash_of_names_is_told_with_both_places() {
    let text = "[models.a]\npath = 'model.gguf'\naliases = ['x', 'b']\n\
        [models.b]\npath = 'model.gguf'\naliases = ['x', 'c', 'c']\n";
    let problems = Fixture::new().problems(text);
    let expected = [
        "error: models.b: the name `b` is used twice, first in models.a.aliases on line 3",
        "error: models.b.aliases: the name `x` is used twice, first in models.a.aliases on line 3",
        "error: models.b.aliases: the name `c` is used twice, first in models.b.aliases on line 6",
    ];
    let errors = problems.lines().filter(|line| line.starts_with("error"));
    assert_eq!(errors.collect::<Vec<_>>(), expected);
}

#[test]
fn flags_clash_with_each_other_and_with_aliases() {
    let fixture = Fixture::new();
    fixture.models(&["x/m.gguf", "y/m.gguf"]);
    let one = fixture.path("x/m.gguf").display().to_string();
    let two = fixture.path("y/m.gguf").display().to_string();
    let refused = |text: &str, models: &[&str]| {
        fixture.hide(&fixture.config(text, &flags(models)).unwrap_err())
    };
    assert_eq!(
        refused("", &[&one, &two]),
        "error: --model: DIR/x/m.gguf and DIR/y/m.gguf would both be named `m`\n  \
         = help: give one of them another name: --model NAME=PATH"
    );
    let alias = "[models.a]\npath = 'model.gguf'\naliases = ['m']\n";
    assert!(refused(alias, &[&one]).starts_with(
        "error: --model: the name `m` is used twice, first in models.a.aliases on line 3\n"
    ),);
}

#[test]
fn defaults_are_for_every_model_and_each_may_differ() {
    let fixture = Fixture::new();
    let text = "[defaults]\nkeep_alive = '1h'\npinned = true\nmemory = '1GiB'\nargs = ['--jinja']\n\
        mmproj = 'model.gguf'\ncontext = 512\nenv = { A = 'all' }\n\
        [models.a]\npath = 'model.gguf'\n\
        [models.b]\npath = 'model.gguf'\nkeep_alive = '0s'\npinned = false\nmemory = ''\nargs = []\n\
        mmproj = ''\ncontext = 0\nenv = {}\n";
    let config = read(&fixture, text);
    let [a, b] = config.models.as_slice() else {
        panic!("{:?}", config.models);
    };
    assert_eq!(a.keep_alive, KeepAlive::For(Duration::from_hours(1)));
    assert_eq!((a.pinned, a.memory, a.context), (true, Some(1 << 30), 512));
    assert_eq!(a.args, ["--jinja"]);
    assert_eq!(a.mmproj, Some(fixture.path("model.gguf")));
    assert_eq!(a.env.len(), 1);
    assert_eq!(b.keep_alive, KeepAlive::For(Duration::ZERO));
    assert_eq!((b.pinned, b.memory, b.context), (false, None, 0));
    assert_eq!((b.args.len(), &b.mmproj, b.env.len()), (0, &None, 0));
}

#[test]
fn what_is_wrong_in_the_defaults_is_told_once() {
    let text = format!("[defaults]\nargs = ['--host']\ndraft = 'gone.gguf'\n{TWO}");
    let problems = Fixture::new().problems(&text);
    assert_eq!(problems.matches("error: ").count(), 2, "{problems}");
}

#[test]
fn only_a_model_that_is_alone_is_preloaded_unasked() {
    let fixture = Fixture::new();
    fixture.models(&["dir/d.gguf"]);
    let cases: &[(&str, &[bool])] = &[
        (MODEL, &[true]),
        (TWO, &[false, false]),
        (&format!("{TWO}preload = true\n"), &[false, true]),
        (&format!("{MODEL}preload = false\n"), &[false]),
        (&format!("[defaults]\npreload = false\n{MODEL}"), &[false]),
        (&format!("[defaults]\npreload = true\n{TWO}"), &[true, true]),
        (
            &format!("[discover]\ndirs = ['dir']\n{MODEL}"),
            &[false, false],
        ),
        (&format!("[discover]\ndirs = ['bin']\n{MODEL}"), &[true]),
        ("[discover]\ndirs = ['dir']\n", &[false]),
    ];
    for (text, expected) in cases {
        let config = read(&fixture, text);
        let preload: Vec<_> = config.models.iter().map(|model| model.preload).collect();
        assert_eq!(preload, *expected, "{text}");
    }
}

#[test]
fn the_state_is_kept_where_the_user_keeps_it() {
    let fixture = Fixture::new();
    let state = |text: &str, home: Option<&str>, state_home: Option<&str>| {
        let process_env = ProcessEnv {
            home: home.map(PathBuf::from),
            state_home: state_home.map(PathBuf::from),
            ..fixture.process_env()
        };
        let text = format!("[server]\n{text}\n{MODEL}");
        let file = fixture.path("paddock.toml");
        let config = resolve::from_toml(&text, &file, &Overrides::default(), &process_env).unwrap();
        config.server.state_dir
    };
    let here = fixture.path("s");
    assert_eq!(state("", Some("/h"), Some("/x")), Path::new("/x/paddock"));
    assert_eq!(
        state("", Some("/h"), Some("x")),
        Path::new("/h/.local/state/paddock")
    );
    assert_eq!(state("", None, None), Path::new("/var/lib/paddock"));
    assert_eq!(
        state("state_dir = ''", None, Some("/x")),
        Path::new("/x/paddock")
    );
    assert_eq!(state("state_dir = 's'", None, None), here);
    assert_eq!(
        state("state_dir = '~/s'", Some("/h"), None),
        Path::new("/h/s")
    );
}

#[test]
fn the_default_model_is_configured() {
    let fixture = Fixture::new();
    let text =
        |name: &str| format!("[server]\ndefault_model = '{name}'\n{TWO}aliases = ['gemma']\n");
    let default = |name| read(&fixture, &text(name)).server.default_model;
    assert_eq!(default("b").as_deref(), Some("b"));
    assert_eq!(default("gemma").as_deref(), Some("a"));
    assert_eq!(default(""), None);
    let problem = |name| {
        let problems = fixture.problems(&text(name));
        let lines: Vec<_> = problems.lines().map(str::to_owned).collect();
        (lines[0].clone(), lines[lines.len() - 1].clone())
    };
    assert_eq!(
        problem("gema"),
        (
            "error: server.default_model: there is no model `gema`".into(),
            "  = help: did you mean `gemma`?".into()
        )
    );
    assert_eq!(
        problem("qwen").1,
        "  = help: use the name or an alias of a model, such as b, a, gemma"
    );
}

#[test]
fn values_of_memory_and_time_are_read() {
    let fixture = Fixture::new();
    let with = |section: &str, key: &str| read(&fixture, &format!("[{section}]\n{key}\n{MODEL}"));
    let memory = |key| with("memory", key).memory;
    assert_eq!(memory("ram = 'auto'").ram, Ram::Auto);
    assert_eq!(memory("ram = '1B'").ram, Ram::Bytes(1));
    assert_eq!(memory("vram = 'auto'").vram, Vram::Auto);
    assert_eq!(memory("reserve = '2GiB'").reserve, 2 << 30);
    let scheduler = |key| with("scheduler", key).scheduler;
    assert_eq!(scheduler("max_loaded = 0").max_loaded, None);
    assert_eq!(scheduler("max_wait = '0s'").max_wait, Duration::ZERO);
}
