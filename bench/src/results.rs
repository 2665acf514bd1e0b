//! All figures of a run.

use std::collections::BTreeMap;

use crate::cases::Case;
use crate::subjects::SubjectName;

/// The meaning of a figure. Times are in microseconds unless the name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantity {
    Cpu,
    PerSecond,
    P50,
    P99,
    /// The median's distance from the lowest median without a proxy, over all rounds.
    Added,
    FreshMegabytes,
    /// Kibibytes of memory per stream.
    StreamKibibytes,
    FreshSwitches,
    LoadedMegabytes,
    LoadedSwitches,
    EventMillis,
    PolledMillis,
    ColdMillis,
    SwapMillis,
    FirstTokenMillis,
}

/// The figures of every round.
#[derive(Debug, Default)]
pub(crate) struct RunResults {
    of_subjects: BTreeMap<(Case, Quantity, SubjectName), Vec<f64>>,
    /// paddock's figures, at each size of a growing quantity.
    at_sizes: BTreeMap<(Case, Quantity, usize), Vec<f64>>,
}

impl RunResults {
    pub(crate) fn add(&mut self, case: Case, quantity: Quantity, name: SubjectName, figure: f64) {
        self.of_subjects
            .entry((case, quantity, name))
            .or_default()
            .push(figure);
    }

    pub(crate) fn get(&self, case: Case, quantity: Quantity, name: SubjectName) -> &[f64] {
        self.of_subjects
            .get(&(case, quantity, name))
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add_at(&mut self, case: Case, quantity: Quantity, size: usize, figure: f64) {
        self.at_sizes
            .entry((case, quantity, size))
            .or_default()
            .push(figure);
    }

    /// Returns the measured sizes in ascending order, with their figures.
    pub(crate) fn sizes(&self, case: Case, quantity: Quantity) -> Vec<(usize, &[f64])> {
        let all = (case, quantity, 0)..=(case, quantity, usize::MAX);
        let sizes = self.at_sizes.range(all);
        sizes
            .map(|((_, _, size), figures)| (*size, figures.as_slice()))
            .collect()
    }
}
