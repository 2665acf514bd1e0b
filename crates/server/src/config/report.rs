use std::cell::{Cell, RefCell};

use super::problem::Problem;
use super::source::Source;

/// The problems found so far, and the file they are in.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) source: Source<'a>,
    problems: RefCell<Vec<Problem>>,
    /// A table of models may be among what is not understood.
    lost: Cell<bool>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            problems: RefCell::default(),
            lost: Cell::new(false),
        }
    }

    /// Whether models may be among what is not understood, so that their absence says nothing.
    pub(super) fn models_may_be_lost(&self) -> bool {
        self.lost.get()
    }

    /// What is not understood may be a table of models.
    pub(super) fn lose_models(&self) {
        self.lost.set(true);
    }

    pub(super) fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Returns the problems, those of a file in the order of its lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        let line = |problem: &Problem| {
            let place = problem.place.as_ref();
            place.map_or((usize::MAX, 0), |place| (place.line, place.column))
        };
        problems.sort_by_key(line);
        problems
    }
}
