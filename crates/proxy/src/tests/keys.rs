//! Requests with API keys configured.

use super::harness::{Harness, expect, head, key, rest, run, send, without_id};
use paddock_config::{ApiKey, Scope};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::{advance, timeout};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Returns a request with these fields.
fn get(fields: &str) -> String {
    format!("GET /props HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

const SHOWN: &str = "Authorization: Bearer k\r\n";

fn keyed(keys: &[ApiKey]) -> Harness {
    let harness = Harness::new();
    harness.set_keys(keys);
    harness
}

/// Sends a request, and returns head and body of paddock's own response.
async fn refused(harness: &Harness, client: &mut UnixStream, asked: &str) -> (String, String) {
    let mut upstream = harness.upstream();
    send(client, asked).await;
    let answer = head(client).await;
    let length = answer.split("Content-Length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.unwrap();
    let reached = timeout(Duration::from_secs(1), upstream.read_u8()).await;
    assert!(reached.is_err(), "{asked:?} reached the child");
    (answer, String::from_utf8(body).unwrap())
}

/// Sends a request that the child answers, and checks the head that the child receives.
async fn passes(client: &mut UnixStream, harness: &Harness, asked: &str, passed: &str) {
    let mut upstream = harness.upstream();
    send(client, asked).await;
    assert_eq!(without_id(&head(&mut upstream).await), passed);
    send(&mut upstream, OK).await;
    assert_eq!(
        without_id(&head(client).await),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    );
    expect(client, b"ok").await;
}

#[test]
fn a_key_goes_no_further_and_all_else_does() {
    run(async {
        let harness = keyed(&[key("k"), key("k2")]);
        let mut client = harness.client();
        for (fields, left) in [
            (SHOWN, ""),
            (
                "X-A: 1\r\naUthorization:bearer  k \r\nX-B: 2\r\n",
                "X-A: 1\r\nX-B: 2\r\n",
            ),
            ("X-Api-Key: k\r\n", ""),
            // All lines with known keys are removed; a line with an unknown one stays.
            (
                "x-api-key: k2\r\nX: y\r\nAuthorization: Bearer k\r\n",
                "X: y\r\n",
            ),
            (
                "x-api-key: other\r\nAuthorization: Bearer k\r\n",
                "x-api-key: other\r\n",
            ),
            (
                "Authorization: Basic azo=\r\nx-api-key: k\r\n",
                "Authorization: Basic azo=\r\n",
            ),
            // Among hop-by-hop lines, and as one of them.
            (
                "TE: a\r\nx-api-key: k\r\nUpgrade: b\r\nX: y\r\n",
                "X: y\r\n",
            ),
            (
                "Connection: x-api-key\r\nx-api-key: k\r\nX: y\r\n",
                "X: y\r\n",
            ),
        ] {
            passes(&mut client, &harness, &get(fields), &get(left)).await;
        }
    });
}

#[test]
fn a_key_is_cut_from_a_request_in_http_1_0_too() {
    run(async {
        let harness = keyed(&[key("k")]);
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(
            &mut client,
            "GET /props HTTP/1.0\r\nx-api-key: k\r\nX: y\r\n\r\n",
        )
        .await;
        let asked = without_id(&head(&mut upstream).await);
        assert_eq!(
            asked,
            "GET /props HTTP/1.1\r\nX: y\r\nHost: localhost\r\n\r\n"
        );
    });
}

#[test]
fn without_keys_credentials_are_the_childs() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        let asked = get("Authorization: Bearer k\r\nx-api-key: k\r\n");
        passes(&mut client, &harness, &asked, &asked).await;
        harness.set_keys(&[key("k")]);
        passes(&mut client, &harness, &asked, &get("")).await;
        harness.set_keys(&[]);
        passes(&mut client, &harness, &asked, &asked).await;
    });
}

#[test]
fn who_shows_no_key_or_an_unknown_one_is_told_so() {
    run(async {
        let harness = keyed(&[key("k")]);
        let mut client = harness.client();
        for (fields, words) in [
            ("", "an API key is required"),
            ("Authorization: Basic azo=\r\n", "an API key is required"),
            ("Authorization: Bearer K\r\n", "unknown API key"),
            ("x-api-key: kk\r\n", "unknown API key"),
        ] {
            let (head, body) = refused(&harness, &mut client, &get(fields)).await;
            assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
            assert!(head.contains("\r\nWWW-Authenticate: Bearer\r\n"), "{head}");
            assert!(
                head.contains("\r\nx-paddock-error: unauthorized\r\n"),
                "{head}"
            );
            assert!(
                body.contains("\"code\":\"unauthorized\"") && body.contains(words),
                "{body}"
            );
        }
        let asked = "POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
        let (_, body) = refused(&harness, &mut client, asked).await;
        assert!(body.contains("\"type\":\"authentication_error\""), "{body}");
        passes(&mut client, &harness, &get(SHOWN), &get("")).await;
    });
}

#[test]
fn a_key_is_good_until_it_expires() {
    run(async {
        let expires = |secret: &str, date: &str| ApiKey {
            expires: date.parse().ok(),
            ..key(secret)
        };
        let harness = keyed(&[expires("old", "2020-01-01"), expires("k", "9999-01-01")]);
        let mut client = harness.client();
        let (head, body) = refused(&harness, &mut client, &get("x-api-key: old\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
        let words = "the API key 'old' expired at 2020-01-01T00:00:00Z";
        assert!(
            body.contains("\"code\":\"unauthorized\"") && body.contains(words),
            "{body}"
        );
        passes(&mut client, &harness, &get(SHOWN), &get("")).await;
        let both = get(&format!("x-api-key: old\r\n{SHOWN}"));
        passes(&mut client, &harness, &both, &get("")).await;
    });
}

#[test]
fn a_large_body_without_a_key_is_not_read() {
    run(async {
        let harness = keyed(&[key("k")]);
        let mut client = harness.client();
        let asked = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000000\r\n\r\nstart";
        let (head, _) = refused(&harness, &mut client, asked).await;
        assert!(head.contains("Connection: close\r\n"), "{head}");
    });
}

#[test]
fn a_key_is_for_what_it_allows() {
    run(async {
        let mut metrics = key("k");
        metrics.allow = vec![Scope::Metrics];
        let harness = keyed(&[metrics]);
        let (head, body) = refused(&harness, &mut harness.client(), &get(SHOWN)).await;
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
        assert!(!head.contains("WWW-Authenticate"), "{head}");
        let words = "the API key 'k' does not allow this request: it needs `inference`, and the key allows `metrics`";
        assert!(
            body.contains(words) && body.contains("\"code\":\"forbidden\""),
            "{body}"
        );

        let mut other = key("k");
        other.models = Some(vec!["n".to_owned()]);
        harness.set_keys(&[other]);
        let (head, body) = refused(&harness, &mut harness.client(), &get(SHOWN)).await;
        assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
        assert!(
            body.contains("does not allow the model 'm'; it allows: nothing"),
            "{body}"
        );
    });
}

#[test]
fn so_many_requests_of_a_key_are_under_way_until_one_ends_or_its_client_leaves() {
    run(async {
        let mut config = key("k");
        config.max_concurrent = 1;
        let harness = keyed(&[config.clone(), key("other")]);
        let mut upstream = harness.upstream();
        let mut first = harness.client();
        send(&mut first, get(SHOWN)).await;
        head(&mut upstream).await;
        let mut second = harness.client();
        let (answer, body) = refused(&harness, &mut second, &get(SHOWN)).await;
        assert!(
            answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
        assert!(
            answer.contains("\r\nx-paddock-error: rate_limited\r\n"),
            "{answer}"
        );
        assert!(
            body.contains("'k' has reached its limit `max_concurrent`"),
            "{body}"
        );
        passes(
            &mut second,
            &harness,
            &get("x-api-key: other\r\n"),
            &get(""),
        )
        .await;
        // Changing the key does not forget its requests in flight.
        config.requests_per_minute = 1000;
        harness.set_keys(&[config, key("other")]);
        let (answer, _) = refused(&harness, &mut second, &get(SHOWN)).await;
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");

        send(&mut upstream, OK).await;
        head(&mut first).await;
        expect(&mut first, b"ok").await;
        passes(&mut second, &harness, &get(SHOWN), &get("")).await;

        let mut upstream = harness.upstream();
        send(&mut first, get(SHOWN)).await;
        head(&mut upstream).await;
        drop(first);
        assert_eq!(rest(&mut upstream).await, b"");
        passes(&mut second, &harness, &get(SHOWN), &get("")).await;
    });
}

#[test]
fn requests_by_the_minute_are_let_in_as_soon_as_was_said() {
    run(async {
        let mut config = key("k");
        config.requests_per_minute = 2;
        let harness = keyed(&[config]);
        let mut client = harness.client();
        for _ in 0..2 {
            passes(&mut client, &harness, &get(SHOWN), &get("")).await;
        }
        let (answer, _) = refused(&harness, &mut client, &get(SHOWN)).await;
        assert!(answer.contains("\r\nRetry-After: 30\r\n"), "{answer}");
        // One second has passed while nothing reached the child.
        advance(Duration::from_secs(28)).await;
        let (answer, _) = refused(&harness, &mut client, &get(SHOWN)).await;
        assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
        passes(&mut client, &harness, &get(SHOWN), &get("")).await;
    });
}

#[test]
fn tokens_are_paid_for_when_the_answer_has_told_them() {
    run(async {
        let mut config = key("k");
        config.tokens_per_minute = 60;
        let harness = keyed(&[config]);
        let mut client = harness.client();
        let asked = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nx-api-key: k\r\n\
                     Content-Length: 2\r\n\r\n{}";
        let usage = "{\"usage\":{\"prompt_tokens\":60,\"completion_tokens\":10}}";
        let mut upstream = harness.upstream();
        send(&mut client, asked).await;
        head(&mut upstream).await;
        let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        send(
            &mut upstream,
            format!("{json}Content-Length: {}\r\n\r\n{usage}", usage.len()),
        )
        .await;
        head(&mut client).await;
        expect(&mut client, usage.as_bytes()).await;
        let (answer, body) = refused(&harness, &mut client, asked).await;
        assert!(answer.contains("\r\nRetry-After: 10\r\n"), "{answer}");
        assert!(body.contains("`tokens_per_minute`"), "{body}");
        advance(Duration::from_secs(9)).await;
        passes(&mut client, &harness, &get(SHOWN), &get("")).await;
    });
}

#[test]
fn what_a_browser_asks_before_it_shows_a_key_is_answered() {
    run(async {
        let harness = keyed(&[key("k")]);
        let mut client = harness.client();
        let asked = "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: h\r\nOrigin: http://page\r\n\
                     Access-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: authorization,content-type\r\n\r\n";
        let (answer, body) = refused(&harness, &mut client, asked).await;
        let expected = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: http://page\r\n\
                        Access-Control-Allow-Credentials: true\r\n\
                        Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS\r\n\
                        Access-Control-Allow-Headers: authorization,content-type\r\n\
                        Vary: Origin, Access-Control-Request-Headers\r\n\
                        Content-Length: 0\r\n\r\n";
        assert_eq!(
            (without_id(&answer).as_str(), body.as_str()),
            (expected, "")
        );
        let no_browser = "OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: http://page\r\n\r\n";
        let (answer, _) = refused(&harness, &mut client, no_browser).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        let shown = asked.replace("Origin", "x-api-key: k\r\nOrigin");
        let (answer, _) = refused(&harness, &mut client, &shown).await;
        assert_eq!(
            without_id(&answer),
            expected,
            "no child is asked, whoever shows a key"
        );
    });
}
