//! Tests of when children are scraped, and of their answers.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

fn child(number: usize, generation: u64, address: &Address) -> ReadyChild<'_> {
    ReadyChild {
        model: ModelId(number),
        name: "m",
        generation,
        address,
        processes: None,
    }
}

#[test]
fn a_child_is_asked_once_in_ten_seconds_and_a_new_one_at_once() {
    let address = Address::Unix("/nowhere".into());
    let (a, b) = (child(0, 1, &address), child(1, 1, &address));
    let engines = EngineScraper::default();
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(engines.take_due(&[a], at(0)), [a]);
    assert_eq!(engines.take_due(&[a, b], at(5)), [b]);
    assert_eq!(engines.take_due(&[a, b], at(9)), []);
    assert_eq!(engines.take_due(&[a, b], at(10)), [a]);
    let again = child(0, 2, &address);
    assert_eq!(engines.take_due(&[again, b], at(11)), [again]);
    assert_eq!(engines.take_due(&[], at(12)), []);
    assert!(engines.lock_cache().is_empty());
}

/// Fetches the metrics of a child that sends `answer`.
async fn fetch_from(answer: Vec<u8>) -> Result<Bytes, ScrapeError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let answering = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 1024];
        let count = stream.read(&mut asked).await.unwrap();
        // It may be left before its end.
        let _ = stream.write_all(&answer).await;
        asked.truncate(count);
        String::from_utf8(asked).unwrap()
    };
    let address = Address::Unix(path);
    let (said, asked) = tokio::join!(fetch_metrics(child(0, 1, &address)), answering);
    assert!(asked.starts_with("GET /metrics HTTP/1.1\r\n"), "{asked}");
    said
}

fn answer_of_length(length: usize) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + length, b'\n');
    answer
}

#[tokio::test]
async fn an_answer_is_read_whole_or_not_at_all() {
    assert_eq!(
        fetch_from(answer_of_length(MAX_ANSWER_BYTES))
            .await
            .unwrap()
            .len(),
        MAX_ANSWER_BYTES
    );
    let long = fetch_from(answer_of_length(MAX_ANSWER_BYTES + 1)).await;
    assert!(
        matches!(long, Err(ScrapeError::Silent(HttpClientError::Body { .. }))),
        "{long:?}"
    );
    let mut cut = answer_of_length(10);
    cut.pop();
    let cut = fetch_from(cut).await;
    assert!(
        matches!(cut, Err(ScrapeError::Silent(HttpClientError::Body { .. }))),
        "{cut:?}"
    );
    let refused = b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n";
    let refused = fetch_from(refused.to_vec()).await;
    assert!(
        matches!(refused, Err(ScrapeError::Status(_))),
        "{refused:?}"
    );
}
