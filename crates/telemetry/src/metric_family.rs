//! Represents metrics before they are formatted for Prometheus or OTLP.

use super::Histogram;

/// A metric with its values, independent of the output format.
#[derive(Debug, Clone)]
pub struct MetricFamily {
    /// Prometheus name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Description for people.
    pub help: String,
    /// Samples, one per set of labels.
    pub samples: Vec<MetricSample>,
}

/// Value of a metric with its labels.
#[derive(Debug, Clone)]
pub struct MetricSample {
    /// Label names and values.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: MetricValue,
}

/// Value of a sample.
#[derive(Debug, Clone)]
pub enum MetricValue {
    /// A counter or gauge.
    Number(f64),
    /// A histogram.
    Histogram(Histogram),
}
