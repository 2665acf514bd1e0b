//! What figures should be, and whether they are.

use crate::cases::Case;
use crate::results::{Quantity, Results};
use crate::stats::median;
use crate::subjects::Name;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    None,
    /// Paddock's figure is at most this share of another subject's.
    Most(f64, Name),
    /// The same, where more is better.
    Least(f64, Name),
    /// Paddock's figure is below this.
    Below(f64),
    /// Paddock's figure.
    Zero,
}

/// A goal and what came of it, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) goal: String,
    pub(crate) met: bool,
}

impl Verdict {
    /// Met or missed, as Markdown.
    pub(crate) fn words(&self) -> &'static str {
        if self.met { "met" } else { "**missed**" }
    }
}

impl Goal {
    /// Judges paddock's figures; nothing without a goal, or without the figures that it takes.
    pub(crate) fn judge(
        self,
        results: &Results,
        case: Case,
        quantity: Quantity,
    ) -> Option<Verdict> {
        let figure = median(results.get(case, quantity, Name::Paddock));
        let ratio = |other| ratio(results, case, quantity, (Name::Paddock, other));
        let (goal, found, met) = match self {
            Self::None => return None,
            Self::Most(share, other) => {
                let ratio = ratio(other);
                (format!("≤ {}", of(share, other)), ratio, ratio <= share)
            }
            Self::Least(share, other) => {
                let ratio = ratio(other);
                (format!("≥ {}", of(share, other)), ratio, ratio >= share)
            }
            Self::Below(most) => (format!("< {most}"), figure, figure < most),
            Self::Zero => ("0".to_owned(), figure, figure <= 0.0),
        };
        (!found.is_nan()).then_some(Verdict { goal, met })
    }
}

/// A share of a subject's figure, in words.
fn of(share: f64, other: Name) -> String {
    if (share - 1.0).abs() < f64::EPSILON {
        other.words().to_owned()
    } else {
        format!("{share} × {}", other.words())
    }
}

/// One's figure as a share of another's: the median of the rounds' ratios. It is not a number where
/// one of them was not measured.
pub(crate) fn ratio(
    results: &Results,
    case: Case,
    quantity: Quantity,
    (one, other): (Name, Name),
) -> f64 {
    let one = results.get(case, quantity, one);
    let other = results.get(case, quantity, other);
    let ratios: Vec<f64> = one.iter().zip(other).map(|(a, b)| a / b).collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(figures: &[(f64, f64)]) -> Results {
        let mut results = Results::default();
        for (paddock, nginx) in figures {
            results.add(Case::Many, Quantity::Cpu, Name::Paddock, *paddock);
            results.add(Case::Many, Quantity::Cpu, Name::Nginx, *nginx);
        }
        results
    }

    fn judge(goal: Goal, figures: &[(f64, f64)]) -> Option<(String, bool)> {
        let verdict = goal.judge(&measured(figures), Case::Many, Quantity::Cpu)?;
        Some((verdict.goal, verdict.met))
    }

    #[test]
    fn the_median_of_the_rounds_ratios_is_judged() {
        let rounds = [(10.0, 20.0), (12.0, 20.0), (300.0, 400.0)];
        let words = |text: &str, met| Some((text.to_owned(), met));
        let most = |share| judge(Goal::Most(share, Name::Nginx), &rounds);
        assert_eq!(most(0.6), words("≤ 0.6 × nginx", true));
        assert_eq!(most(0.59), words("≤ 0.59 × nginx", false));
        let least = judge(Goal::Least(1.0, Name::Nginx), &rounds);
        assert_eq!(least, words("≥ nginx", false));
    }

    #[test]
    fn figures_are_judged_by_themselves_too() {
        let below = |most| judge(Goal::Below(most), &[(3.0, 0.0)]).unwrap().1;
        assert!(below(3.5));
        assert!(!below(3.0));
        assert!(judge(Goal::Zero, &[(0.0, 1.0)]).unwrap().1);
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(judge(Goal::Most(1.0, Name::Haproxy), &[(1.0, 1.0)]), None);
        assert_eq!(judge(Goal::None, &[(1.0, 1.0)]), None);
        assert_eq!(judge(Goal::Below(1.0), &[]), None);
    }
}
