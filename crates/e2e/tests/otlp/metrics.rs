//! Metrics: what the scrape tells, in OpenTelemetry's words.

use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use paddock_e2e::harness::{LIMIT, Signal, wait_until};

use crate::collector::{Collector, Mood, attributes};

const CHAT: &str = r#"{"stream":true,"messages":[{"role":"user","content":"hi"}],"model":"m"}"#;

#[test]
fn the_last_requests_are_told_when_paddock_stops() {
    let collector = Collector::start(Mood::Takes);
    let mut paddock = collector.paddock().start();
    for _ in 0..3 {
        assert_eq!(paddock.post("/v1/chat/completions", CHAT).status, 200);
    }
    // Of another operation, and of none.
    let text = r#"{"prompt":"hi","model":"m"}"#;
    assert_eq!(paddock.post("/v1/completions", text).status, 200);
    assert_eq!(paddock.get("/props?model=m").status, 200);
    wait_until(LIMIT, "all of them to be counted as the model's", || {
        let all = "paddock_request_duration_seconds_count{model=\"m\"} 5\n";
        paddock.admin_get("/metrics").text().contains(all)
    });
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    assert_eq!(collector.requests().len(), 5);
    let metrics = collector.metrics();
    let of = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} in {metrics:#?}"));
        metric.data.clone().expect("data")
    };
    for name in [
        "gen_ai.server.request.duration",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
    ] {
        let Data::Histogram(histogram) = of(name) else {
            panic!("{name} is a histogram");
        };
        let (chats, others): (Vec<&HistogramDataPoint>, Vec<_>) = histogram
            .data_points
            .iter()
            .partition(|point| attributes(&point.attributes)["gen_ai.operation.name"] == "chat");
        let others = others.iter().map(|point| {
            let operation = &attributes(&point.attributes)["gen_ai.operation.name"];
            (operation.clone(), point.count)
        });
        let streamed = name == "gen_ai.server.time_to_first_token";
        let expected = (!streamed).then(|| ("text_completion".to_owned(), 1));
        assert!(others.eq(expected), "{name}: {histogram:#?}");
        let [point] = chats[..] else {
            panic!("{histogram:#?}");
        };
        assert_eq!(point.count, 3, "{name}");
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3, "{name}");
        assert!(point.sum.is_some_and(|sum| sum > 0.0), "{name}");
        assert!(point.start_time_unix_nano < point.time_unix_nano);
        let attributes = attributes(&point.attributes);
        for (attribute, value) in [
            ("gen_ai.provider.name", "llama.cpp"),
            ("gen_ai.request.model", "m"),
        ] {
            assert_eq!(attributes[attribute], value, "{name}");
        }
    }
    let Data::Sum(sum) = of("paddock.requests") else {
        panic!("a sum");
    };
    assert!(sum.is_monotonic);
    let chats = sum.data_points.iter().find(|point| {
        attributes(&point.attributes)
            .get("route")
            .is_some_and(|it| it == "chat_completions")
    });
    let chats = chats.expect("chats");
    assert_eq!(chats.value, Some(Value::AsDouble(3.0)));
    assert_eq!(attributes(&chats.attributes)["outcome"], "complete");
}
