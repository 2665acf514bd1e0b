//! Goals for paddock's figures, and their evaluation.

use crate::cases::Case;
use crate::results::{Quantity, RunResults};
use crate::stats::median;
use crate::subjects::SubjectName;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    None,
    /// paddock's figure is at most this share of another subject's.
    AtMost(f64, SubjectName),
    /// paddock's figure is at least this share of another subject's; more is better.
    AtLeast(f64, SubjectName),
    /// paddock's figure is below this.
    Below(f64),
    /// paddock's figure is zero.
    Zero,
}

/// A goal in words, and whether it was met.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GoalResult {
    pub(crate) goal: String,
    pub(crate) met: bool,
}

impl GoalResult {
    /// Returns "met" or "missed" as Markdown.
    pub(crate) fn label(&self) -> &'static str {
        if self.met { "met" } else { "**missed**" }
    }
}

impl Goal {
    /// Evaluates paddock's figures; returns `None` without a goal or without the required figures.
    pub(crate) fn evaluate(
        self,
        results: &RunResults,
        case: Case,
        quantity: Quantity,
    ) -> Option<GoalResult> {
        let figure = median(results.get(case, quantity, SubjectName::Paddock));
        let ratio = |other| ratio(results, case, quantity, (SubjectName::Paddock, other));
        let (goal, found, met) = match self {
            Self::None => return None,
            Self::AtMost(share, other) => {
                let ratio = ratio(other);
                (
                    format!("≤ {}", describe_share(share, other)),
                    ratio,
                    ratio <= share,
                )
            }
            Self::AtLeast(share, other) => {
                let ratio = ratio(other);
                (
                    format!("≥ {}", describe_share(share, other)),
                    ratio,
                    ratio >= share,
                )
            }
            Self::Below(limit) => (format!("< {limit}"), figure, figure < limit),
            Self::Zero => ("0".to_owned(), figure, figure <= 0.0),
        };
        (!found.is_nan()).then_some(GoalResult { goal, met })
    }
}

/// Describes a share of a subject's figure.
fn describe_share(share: f64, other: SubjectName) -> String {
    if (share - 1.0).abs() < f64::EPSILON {
        other.label().to_owned()
    } else {
        format!("{share} × {}", other.label())
    }
}

/// Returns the median of the rounds' ratios of two subjects' figures; NaN if either was not
/// measured.
pub(crate) fn ratio(
    results: &RunResults,
    case: Case,
    quantity: Quantity,
    (one, other): (SubjectName, SubjectName),
) -> f64 {
    let one = results.get(case, quantity, one);
    let other = results.get(case, quantity, other);
    let ratios: Vec<f64> = one.iter().zip(other).map(|(a, b)| a / b).collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results_of(figures: &[(f64, f64)]) -> RunResults {
        let mut results = RunResults::default();
        for (paddock, nginx) in figures {
            results.add(Case::Many, Quantity::Cpu, SubjectName::Paddock, *paddock);
            results.add(Case::Many, Quantity::Cpu, SubjectName::Nginx, *nginx);
        }
        results
    }

    fn evaluate(goal: Goal, figures: &[(f64, f64)]) -> Option<(String, bool)> {
        let verdict = goal.evaluate(&results_of(figures), Case::Many, Quantity::Cpu)?;
        Some((verdict.goal, verdict.met))
    }

    #[test]
    fn the_median_of_the_rounds_ratios_is_evaluated() {
        let rounds = [(10.0, 20.0), (12.0, 20.0), (300.0, 400.0)];
        let words = |text: &str, met| Some((text.to_owned(), met));
        let most = |share| evaluate(Goal::AtMost(share, SubjectName::Nginx), &rounds);
        assert_eq!(most(0.6), words("≤ 0.6 × nginx", true));
        assert_eq!(most(0.59), words("≤ 0.59 × nginx", false));
        let least = evaluate(Goal::AtLeast(1.0, SubjectName::Nginx), &rounds);
        assert_eq!(least, words("≥ nginx", false));
    }

    #[test]
    fn absolute_goals_are_evaluated() {
        let below = |limit| evaluate(Goal::Below(limit), &[(3.0, 0.0)]).unwrap().1;
        assert!(below(3.5));
        assert!(!below(3.0));
        assert!(evaluate(Goal::Zero, &[(0.0, 1.0)]).unwrap().1);
    }

    #[test]
    fn unmeasured_goals_are_neither_met_nor_missed() {
        assert_eq!(
            evaluate(Goal::AtMost(1.0, SubjectName::Haproxy), &[(1.0, 1.0)]),
            None
        );
        assert_eq!(evaluate(Goal::None, &[(1.0, 1.0)]), None);
        assert_eq!(evaluate(Goal::Below(1.0), &[]), None);
    }
}
