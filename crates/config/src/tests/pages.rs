//! Web pages: the allowed origins of a configuration, and its warnings.

use super::*;

const KEY: &str = "[auth.keys.k]\nhash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";

fn served(server: &str, keys: &str) -> Config {
    let text = format!("[server]\n{server}\n{MODEL}{keys}");
    Fixture::new().config(&text, &Overrides::default()).unwrap()
}

fn wrapped(flags: &[&str]) -> Config {
    let fixture = Fixture::new();
    let model = fixture.path("model.gguf").display().to_string();
    let command = ["llama-server", "-m", &model].into_iter();
    let command: Vec<_> = command
        .chain(flags.iter().copied())
        .map(OsString::from)
        .collect();
    let none = std::iter::empty();
    wrap_config::config(
        &command,
        none,
        &Overrides::default(),
        &fixture.process_env(),
    )
    .unwrap()
}

#[test]
fn keys_and_flags_say_which_pages_are_let_in() {
    let any = AllowedOrigins::any();
    let local = AllowedOrigins::local();
    let listed = AllowedOrigins::new(vec!["https://a.example".parse().unwrap()]);
    let list = "allowed_origins = [\"https://a.example\"]";
    for (config, expected) in [
        (served("", ""), &local),
        (served("", KEY), &any),
        (served(list, ""), &listed),
        (served(list, KEY), &listed),
        (served("allowed_origins = [\"*\"]", ""), &any),
        (wrapped(&[]), &local),
        (wrapped(&["--cors-origins", "https://a.example"]), &listed),
        (wrapped(&["--cors-origins", "*"]), &any),
        (wrapped(&["--api-key", "k"]), &any),
    ] {
        assert_eq!(config.allowed_origins(), *expected);
    }
    let none = served("allowed_origins = []", "").allowed_origins();
    assert!(!none.allows(b"http://localhost"));
}

#[test]
fn what_lets_every_page_in_is_warned_of() {
    let warned = |config: &Config, part: &str| {
        let found = warnings(config, &[], &[]);
        let [warning] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(warning.message.contains(part), "{warning}");
    };
    let star = "allowed_origins = [\"*\"]";
    warned(&served(star, ""), "`server.allowed_origins` contains \"*\"");
    let hosts = "allowed_origins = [\"https://a.example\", \"https://*:*\"]";
    warned(&served(hosts, ""), "contains \"https://*:*\"");
    let null = "allowed_origins = [\"null\"]";
    warned(&served(null, ""), "in a sandboxed frame");
    warned(&wrapped(&["--cors-origins", "*"]), "no `--api-key`");
    for config in [
        served("", ""),
        served(star, KEY),
        served(null, KEY),
        wrapped(&[]),
        wrapped(&["--api-key", "k"]),
    ] {
        assert_eq!(warnings(&config, &[], &[]), []);
    }
}

#[test]
fn what_is_no_origin_or_name_is_shown_where_it_is_written() {
    let text = "[server]\nallowed_origins = [\"https://a.example/\"]\nadmin_hosts = [\"https://b.example\"]\n";
    let problems = Fixture::new().problems(&format!("{text}{MODEL}"));
    for part in [
        "server.allowed_origins: an origin has no path: write \"https://a.example\"\n --> DIR/paddock.toml:2:20",
        "server.admin_hosts: `https://b.example`: write only the host name",
    ] {
        assert!(problems.contains(part), "{problems}");
    }
}
