use crate::{InstanceIs, Refusal, RequestId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the scheduler needs to know of a model's configuration.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// The most leases at once.
    pub cap: u32,
    /// The most requests that wait for it.
    pub queue_limit: usize,
    /// The longest a request waits.
    pub queue_timeout: Duration,
    /// From when on requests pass.
    pub admit: Admit,
}

/// From when on requests pass to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// When it is ready. Until then they wait.
    WhenReady,
    /// As soon as its child answers for itself, if only to say that it is loading.
    WhenListening,
}

/// One model as the scheduler sees it.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) spec: ModelSpec,
    pub(crate) instance: InstanceIs,
    pub(crate) open: bool,
    pub(crate) stopping: bool,
    pub(crate) queue: VecDeque<Waiting>,
}

/// A queued request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) id: RequestId,
    pub(crate) until: Instant,
}

impl Model {
    pub(crate) fn new(spec: ModelSpec) -> Self {
        Self {
            spec,
            instance: InstanceIs::Loading,
            open: false,
            stopping: false,
            queue: VecDeque::new(),
        }
    }

    /// The generation requests may go to now.
    pub(crate) fn routable(&self) -> Option<crate::Generation> {
        match (self.instance, self.spec.admit) {
            (InstanceIs::Ready(generation), _)
            | (InstanceIs::Listening(generation), Admit::WhenListening) => Some(generation),
            _ => None,
        }
    }

    /// What a request that waited too long is told.
    pub(crate) fn too_long(&self) -> Refusal {
        match self.routable() {
            Some(_) => Refusal::TimedOut,
            None => Refusal::StillLoading,
        }
    }
}
