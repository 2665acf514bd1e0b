use std::cell::{Cell, RefCell};

use super::FileFault;
use super::problem::Problem;
use super::source::Source;

/// The problems found so far, and the file they are in.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) source: Source<'a>,
    problems: RefCell<Vec<Problem>>,
    /// Problems of files, which leave the configuration valid.
    faults: RefCell<Vec<FileFault>>,
    /// A table of models may be among what is not understood.
    lost: Cell<bool>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            problems: RefCell::default(),
            faults: RefCell::default(),
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

    pub(super) fn push_fault(&self, fault: FileFault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Makes the faults found so far problems, which leave no configuration valid.
    pub(super) fn refuse_faults(&self) {
        let faults = self.faults.take();
        let problems = faults.into_iter().map(|fault| fault.problem);
        self.problems.borrow_mut().extend(problems);
    }

    /// Returns the problems and the faults of files, those of a file in the order of its lines.
    pub(super) fn into_found(self) -> (Vec<Problem>, Vec<FileFault>) {
        let mut problems = self.problems.into_inner();
        let mut faults = self.faults.into_inner();
        problems.sort_by_key(line);
        faults.sort_by_key(|fault| line(&fault.problem));
        (problems, faults)
    }
}

/// Merges the problems of files into the others, by their lines.
pub(super) fn all(mut problems: Vec<Problem>, faults: Vec<FileFault>) -> Vec<Problem> {
    problems.extend(faults.into_iter().map(|fault| fault.problem));
    problems.sort_by_key(line);
    problems
}

fn line(problem: &Problem) -> (usize, usize) {
    let place = problem.place.as_ref();
    place.map_or((usize::MAX, 0), |place| (place.line, place.column))
}
