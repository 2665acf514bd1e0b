use super::Histogram;

/// A metric with its values, whatever the words are that it is told in.
#[derive(Debug, Clone)]
pub struct Family {
    /// As Prometheus calls it.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Description for people.
    pub help: String,
    /// Samples, one per set of labels.
    pub samples: Vec<Sample>,
}

/// One value of a metric.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Label names and values.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: Value,
}

/// Value of a sample.
#[derive(Debug, Clone)]
pub enum Value {
    /// A counter or gauge.
    Number(f64),
    /// A histogram.
    Histogram(Histogram),
}
