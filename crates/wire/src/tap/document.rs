use super::said::Said;
use super::steps::Steps;
use super::whole;
use crate::skip;

/// Follows a JSON document and keeps what it states of tokens and times.
#[derive(Debug, Clone)]
pub(super) enum Document {
    /// Nothing of it has come.
    Start,
    /// It lay whole in one piece, which was read in one go.
    Whole(Said),
    /// It comes in several.
    Pieces(Steps),
}

impl Document {
    /// What it states, once it is whole. What is broken states nothing.
    pub(super) fn said(&self) -> Option<&Said> {
        match self {
            Self::Start => None,
            Self::Whole(said) => Some(said),
            Self::Pieces(steps) => steps.said(),
        }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        match self {
            Self::Start => match whole::read(piece) {
                Some((said, taken)) if is_space(piece.get(taken..)) => *self = Self::Whole(said),
                _ => self.step(Steps::new(), piece),
            },
            Self::Whole(_) if is_space(Some(piece)) => {}
            Self::Whole(_) => self.step(Steps::behind_its_end(), piece),
            Self::Pieces(steps) => steps.feed(piece),
        }
    }

    fn step(&mut self, mut steps: Steps, piece: &[u8]) {
        steps.feed(piece);
        *self = Self::Pieces(steps);
    }
}

fn is_space(rest: Option<&[u8]>) -> bool {
    let mut rest = rest.unwrap_or_default().iter();
    rest.all(|byte| skip::is_space(*byte))
}
