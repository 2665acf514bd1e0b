use super::{Operation, Outcome, Route, Row};
use paddock_scheduler::ModelId;
use std::time::Duration;

/// What requests are told apart by in the count of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub route: Route,
    /// 0 where the client was told nothing.
    pub status: u16,
    pub outcome: Outcome,
}

/// Seconds at which requests and loads are told apart: a warm answer takes milliseconds, a long one
/// minutes.
const LONG: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

/// The same for one token: from a small model on a fast GPU to a large one that swaps.
const TOKEN: &[f64] = &[
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5,
];

/// How many values there were up to each bound.
#[derive(Debug, Clone)]
pub struct Histogram {
    bounds: &'static [f64],
    /// Of each bucket alone; the last one has no bound.
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

    /// For durations from milliseconds to minutes.
    pub fn long() -> Self {
        Self::new(LONG)
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

    /// Adds what another one of the same bounds has counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    /// Each bound in seconds, with how many values there were up to it.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut up_to = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            up_to += count;
            (bound, up_to)
        })
    }

    /// The sum of all values, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// How long requests took.
#[derive(Debug, Clone)]
pub struct Times {
    /// Of complete answers.
    pub duration: Histogram,
    /// Time to the first token.
    pub ttft: Histogram,
    /// Time per generated token.
    pub per_token: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            duration: Histogram::long(),
            ttft: Histogram::long(),
            per_token: Histogram::new(TOKEN),
        }
    }
}

impl Times {
    fn add(&mut self, row: &Row) {
        if row.outcome == Outcome::Complete {
            self.duration.add(row.total);
        }
        if let Some(ttft) = row.ttft {
            self.ttft.add(ttft);
        }
        if let Some(time) = row.time_per_token() {
            self.per_token.add(time);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.duration.merge(&other.duration);
        self.ttft.merge(&other.ttft);
        self.per_token.merge(&other.per_token);
    }
}

/// Adds to a total, which stays at its greatest rather than begin again.
fn add(total: &mut u64, more: u64) {
    *total = total.saturating_add(more);
}

/// What has been counted of one model's requests.
#[derive(Debug, Clone)]
pub struct ModelCounts {
    /// There are few of them: a search finds one sooner than a hash.
    pub requests: Vec<(Key, u64)>,
    /// Of each operation that was asked for, and of what is none.
    pub times: Vec<(Option<Operation>, Times)>,
    /// Time in the queue.
    pub queue: Histogram,
    /// Time spent waiting for a load.
    pub load: Histogram,
    /// Of requests that waited inside the child, by estimate.
    pub engine_wait: Histogram,
    /// The prompts' tokens, those that the cache has served among them.
    pub prompt_tokens: u64,
    /// Prompt tokens that were cached.
    pub cached_tokens: u64,
    /// Generated tokens.
    pub generated_tokens: u64,
}

impl Default for ModelCounts {
    fn default() -> Self {
        let long = Histogram::long();
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
    fn add(&mut self, row: &Row) {
        let key = Key {
            route: row.route,
            status: row.status.unwrap_or(0),
            outcome: row.outcome,
        };
        self.add_requests(key, 1);
        self.times_of(Operation::of(row.route)).add(row);
        self.queue.add(row.queue);
        if !row.load.is_zero() {
            self.load.add(row.load);
        }
        if !row.engine_wait.is_zero() {
            self.engine_wait.add(row.engine_wait);
        }
        add(
            &mut self.prompt_tokens,
            row.usage.prompt_tokens.unwrap_or(0),
        );
        add(
            &mut self.cached_tokens,
            row.usage.cached_tokens.unwrap_or(0),
        );
        add(
            &mut self.generated_tokens,
            row.usage.generated_tokens.unwrap_or(0),
        );
    }

    fn add_requests(&mut self, key: Key, more: u64) {
        match self.requests.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => *count += more,
            None => self.requests.push((key, more)),
        }
    }

    /// There are as few of them.
    fn times_of(&mut self, operation: Option<Operation>) -> &mut Times {
        let found = self.times.iter().position(|(known, _)| *known == operation);
        let at = found.unwrap_or(self.times.len());
        if found.is_none() {
            self.times.push((operation, Times::default()));
        }
        &mut self.times[at].1
    }

    /// The times of each operation.
    pub fn operations(&self) -> impl Iterator<Item = (Operation, &Times)> {
        let each = self.times.iter();
        each.filter_map(|(operation, times)| Some(((*operation)?, times)))
    }

    /// One kind of times over everything that was asked for.
    pub fn all(&self, of: fn(&Times) -> &Histogram) -> Option<Histogram> {
        let each = self.times.iter().map(|(_, times)| of(times).clone());
        each.reduce(|mut all, more| {
            all.merge(&more);
            all
        })
    }

    /// Adds what another worker has counted.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.requests {
            self.add_requests(*key, *count);
        }
        for (operation, times) in &other.times {
            self.times_of(*operation).merge(times);
        }
        self.queue.merge(&other.queue);
        self.load.merge(&other.load);
        self.engine_wait.merge(&other.engine_wait);
        add(&mut self.prompt_tokens, other.prompt_tokens);
        add(&mut self.cached_tokens, other.cached_tokens);
        add(&mut self.generated_tokens, other.generated_tokens);
    }
}

/// What a worker has counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Of requests that reached no model.
    pub nowhere: ModelCounts,
    /// Of each model's, in its place.
    pub models: Vec<ModelCounts>,
    /// Rows that are not listed because there were too many, or nobody took them in time.
    pub dropped: u64,
}

impl Counts {
    /// Counts a request that has ended.
    pub(super) fn add(&mut self, row: &Row) {
        match row.model {
            None => self.nowhere.add(row),
            Some(ModelId(place)) => {
                if self.models.len() <= place {
                    self.models.resize_with(place + 1, ModelCounts::default);
                }
                if let Some(model) = self.models.get_mut(place) {
                    model.add(row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_up_to_it() {
        let mut histogram = Histogram::long();
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
            counts.add(&Row { route, ..row() });
        }
        let mut twice = counts.clone();
        twice.merge(&counts);
        let each = twice.operations();
        let each: Vec<_> = each
            .map(|(operation, times)| (operation.as_str(), times.duration.count()))
            .collect();
        assert_eq!(each, [("chat", 4), ("embeddings", 2)]);
        let all = twice.all(|times| &times.duration).unwrap();
        assert_eq!(all.count(), 8, "those that ask nothing of a model too");
        assert!(ModelCounts::default().all(|times| &times.ttft).is_none());
    }

    #[test]
    fn totals_of_tokens_never_begin_again() {
        let mut counts = ModelCounts::default();
        let mut row = row();
        row.usage.generated_tokens = Some(u64::MAX - 1);
        counts.add(&row);
        counts.add(&row);
        let twice = counts.clone();
        counts.merge(&twice);
        assert_eq!(counts.generated_tokens, u64::MAX);
    }
}
