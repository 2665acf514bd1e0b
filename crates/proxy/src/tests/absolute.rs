//! Requests with absolute targets.

use super::harness::{Harness, expect, head, run, send, without_id};

#[test]
fn the_child_gets_the_path_and_the_host_of_the_url() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        for _ in 0..2 {
            send(
                &mut client,
                "POST http://127.0.0.1:8080/v1/completions?x HTTP/1.1\r\nX: y\r\nHost: evil.example\r\n\
                 Connection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
            )
            .await;
            let asked = without_id(&head(&mut upstream).await);
            assert_eq!(
                asked,
                "POST /v1/completions?x HTTP/1.1\r\nX: y\r\nHost: 127.0.0.1:8080\r\nContent-Length: 2\r\n\r\n"
            );
            expect(&mut upstream, b"{}").await;
            send(
                &mut upstream,
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
            let answer = head(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    });
}

/// Returns the status of the response to a page's request.
async fn status(harness: &Harness, url: &str, host: &str, origin: &str) -> String {
    let mut upstream = harness.upstream();
    let mut client = harness.client();
    let asked = format!(
        "POST {url} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n"
    );
    send(&mut client, asked).await;
    let answer = tokio::select! {
        answer = head(&mut client) => answer,
        _ = head(&mut upstream) => "HTTP/1.1 passed ".to_owned(),
    };
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_page_is_one_of_the_host_in_the_url() {
    run(async {
        let page = "http://10.0.0.5:8080";
        let url = "http://10.0.0.5:8080/props";
        for (url, host, expected) in [
            (url, "10.0.0.5:8080", "passed"),
            (url, "evil.example", "passed"),
            ("http://evil.example/props", "10.0.0.5:8080", "403"),
            ("/props", "10.0.0.5:8080", "passed"),
            ("/props", "evil.example", "403"),
        ] {
            let status = status(&Harness::new(), url, host, page).await;
            assert_eq!(status, expected, "{url} at {host}");
        }
    });
}
