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
    /// The median's distance from the median without a proxy, of the same round.
    Added,
    FreshMegabytes,
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
pub(crate) struct Results(BTreeMap<(Case, Quantity, Name), Vec<f64>>);

impl Results {
    pub(crate) fn add(&mut self, case: Case, quantity: Quantity, name: Name, figure: f64) {
        self.0
            .entry((case, quantity, name))
            .or_default()
            .push(figure);
    }

    pub(crate) fn get(&self, case: Case, quantity: Quantity, name: Name) -> &[f64] {
        self.0
            .get(&(case, quantity, name))
            .map_or(&[], Vec::as_slice)
    }
}
