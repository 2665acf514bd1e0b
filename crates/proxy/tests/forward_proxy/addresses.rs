//! Texts that are a child's address, and texts that are not.

use paddock_proxy::Upstream;

#[test]
fn addresses_are_read_and_shown() {
    for (text, same) in [
        ("unix:/p", "unix:///p"),
        ("unix:/run/a model.sock", "unix:///run/a model.sock"),
        ("http://127.0.0.1:11436", "http://127.0.0.1:11436"),
        ("http://127.0.0.1:11436/", "http://127.0.0.1:11436"),
        ("http://[::1]:80", "http://[::1]:80"),
    ] {
        let upstream: Upstream = text.parse().unwrap();
        assert_eq!(upstream.to_string(), same);
        assert_eq!(upstream.to_string().parse(), Ok(upstream));
    }
    assert_eq!("unix:/p".parse(), Ok(Upstream::unix("/p")));
}

#[test]
fn what_is_no_address_is_refused_by_name() {
    for text in [
        "",
        "/run/model.sock",
        "unix:",
        "127.0.0.1:11436",
        "https://127.0.0.1:11436",
        "http://",
        "http://127.0.0.1",
        "http://127.0.0.1:",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:80/v1",
        "http://user@127.0.0.1:80",
        "HTTP://127.0.0.1:80?",
    ] {
        let error = text.parse::<Upstream>().unwrap_err().to_string();
        assert!(error.contains(&format!("`{text}`")), "{error}");
        assert!(error.contains("unix:PATH or http://HOST:PORT"), "{error}");
    }
}
