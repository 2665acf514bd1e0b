//! The slots: as many generations at a time, the others wait their turn in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::results::Results;

/// The slots and who waits for one.
#[derive(Debug)]
pub(super) struct Slots {
    state: Mutex<State>,
    results: Arc<Results>,
}

#[derive(Debug)]
struct State {
    /// The task that each slot works on.
    busy: Vec<Option<u64>>,
    queue: VecDeque<u64>,
    next_task: u64,
}

impl Slots {
    pub(super) fn new(count: usize, results: Arc<Results>) -> Self {
        Self {
            state: Mutex::new(State {
                busy: vec![None; count],
                queue: VecDeque::new(),
                next_task: 0,
            }),
            results,
        }
    }

    /// Queues a new task; it gets a slot by [`Turn::take`].
    pub(super) fn queue(self: &Arc<Self>) -> Turn {
        let mut state = self.state();
        let task = state.next_task;
        state.next_task += 1;
        state.queue.push_back(task);
        Turn {
            slots: Arc::clone(self),
            task,
        }
    }

    /// The task of each slot.
    pub(super) fn tasks(&self) -> Vec<Option<u64>> {
        self.state().busy.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's place in the queue, given up when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    slots: Arc<Slots>,
    task: u64,
}

impl Turn {
    /// Takes a slot if one is free and nobody is before this task.
    pub(super) fn take(&self) -> Option<Slot> {
        let mut state = self.slots.state();
        if state.queue.front() != Some(&self.task) {
            return None;
        }
        let id = state.busy.iter().position(Option::is_none)?;
        state.busy[id] = Some(self.task);
        state.queue.pop_front();
        drop(state);
        // The next in line may have a free slot too.
        self.slots.results.announce();
        Some(Slot {
            slots: Arc::clone(&self.slots),
            id,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.slots.state().queue.retain(|&task| task != self.task);
        self.slots.results.announce();
    }
}

/// A slot that is being used, free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    pub(super) id: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.state().busy[self.id] = None;
        self.slots.results.announce();
    }
}
