//! Tests of origin patterns.

use super::*;

fn allows(entry: &str, origin: &str) -> bool {
    AllowedOrigins(vec![entry.parse().unwrap()]).allows(origin.as_bytes())
}

#[test]
fn entries_match_whole_origins() {
    for (entry, yes, no) in [
        (
            "https://notes.example",
            &["https://notes.example", "HTTPS://Notes.Example"][..],
            &[
                "http://notes.example",
                "https://notes.example:8443",
                "https://notes.example.evil.test",
                "https://evil-notes.example",
                "https://notes.example@evil.test",
                "https://notes.example/",
                "null",
                "",
            ][..],
        ),
        ("https://a:443", &["https://a"], &["https://a:444"]),
        (
            "http://localhost:*",
            &["http://localhost", "http://localhost:3000"],
            &[
                "http://localhost.evil.test",
                "http://localhost.evil.test:80",
                "http://localhost@evil.test",
            ],
        ),
        (
            "http://[::1]:*",
            &["http://[::1]:80", "http://[::1]"],
            &["http://[::1].evil.test", "http://[::1]evil"],
        ),
        ("http://[0:0::1]", &["http://[::1]"], &["http://[::2]"]),
        (
            "https://*.a.example",
            &["https://b.a.example", "https://c.b.a.example"],
            &[
                "https://a.example",
                "https://ba.example",
                "https://.a.example",
                "https://b.a.example:1",
            ],
        ),
        (
            "http://*:8080",
            &["http://a:8080"],
            &["http://a", "http://:8080", "https://a:8080"],
        ),
        (
            "app://*",
            &["app://x", "app://", "App://x"],
            &["apps://x", "app:x", "null"],
        ),
        ("app://x", &["app://x"], &["app://y", "app://x.y"]),
        ("null", &["null"], &["NULL", "file://"]),
        ("*", &["null", "https://a", "x"], &[]),
    ] {
        for origin in yes {
            assert!(allows(entry, origin), "{entry} and {origin}");
        }
        for origin in no {
            assert!(!allows(entry, origin), "{entry} and {origin}");
        }
    }
}

#[test]
fn the_default_is_this_machine_and_its_programs() {
    let local = AllowedOrigins::local();
    assert_eq!(local.0.len(), LOCAL_ORIGINS.len());
    for origin in [
        "http://localhost:3000",
        "https://127.0.0.1",
        "http://[::1]:1",
        "file://",
        "tauri://localhost",
    ] {
        assert!(local.allows(origin.as_bytes()), "{origin}");
    }
    for origin in [
        "null",
        "https://evil.test",
        "http://127.0.0.2",
        "http://localhost.evil.test",
        "chrome-extension://x",
    ] {
        assert!(!local.allows(origin.as_bytes()), "{origin}");
    }
    assert!(!local.is_any() && !local.has_null());
    assert!(local.has_host("localhost") && !local.has_host("evil.test"));
}

#[test]
fn an_entry_is_shown_as_it_is_meant() {
    for (text, shown) in [
        ("HTTP://Notes.Example:80", "http://notes.example"),
        ("https://*.a.b:*", "https://*.a.b:*"),
        ("http://[0:0::1]:9", "http://[::1]:9"),
        ("App://*", "app://*"),
        ("file://", "file://"),
        ("*", "*"),
        ("null", "null"),
    ] {
        assert_eq!(text.parse::<AllowedOrigin>().unwrap().to_string(), shown);
    }
}

#[test]
fn mistakes_are_told() {
    for (text, part) in [
        ("", "found nothing"),
        ("notes.example", "expected an origin such as"),
        ("localhost:3000", "expected an origin such as"),
        ("https://notes.example/", "write \"https://notes.example\""),
        ("https://notes.example/app?x", "has no path"),
        ("https://me:secret@a.example", "a user name or password"),
        ("https://", "is not a host"),
        ("https://a b", "contains ' '"),
        ("https://bücher.example", "Punycode"),
        ("http://a:0", "`0` is not a port"),
        ("http://a:+1", "is not a port"),
        ("http://a:99999", "is not a port"),
        ("http://a:", "`` is not a port"),
        ("http://a*b", "matches a whole host"),
        ("http://[::1", "is not an IPv6 address"),
        ("*://a", "is not a scheme"),
        ("app://a/*", "expected \"app://*\""),
    ] {
        let error = text.parse::<AllowedOrigin>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
