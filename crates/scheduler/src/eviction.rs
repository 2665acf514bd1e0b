//! Chooses the loaded models to evict so that another one fits.

use crate::{Memory, ModelId};

/// A model that may be evicted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EvictionCandidate {
    pub(crate) model: ModelId,
    /// The memory that eviction frees.
    pub(crate) memory: Memory,
    /// The cost of losing the model: its recent uses times the seconds that a reload takes.
    pub(crate) worth: f64,
}

/// Returns a cheap set of candidates that frees `missing`, by a heuristic that does not try every set:
/// 1. the cheapest single model that frees enough;
/// 2. the cheapest models one after the other until they free enough; then, from the most expensive one down, each
///    model is dropped if the rest still frees enough;
/// 3. the cheaper result of the two. `None` if all candidates together do not free enough.
pub(crate) fn choose_victims(
    candidates: &[EvictionCandidate],
    missing: &Memory,
) -> Option<Vec<EvictionCandidate>> {
    let mut useful: Vec<EvictionCandidate> = candidates
        .iter()
        .filter(|candidate| candidate.memory.overlaps(missing))
        .copied()
        .collect();
    useful.sort_by(|a, b| a.worth.total_cmp(&b.worth).then(a.model.cmp(&b.model)));
    let single = useful
        .iter()
        .find(|candidate| missing.fits(&candidate.memory));
    let several = cheapest_first(&useful, missing)?;
    match single {
        Some(single) if single.worth <= cost(&several) => Some(vec![*single]),
        _ => Some(several),
    }
}

/// Performs step 2 of [`choose_victims`] for candidates sorted by worth.
fn cheapest_first(
    sorted: &[EvictionCandidate],
    missing: &Memory,
) -> Option<Vec<EvictionCandidate>> {
    let mut freed = Memory::NONE;
    let mut chosen = Vec::new();
    for candidate in sorted {
        if missing.fits(&freed) {
            break;
        }
        freed = freed.plus(&candidate.memory);
        chosen.push(*candidate);
    }
    if !missing.fits(&freed) {
        return None;
    }
    for index in (0..chosen.len()).rev() {
        let without = freed.minus(&chosen[index].memory);
        if missing.fits(&without) {
            freed = without;
            chosen.remove(index);
        }
    }
    Some(chosen)
}

/// Returns the sum of the candidates' worth.
fn cost(chosen: &[EvictionCandidate]) -> f64 {
    chosen.iter().map(|candidate| candidate.worth).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(model: usize, host: u64, worth: f64) -> EvictionCandidate {
        EvictionCandidate {
            model: ModelId(model),
            memory: Memory::needed(host),
            worth,
        }
    }

    fn chosen(candidates: &[EvictionCandidate], host: u64) -> Option<Vec<usize>> {
        let missing = Memory::needed(host).minus(&Memory::needed(0));
        let victims = choose_victims(candidates, &missing)?;
        Some(victims.iter().map(|victim| victim.model.0).collect())
    }

    #[test]
    fn the_cheapest_that_frees_enough_goes() {
        let all = [
            candidate(0, 10, 5.0),
            candidate(1, 10, 1.0),
            candidate(2, 4, 0.5),
        ];
        assert_eq!(chosen(&all, 10), Some(vec![1]));
        assert_eq!(chosen(&all, 4), Some(vec![2]));
        assert_eq!(chosen(&all, 20), Some(vec![1, 0]));
        assert_eq!(chosen(&all, 25), None);
    }

    #[test]
    fn several_cheap_ones_go_rather_than_a_dear_one() {
        let all = [
            candidate(0, 10, 100.0),
            candidate(1, 5, 1.0),
            candidate(2, 5, 2.0),
        ];
        assert_eq!(chosen(&all, 10), Some(vec![1, 2]));
        let all = [
            candidate(0, 10, 2.5),
            candidate(1, 5, 1.0),
            candidate(2, 5, 2.0),
        ];
        assert_eq!(chosen(&all, 10), Some(vec![0]));
    }

    #[test]
    fn who_is_not_needed_after_all_stays() {
        let all = [
            candidate(0, 1, 0.1),
            candidate(1, 5, 1.0),
            candidate(2, 9, 2.0),
        ];
        assert_eq!(chosen(&all, 14), Some(vec![1, 2]));
    }

    #[test]
    fn who_frees_nothing_of_what_is_missing_stays() {
        let on_device = EvictionCandidate {
            model: ModelId(0),
            memory: Memory::NONE.with_device(0, 50),
            worth: 0.0,
        };
        assert_eq!(chosen(&[on_device, candidate(1, 5, 9.0)], 5), Some(vec![1]));
    }
}
