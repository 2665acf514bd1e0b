use super::Histogram;

/// A metric with its values, whatever the words are that it is told in.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    /// As Prometheus calls it.
    pub(crate) name: String,
    /// `counter`, `gauge` or `histogram`.
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

/// One value of a metric.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(f64),
    Histogram(Histogram),
}
