//! Every figure of a run.

use std::collections::BTreeMap;

use crate::cases::Case;
use crate::subjects::Name;

/// What a figure says. Times are in microseconds unless the name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantity {
    Cpu,
    PerSecond,
    P50,
    P99,
    /// The median's distance from the least median without a proxy, of all rounds.
    Added,
    FreshMegabytes,
    /// Kibibytes of memory that each stream takes.
    StreamKibibytes,
    FreshSwitches,
    LoadedMegabytes,
    LoadedSwitches,
    EventMillis,
    PolledMillis,
    ColdMillis,
    SwapMillis,
}

/// The figures of each round.
#[derive(Debug, Default)]
pub(crate) struct Results {
    of_subjects: BTreeMap<(Case, Quantity, Name), Vec<f64>>,
    /// Paddock's, at each size of what grows.
    at_sizes: BTreeMap<(Case, Quantity, usize), Vec<f64>>,
}

impl Results {
    pub(crate) fn add(&mut self, case: Case, quantity: Quantity, name: Name, figure: f64) {
        self.of_subjects
            .entry((case, quantity, name))
            .or_default()
            .push(figure);
    }

    pub(crate) fn get(&self, case: Case, quantity: Quantity, name: Name) -> &[f64] {
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

    /// The sizes that were measured, the smallest first, and their figures.
    pub(crate) fn sizes(&self, case: Case, quantity: Quantity) -> Vec<(usize, &[f64])> {
        let all = (case, quantity, 0)..=(case, quantity, usize::MAX);
        let sizes = self.at_sizes.range(all);
        sizes
            .map(|((_, _, size), figures)| (*size, figures.as_slice()))
            .collect()
    }
}
