//! Tests of the rules for web pages, as tables of origins and hosts.

use super::*;

fn policy(origins: AllowedOrigins, requires_key: bool) -> BrowserPolicy {
    BrowserPolicy {
        allows_any: origins.is_any(),
        origins,
        requires_key,
        admin_hosts: vec!["dash.example".parse().unwrap()],
        ..BrowserPolicy::default()
    }
}

fn listed(entries: &[&str]) -> AllowedOrigins {
    AllowedOrigins::new(entries.iter().map(|entry| entry.parse().unwrap()).collect())
}

/// A request of a page, or of no page.
fn asked<'a>(method: &str, origin: Option<&'a str>, host: &'a str) -> PageFacts<'a> {
    PageFacts {
        origin: origin.map(str::as_bytes),
        host: host.as_bytes(),
        is_read: method == "GET",
        is_embed: false,
    }
}

#[test]
fn pages_of_this_machine_are_let_in_and_others_are_not() {
    let policy = policy(AllowedOrigins::local(), false);
    let here = "127.0.0.1:8080";
    for (origin, host, expected) in [
        ("http://localhost:3000", here, true),
        ("https://127.0.0.1", here, true),
        ("app://obsidian.md", here, true),
        ("https://notes.example", here, false),
        ("null", here, false),
        ("file:///", here, true),
        ("http://localhost.evil.test", here, false),
        // What paddock's own address serves.
        ("http://192.168.1.5:8080", "192.168.1.5:8080", true),
        ("https://192.168.1.5:8080", "192.168.1.5:8080", true),
        ("http://[fd00::5]:8080", "[fd00::5]:8080", true),
        ("http://box:8080", "box:8080", true),
        ("http://box.local:8080", "box.local:8080", true),
        ("http://192.168.1.5:9000", "192.168.1.5:8080", false),
        ("http://192.168.1.6:8080", "192.168.1.5:8080", false),
        // What was made to look like that.
        ("http://evil.test:8080", "evil.test:8080", false),
        ("http://127.0.0.1.evil.test", "127.0.0.1.evil.test", false),
        ("http://", "", false),
        ("x://", "", false),
    ] {
        for method in ["GET", "POST"] {
            let facts = asked(method, Some(origin), host);
            let refused = policy.check(&facts, || true);
            assert_eq!(
                refused.is_ok(),
                expected,
                "{method} of {origin} to {host}: {refused:?}"
            );
        }
    }
}

#[test]
fn what_states_no_origin_is_let_in_unless_a_page_could_have_sent_it() {
    let policy = policy(listed(&["https://llm.example"]), false);
    let check = |method, host, loopback: bool| {
        policy
            .check(&asked(method, None, host), || loopback)
            .is_ok()
    };
    for host in [
        "127.0.0.1:8080",
        "localhost",
        "box",
        "host.docker.internal:8080",
        "",
        "llm.example",
        "LLM.example.:1",
    ] {
        assert!(
            check("GET", host, true) && check("POST", host, true),
            "{host}"
        );
    }
    assert!(!check("GET", "evil.test:8080", true), "DNS rebinding");
    assert!(
        check("GET", "evil.test:8080", false),
        "another machine's client"
    );
    assert!(
        check("POST", "evil.test:8080", true),
        "browsers state an origin with POST"
    );
    assert!(!check("GET", "127.0.0.1.evil.test", true));
    let is_embed = |method| PageFacts {
        is_embed: true,
        ..asked(method, None, "localhost")
    };
    assert_eq!(
        policy.check(&is_embed("GET"), || true),
        Err(PageRefusal::CrossSite)
    );
    assert_eq!(policy.check(&is_embed("POST"), || true), Ok(()));
    let empty = asked("POST", Some(""), "localhost");
    assert_eq!(policy.check(&empty, || true), Ok(()));
}

#[test]
fn where_every_page_may_ask_nothing_is_looked_at() {
    let policy = policy(AllowedOrigins::any(), false);
    let facts = PageFacts {
        is_embed: true,
        ..asked("GET", Some("null"), "evil.test")
    };
    assert_eq!(policy.check(&facts, || true), Ok(()));
}

#[test]
fn a_list_counts_with_keys_too_and_a_key_keeps_rebound_names_out() {
    let policy = policy(listed(&["https://notes.example"]), true);
    let check = |origin, host| policy.check(&asked("GET", origin, host), || true).is_ok();
    assert!(check(Some("https://notes.example"), "llm.example"));
    assert!(!check(Some("https://evil.test"), "llm.example"));
    assert!(check(None, "llm.example"));
}

#[test]
fn a_refusal_names_the_key_and_what_to_write() {
    let refused = |policy: &BrowserPolicy, origin| {
        let refused = policy.check(&asked("POST", Some(origin), "localhost"), || true);
        refused.unwrap_err().to_string()
    };
    let mut policy = policy(AllowedOrigins::local(), false);
    let message = refused(&policy, "https://notes.example");
    assert!(
        message.ends_with("add \"https://notes.example\" to `server.allowed_origins`"),
        "{message}"
    );
    assert!(refused(&policy, "null").contains("sandboxed frames of every site"));
    let rebound = policy.check(&asked("GET", None, "evil.test:80"), || true);
    let message = rebound.unwrap_err().to_string();
    assert!(
        message.contains("add \"http://evil.test\" to `server.allowed_origins`"),
        "{message}"
    );
    policy.is_wrapped = true;
    let message = refused(&policy, "https://notes.example");
    assert!(
        message.contains("`--cors-origins https://notes.example`"),
        "{message}"
    );
}

#[test]
fn operators_come_by_address_or_by_a_name_that_is_listed() {
    let policy = policy(AllowedOrigins::any(), false);
    for host in [
        "127.0.0.1:8081",
        "[::1]:8081",
        "192.168.1.5",
        "localhost:8081",
        "p.localhost",
        "dash.example",
        "DASH.example.:1",
        "",
    ] {
        assert!(policy.is_admin_host(host), "{host}");
    }
    for host in [
        "evil.test:8081",
        "box",
        "box.local",
        "x.dash.example",
        "127.0.0.1.evil.test",
        "[evil",
        "1.2.3",
    ] {
        assert!(!policy.is_admin_host(host), "{host}");
    }
    for (origin, host, expected) in [
        ("http://127.0.0.1:8081", "127.0.0.1:8081", true),
        ("http://localhost:8081", "localhost:8081", true),
        // A proxy with TLS in front, which keeps Host or writes its own.
        ("https://dash.example", "dash.example", true),
        ("https://dash.example", "127.0.0.1:8081", true),
        ("http://localhost:3000", "localhost:8081", false),
        ("http://127.0.0.1:3000", "127.0.0.1:8081", false),
        ("http://evil.test:8081", "evil.test:8081", false),
        ("https://evil.test", "dash.example", false),
        ("app://dash.example", "dash.example", false),
        ("null", "127.0.0.1:8081", false),
        ("http://", "", false),
    ] {
        assert_eq!(
            policy.is_admin_origin(origin, host),
            expected,
            "{origin} to {host}"
        );
    }
}

#[test]
fn what_all_children_say_is_said_where_the_model_is_unknown() {
    let mut strict = EngineCors::default();
    strict.methods = "GET".to_owned();
    let (a, b) = (ModelId(0), ModelId(1));
    let same = vec![(a, strict.clone()), (b, strict.clone())];
    assert_eq!(common_cors(&same), strict);
    let other = vec![(a, strict.clone()), (b, EngineCors::default())];
    assert_eq!(common_cors(&other), EngineCors::default());
    let policy = BrowserPolicy {
        engine_cors: other,
        ..BrowserPolicy::default()
    };
    assert_eq!(policy.engine_cors(Some(a)), &strict);
    assert_eq!(policy.engine_cors(None), &EngineCors::default());
}
