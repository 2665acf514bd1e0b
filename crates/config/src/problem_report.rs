//! Collects problems while a configuration is read, so that all are reported at once.

use std::cell::{Cell, RefCell};

use super::FileFault;
use super::problem::Problem;
use super::source_text::SourceText;

/// The problems found so far, and the text of the file.
#[derive(Debug)]
pub(super) struct ProblemReport<'a> {
    pub(super) source: SourceText<'a>,
    problems: RefCell<Vec<Problem>>,
    /// Problems of model files, which do not make the configuration invalid.
    faults: RefCell<Vec<FileFault>>,
    /// Models may be missing: a table or directory could not be read.
    models_lost: Cell<bool>,
}

impl<'a> ProblemReport<'a> {
    pub(super) fn new(source: SourceText<'a>) -> Self {
        Self {
            source,
            problems: RefCell::default(),
            faults: RefCell::default(),
            models_lost: Cell::new(false),
        }
    }

    /// Returns whether models may be missing; if so, an unknown model name is not reported.
    pub(super) fn models_may_be_lost(&self) -> bool {
        self.models_lost.get()
    }

    /// Records that models may be missing.
    pub(super) fn mark_models_lost(&self) {
        self.models_lost.set(true);
    }

    pub(super) fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn push_fault(&self, fault: FileFault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Turns the faults found so far into problems, which make the configuration invalid.
    pub(super) fn promote_faults(&self) {
        let faults = self.faults.take();
        let problems = faults.into_iter().map(|fault| fault.problem);
        self.problems.borrow_mut().extend(problems);
    }

    /// Returns the problems and the faults, each in the order of the file's lines.
    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<FileFault>) {
        let mut problems = self.problems.into_inner();
        let mut faults = self.faults.into_inner();
        problems.sort_by_key(position);
        faults.sort_by_key(|fault| position(&fault.problem));
        (problems, faults)
    }
}

/// Merges faults into the problems, in the order of the file's lines.
pub(super) fn merge_by_line(mut problems: Vec<Problem>, faults: Vec<FileFault>) -> Vec<Problem> {
    problems.extend(faults.into_iter().map(|fault| fault.problem));
    problems.sort_by_key(position);
    problems
}

fn position(problem: &Problem) -> (usize, usize) {
    let span = problem.span.as_ref();
    span.map_or((usize::MAX, 0), |span| (span.line, span.column))
}
