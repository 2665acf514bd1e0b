//! Converts metrics to OTLP, with OpenTelemetry's names and units.

use super::attribute::{PROVIDER, text_attribute};
use crate::{MetricFamily, MetricSample, MetricValue};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
};

/// Metrics that OpenTelemetry's semantic conventions name.
const SEMANTIC_CONVENTION_NAMES: [(&str, &str); 3] = [
    (
        "paddock_request_duration_seconds",
        "gen_ai.server.request.duration",
    ),
    (
        "paddock_time_to_first_token_seconds",
        "gen_ai.server.time_to_first_token",
    ),
    (
        "paddock_time_per_output_token_seconds",
        "gen_ai.server.time_per_output_token",
    ),
];

/// Period of a measurement, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Converts the metrics that have values.
pub(super) fn metrics_from_families(families: Vec<MetricFamily>, period: Period) -> Vec<Metric> {
    let some = families
        .into_iter()
        .filter(|family| !family.samples.is_empty());
    some.map(|family| convert_metric(family, period)).collect()
}

/// Converts one metric. Numbers and histograms are separate kinds of OTLP data.
fn convert_metric(family: MetricFamily, period: Period) -> Metric {
    let MetricName {
        name,
        unit,
        is_semantic,
    } = MetricName::from_prometheus(&family.name);
    let cumulative = AggregationTemporality::Cumulative.into();
    let mut numbers = Vec::new();
    let mut histograms = Vec::new();
    for MetricSample { labels, value } in family.samples {
        let attributes = convert_labels(labels, is_semantic);
        match value {
            MetricValue::Number(value) => numbers.push(NumberDataPoint {
                attributes,
                start_time_unix_nano: period.from,
                time_unix_nano: period.to,
                value: Some(Number::AsDouble(value)),
                ..NumberDataPoint::default()
            }),
            MetricValue::Histogram(histogram) => {
                histograms.push(histogram_point(&histogram, attributes, period));
            }
        }
    }
    let data = match family.kind.as_str() {
        "histogram" => Data::Histogram(Histogram {
            data_points: histograms,
            aggregation_temporality: cumulative,
        }),
        "counter" => Data::Sum(Sum {
            data_points: numbers,
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        _ => Data::Gauge(Gauge {
            data_points: numbers,
        }),
    };
    Metric {
        name,
        description: family.help,
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

/// Name and unit of a metric.
#[derive(Debug, PartialEq, Eq)]
struct MetricName {
    name: String,
    unit: &'static str,
    /// The name is from OpenTelemetry's semantic conventions.
    is_semantic: bool,
}

impl MetricName {
    /// Removes the suffixes that a collector adds when it exports to Prometheus, so that both names agree
    /// there. A metric without a unit gets no suffix.
    fn from_prometheus(name: &str) -> Self {
        if let Some((_, is_semantic)) = SEMANTIC_CONVENTION_NAMES
            .iter()
            .find(|(ours, _)| *ours == name)
        {
            return Self {
                name: (*is_semantic).to_owned(),
                unit: "s",
                is_semantic: true,
            };
        }
        let name = name.strip_suffix("_total").unwrap_or(name);
        let units = [("_seconds", "s"), ("_bytes", "By")];
        let found = units.iter().find_map(|(suffix, unit)| {
            let name = name.strip_suffix(suffix)?;
            Some((name, *unit))
        });
        let (name, unit) = found.unwrap_or((name, ""));
        Self {
            name: name.replacen('_', ".", 1),
            unit,
            is_semantic: false,
        }
    }
}

/// Converts labels. An empty model label is left out.
fn convert_labels(labels: Vec<(String, String)>, is_semantic: bool) -> Vec<KeyValue> {
    let some = labels
        .into_iter()
        .filter(|(label, value)| label != "model" || !value.is_empty());
    let all = some.map(|(label, value)| match label.as_str() {
        "model" if is_semantic => text_attribute("gen_ai.request.model", value),
        "operation" if is_semantic => text_attribute("gen_ai.operation.name", value),
        label => text_attribute(label, value),
    });
    let provider = is_semantic.then(|| text_attribute("gen_ai.provider.name", PROVIDER));
    all.chain(provider).collect()
}

fn histogram_point(
    histogram: &crate::Histogram,
    attributes: Vec<KeyValue>,
    period: Period,
) -> HistogramDataPoint {
    let (mut bounds, mut counts, mut before) = (Vec::new(), Vec::new(), 0);
    for (bound, up_to) in histogram.buckets() {
        // The last bucket has no bound.
        bounds.extend(Some(bound).filter(|bound| bound.is_finite()));
        counts.push(up_to - before);
        before = up_to;
    }
    HistogramDataPoint {
        attributes,
        start_time_unix_nano: period.from,
        time_unix_nano: period.to,
        count: histogram.count(),
        sum: Some(histogram.sum()),
        bucket_counts: counts,
        explicit_bounds: bounds,
        ..HistogramDataPoint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_are_opentelemetrys() {
        for (name, expected, unit) in [
            ("paddock_requests_total", "paddock.requests", ""),
            ("paddock_queue_seconds", "paddock.queue", "s"),
            ("paddock_model_load_seconds", "paddock.model_load", "s"),
            ("paddock_memory_bytes", "paddock.memory", "By"),
            ("paddock_busy_seconds_total", "paddock.busy", "s"),
            ("paddock_build_info", "paddock.build_info", ""),
            (
                "paddock_time_to_first_token_seconds",
                "gen_ai.server.time_to_first_token",
                "s",
            ),
        ] {
            let metric_name = MetricName::from_prometheus(name);
            assert_eq!(
                (metric_name.name.as_str(), metric_name.unit),
                (expected, unit)
            );
        }
    }

    fn family(name: &str, kind: &str, samples: Vec<(&str, MetricValue)>) -> MetricFamily {
        let sample = |(model, value): (&str, MetricValue)| MetricSample {
            labels: vec![("model".to_owned(), model.to_owned())],
            value,
        };
        MetricFamily {
            name: name.to_owned(),
            kind: kind.to_owned(),
            help: String::new(),
            samples: samples.into_iter().map(sample).collect(),
        }
    }

    #[test]
    fn a_histogram_has_its_buckets_apart() {
        let mut histogram = crate::Histogram::with_request_bounds();
        for seconds in [0, 1, 1, 1_000] {
            histogram.add(Duration::from_secs(seconds));
        }
        let values = vec![("m", MetricValue::Histogram(histogram))];
        let family = family("paddock_request_duration_seconds", "histogram", values);
        let period = Period { from: 1, to: 2 };
        let metrics = metrics_from_families(vec![family], period);
        let Some(Data::Histogram(histogram)) = &metrics[0].data else {
            panic!("{metrics:?}");
        };
        let point = &histogram.data_points[0];
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        let one = point.explicit_bounds.iter().position(|bound| *bound >= 1.0);
        assert_eq!(point.bucket_counts[one.unwrap()], 2);
        assert_eq!(point.bucket_counts.last(), Some(&1));
        assert_eq!(point.sum, Some(1_002.0));
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 2));
        assert_eq!(point.attributes[0].key, "gen_ai.request.model");
    }

    #[test]
    fn counters_grow_and_gauges_do_not() {
        let values = || {
            vec![
                ("m", MetricValue::Number(3.0)),
                ("", MetricValue::Number(4.0)),
            ]
        };
        let families = vec![
            family("paddock_requests_total", "counter", values()),
            family("paddock_in_flight", "gauge", values()),
            family("paddock_restarts_total", "counter", Vec::new()),
        ];
        let metrics = metrics_from_families(families, Period { from: 1, to: 2 });
        assert_eq!(metrics.len(), 2, "nothing is no metric: {metrics:?}");
        let Some(Data::Sum(sum)) = &metrics[0].data else {
            panic!("{metrics:?}");
        };
        assert!(sum.is_monotonic);
        let keys = sum.data_points[0].attributes.iter();
        assert_eq!(
            keys.map(|it| it.key.as_str()).collect::<Vec<_>>(),
            ["model"]
        );
        assert!(sum.data_points[1].attributes.is_empty());
        assert!(matches!(&metrics[1].data, Some(Data::Gauge(_))));
    }
}
