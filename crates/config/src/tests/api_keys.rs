//! Tests of `[auth.keys]`.

use super::problems::each_has_one;
use super::*;

const HASH: &str =
    "hash = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'\n";

fn key(lines: &str) -> String {
    format!("[auth.keys.me]\n{HASH}{lines}\n{MODEL}")
}

#[test]
fn a_key_with_nothing_but_its_hash_may_use_every_model() {
    let config = Fixture::new().config(&key(""), &Overrides::default());
    let keys = config.unwrap().api_keys;
    let expected = ApiKey {
        name: "me".to_owned(),
        hash: KeyHash::from_secret(b"abc"),
        allow: vec![Scope::Inference],
        models: None,
        expires: None,
        max_concurrent: 0,
        requests_per_minute: 0,
        tokens_per_minute: 0,
    };
    assert_eq!(keys, [expected]);
}

#[test]
fn models_are_named_by_names_and_aliases_and_all_of_them_by_a_star() {
    let allowed = |models: &str| {
        let text = format!("{}aliases = ['mm']\n", key(&format!("models = {models}")));
        let config = Fixture::new().config(&text, &Overrides::default());
        config.unwrap().api_keys.remove(0).models
    };
    assert_eq!(allowed("['mm', 'm']"), Some(vec!["m".to_owned()]));
    assert_eq!(allowed("['m', '*']"), None);
    assert_eq!(allowed("[]"), Some(vec![]));
}

#[test]
fn an_expiry_is_written_with_quotes_or_without() {
    for written in [
        "2027-06-30",
        "'2027-06-30'",
        "2027-06-30T00:00:00Z",
        "2027-06-30 02:00:00+02:00",
        "'2027-06-29T22:00:00-02:00'",
    ] {
        let text = key(&format!("expires = {written}"));
        let config = Fixture::new().config(&text, &Overrides::default());
        let expires = config.unwrap().api_keys.remove(0).expires;
        let expires = expires.map(|expires| expires.to_string());
        assert_eq!(
            expires.as_deref(),
            Some("2027-06-30T00:00:00Z"),
            "{written}"
        );
    }
}

#[test]
fn problems_of_keys() {
    let twice = format!("[auth.keys.a]\n{HASH}{}", key(""));
    let help = "a key's name may contain only letters, digits, - and _";
    let odd = format!("error: auth.keys.\"a b\": the name `a b` contains ' '; {help}");
    each_has_one(&[
        (
            "[auth.keys.me]\n",
            "error: auth.keys.me: needs `hash`, the hash of its secret",
        ),
        (
            &twice,
            "error: auth.keys.me.hash: `a` has the same hash, and therefore the same secret",
        ),
        (&format!("[auth.keys.'a b']\n{HASH}"), &odd),
        (
            &key("allow = []"),
            "error: auth.keys.me.allow: must not be empty",
        ),
        (
            &key("allow = ['admni']"),
            "error: auth.keys.me.allow: expected \"inference\", \"control\", \"metrics\" or \"admin\", found `admni`, \
             did you mean `admin`?",
        ),
        (
            &key("models = ['n']"),
            "error: auth.keys.me.models: there is no model `n`",
        ),
        (
            &key("expires = 2027-06-30T18:00:00"),
            "error: auth.keys.me.expires: expected a date such as 2027-06-30 (00:00 UTC), or a date and time with \
             its offset such as 2027-06-30T18:00:00Z, found `2027-06-30T18:00:00`",
        ),
        (
            &key("expires = 'soon'"),
            "error: auth.keys.me.expires: expected a date such as 2027-06-30 (00:00 UTC), or a date and time with \
             its offset such as 2027-06-30T18:00:00Z, found `soon`",
        ),
        (
            &key("expires = 90"),
            "error: auth.keys.me.expires: expected a date such as 2027-06-30 (00:00 UTC), or a date and time with \
             its offset such as 2027-06-30T18:00:00Z, found a number",
        ),
        (
            &key("max_concurrent = -1"),
            "error: auth.keys.me.max_concurrent: expected a number from 0 to 4294967295",
        ),
        (
            &key("weight = 2"),
            "error: auth.keys.me: `weight` is not supported in this version",
        ),
        (
            "[auth]\nkey = 1\n",
            "error: auth: unknown key `key`, did you mean `keys`?",
        ),
    ]);
}

#[test]
fn a_secret_that_stands_in_the_file_by_mistake_is_not_shown() {
    for line in [
        "hash = 'pdk_secret'",
        "hash = ['pdk_secret']",
        "secret = 'pdk_secret'",
    ] {
        let problems = Fixture::new().problems(&format!("[auth.keys.me]\n{line}\n{MODEL}"));
        assert!(!problems.contains("pdk_secret"), "{problems}");
        assert!(problems.contains("paddock.toml:2:1"), "{problems}");
    }
}

#[test]
fn who_has_to_show_a_key_may_come_from_every_network() {
    let open = |listen: &str, admin: &str, allow: &str| {
        let server = format!("server.listen = ['{listen}']\nserver.admin = ['{admin}']\n");
        let text = format!("{server}{}", key(allow));
        Fixture::new().config(&text, &Overrides::default()).is_ok()
    };
    let (every, here) = ("0.0.0.0:1", "127.0.0.1:2");
    assert!(open(every, here, ""));
    assert!(!open(here, every, ""), "no key is for the admin address");
    assert!(!open(here, every, "allow = ['metrics']"));
    assert!(open(here, every, "allow = ['admin']"));
}
