//! Metrics: what the scrape tells, in OpenTelemetry's words.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use paddock_e2e::harness::Signal;

use crate::collector::{Collector, Mood, attributes};

const CHAT: &str = r#"{"stream":true,"messages":[{"role":"user","content":"hi"}],"model":"m"}"#;

#[test]
fn the_last_requests_are_told_when_paddock_stops() {
    let collector = Collector::start(Mood::Takes);
    let mut paddock = collector.paddock().start();
    for _ in 0..3 {
        assert_eq!(paddock.post("/v1/chat/completions", CHAT).status, 200);
    }
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    assert_eq!(collector.requests().len(), 3);
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
        let [point] = &histogram.data_points[..] else {
            panic!("{histogram:#?}");
        };
        assert_eq!(point.count, 3, "{name}");
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3, "{name}");
        assert!(point.sum.is_some_and(|sum| sum > 0.0), "{name}");
        assert!(point.start_time_unix_nano < point.time_unix_nano);
        assert_eq!(attributes(&point.attributes)["gen_ai.request.model"], "m");
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
