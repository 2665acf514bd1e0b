//! Defines the counts and histograms of one worker, which are merged over all workers when metrics are scraped.

use super::{Operation, Outcome, RequestRecord, Route};
use paddock_scheduler::ModelId;
use std::time::Duration;

/// Labels of a request count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCountKey {
    pub route: Route,
    /// 0 if no status was sent.
    pub status: u16,
    pub outcome: Outcome,
}

/// Bucket bounds for requests and loads: a warm answer takes milliseconds, a long one minutes.
const REQUEST_BOUNDS_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

/// Bucket bounds for one token: from a small model on a fast GPU to a large one that swaps.
const TOKEN_BOUNDS_SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5,
];

/// A histogram of durations.
#[derive(Debug, Clone)]
pub struct Histogram {
    bounds: &'static [f64],
    /// Count of each bucket alone; the last has no bound.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Creates a histogram for durations from milliseconds to minutes.
    pub fn with_request_bounds() -> Self {
        Self::new(REQUEST_BOUNDS_SECONDS)
    }

    /// Adds a duration.
    pub fn add(&mut self, value: Duration) {
        let value = value.as_secs_f64();
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum += value;
    }

    /// Adds the values of another histogram with the same bounds.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    /// Returns each bound in seconds and the number of values up to it.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut up_to = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            up_to += count;
            (bound, up_to)
        })
    }

    /// Returns the sum of all values, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Latency histograms of one operation.
#[derive(Debug, Clone)]
pub struct LatencyHistograms {
    /// Duration of complete answers.
    pub duration: Histogram,
    /// Time to the first token.
    pub ttft: Histogram,
    /// Time per generated token.
    pub per_token: Histogram,
}

impl Default for LatencyHistograms {
    fn default() -> Self {
        Self {
            duration: Histogram::with_request_bounds(),
            ttft: Histogram::with_request_bounds(),
            per_token: Histogram::new(TOKEN_BOUNDS_SECONDS),
        }
    }
}

impl LatencyHistograms {
    fn add(&mut self, record: &RequestRecord) {
        if record.outcome == Outcome::Complete {
            self.duration.add(record.total);
        }
        if let Some(ttft) = record.ttft {
            self.ttft.add(ttft);
        }
        if let Some(time) = record.time_per_token() {
            self.per_token.add(time);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.duration.merge(&other.duration);
        self.ttft.merge(&other.ttft);
        self.per_token.merge(&other.per_token);
    }
}

/// Adds to a total, which saturates rather than wraps.
fn add_saturating(total: &mut u64, more: u64) {
    *total = total.saturating_add(more);
}

/// Counts of one model's requests.
#[derive(Debug, Clone)]
pub struct ModelCounts {
    /// Request counts by label. There are few: a linear search beats a hash.
    pub requests: Vec<(RequestCountKey, u64)>,
    /// Latencies of each operation; None for requests that are no inference.
    pub times: Vec<(Option<Operation>, LatencyHistograms)>,
    /// Time in the queue.
    pub queue: Histogram,
    /// Time spent waiting for a load.
    pub load: Histogram,
    /// Estimated waits inside the child, of requests that waited.
    pub engine_wait: Histogram,
    /// Prompt tokens, including cached ones.
    pub prompt_tokens: u64,
    /// Prompt tokens that were cached.
    pub cached_tokens: u64,
    /// Generated tokens.
    pub generated_tokens: u64,
}

impl Default for ModelCounts {
    fn default() -> Self {
        let long = Histogram::with_request_bounds();
        Self {
            requests: Vec::new(),
            times: Vec::new(),
            queue: long.clone(),
            load: long.clone(),
            engine_wait: long,
            prompt_tokens: 0,
            cached_tokens: 0,
            generated_tokens: 0,
        }
    }
}

impl ModelCounts {
    fn add(&mut self, record: &RequestRecord) {
        let key = RequestCountKey {
            route: record.route,
            status: record.status.unwrap_or(0),
            outcome: record.outcome,
        };
        self.add_requests(key, 1);
        self.latencies_mut(Operation::from_route(record.route))
            .add(record);
        self.queue.add(record.queue);
        if !record.load.is_zero() {
            self.load.add(record.load);
        }
        if !record.engine_wait.is_zero() {
            self.engine_wait.add(record.engine_wait);
        }
        add_saturating(
            &mut self.prompt_tokens,
            record.usage.prompt_tokens.unwrap_or(0),
        );
        add_saturating(
            &mut self.cached_tokens,
            record.usage.cached_tokens.unwrap_or(0),
        );
        add_saturating(
            &mut self.generated_tokens,
            record.usage.generated_tokens.unwrap_or(0),
        );
    }

    fn add_requests(&mut self, key: RequestCountKey, more: u64) {
        match self.requests.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => *count += more,
            None => self.requests.push((key, more)),
        }
    }

    /// Finds the operation by linear search, as there are few.
    fn latencies_mut(&mut self, operation: Option<Operation>) -> &mut LatencyHistograms {
        let found = self.times.iter().position(|(known, _)| *known == operation);
        let at = found.unwrap_or(self.times.len());
        if found.is_none() {
            self.times.push((operation, LatencyHistograms::default()));
        }
        &mut self.times[at].1
    }

    /// Returns the latencies of each operation.
    pub fn operations(&self) -> impl Iterator<Item = (Operation, &LatencyHistograms)> {
        let each = self.times.iter();
        each.filter_map(|(operation, times)| Some(((*operation)?, times)))
    }

    /// Returns one histogram merged over all operations.
    pub fn merged_latencies(&self, of: fn(&LatencyHistograms) -> &Histogram) -> Option<Histogram> {
        let each = self.times.iter().map(|(_, times)| of(times).clone());
        each.reduce(|mut all, more| {
            all.merge(&more);
            all
        })
    }

    /// Adds the counts of another worker.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.requests {
            self.add_requests(*key, *count);
        }
        for (operation, times) in &other.times {
            self.latencies_mut(*operation).merge(times);
        }
        self.queue.merge(&other.queue);
        self.load.merge(&other.load);
        self.engine_wait.merge(&other.engine_wait);
        add_saturating(&mut self.prompt_tokens, other.prompt_tokens);
        add_saturating(&mut self.cached_tokens, other.cached_tokens);
        add_saturating(&mut self.generated_tokens, other.generated_tokens);
    }
}

/// Counts of one worker.
#[derive(Debug, Clone, Default)]
pub struct WorkerCounts {
    /// Counts of requests that reached no model.
    pub without_model: ModelCounts,
    /// Counts of each model, by its index.
    pub models: Vec<ModelCounts>,
    /// Records not logged because there were too many, or a queue was full.
    pub dropped: u64,
}

impl WorkerCounts {
    /// Counts an ended request.
    pub(super) fn add(&mut self, record: &RequestRecord) {
        match record.model {
            None => self.without_model.add(record),
            Some(ModelId(index)) => {
                if self.models.len() <= index {
                    self.models.resize_with(index + 1, ModelCounts::default);
                }
                if let Some(model) = self.models.get_mut(index) {
                    model.add(record);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_record::tests::sample_record;
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_up_to_it() {
        let mut histogram = Histogram::with_request_bounds();
        for ms in [5, 6, 600_000, 600_001] {
            histogram.add(Duration::from_millis(ms));
        }
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        let buckets: Vec<(f64, u64)> = twice.buckets().collect();
        assert_eq!(buckets[0], (0.005, 2));
        assert_eq!(buckets[1], (0.01, 4));
        assert_eq!(buckets[15], (600.0, 6));
        assert_eq!(buckets[16], (f64::INFINITY, 8));
        assert_eq!(twice.count(), 8);
        assert!((twice.sum() - 2400.024).abs() < 1e-6);
    }

    #[test]
    fn times_are_told_apart_by_what_is_asked_for() {
        let mut counts = ModelCounts::default();
        for route in [
            Route::ChatCompletions,
            Route::Messages,
            Route::Embeddings,
            Route::Tokenize,
        ] {
            counts.add(&RequestRecord {
                route,
                ..sample_record()
            });
        }
        let mut twice = counts.clone();
        twice.merge(&counts);
        let each = twice.operations();
        let each: Vec<_> = each
            .map(|(operation, times)| (operation.as_str(), times.duration.count()))
            .collect();
        assert_eq!(each, [("chat", 4), ("embeddings", 2)]);
        let all = twice.merged_latencies(|times| &times.duration).unwrap();
        assert_eq!(all.count(), 8, "those that ask nothing of a model too");
        assert!(
            ModelCounts::default()
                .merged_latencies(|times| &times.ttft)
                .is_none()
        );
    }

    #[test]
    fn totals_of_tokens_never_begin_again() {
        let mut counts = ModelCounts::default();
        let mut record = sample_record();
        record.usage.generated_tokens = Some(u64::MAX - 1);
        counts.add(&record);
        counts.add(&record);
        let twice = counts.clone();
        counts.merge(&twice);
        assert_eq!(counts.generated_tokens, u64::MAX);
    }
}
