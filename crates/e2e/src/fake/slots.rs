//! Limits concurrent generations to the number of slots, as llama-server does; further ones wait in
//! order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::result_signal::ResultSignal;

/// The slots and the queue for them.
#[derive(Debug)]
pub(super) struct Slots {
    state: Mutex<SlotState>,
    results: Arc<ResultSignal>,
}

/// The slots and the queue. A task is one generation, identified by its number.
#[derive(Debug)]
struct SlotState {
    /// The current task of each slot.
    busy: Vec<Option<u64>>,
    queue: VecDeque<u64>,
    next_task: u64,
}

impl Slots {
    pub(super) fn new(count: usize, results: Arc<ResultSignal>) -> Self {
        Self {
            state: Mutex::new(SlotState {
                busy: vec![None; count],
                queue: VecDeque::new(),
                next_task: 0,
            }),
            results,
        }
    }

    /// Queues a new task, which gets a slot by [`Turn::take`].
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

    /// Returns the current task of each slot.
    pub(super) fn tasks(&self) -> Vec<Option<u64>> {
        self.state().busy.clone()
    }

    fn state(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's position in the queue, released on drop.
#[derive(Debug)]
pub(super) struct Turn {
    slots: Arc<Slots>,
    task: u64,
}

impl Turn {
    /// Takes a slot if one is free and no task is ahead in the queue.
    pub(super) fn take(&self) -> Option<Slot> {
        let mut state = self.slots.state();
        if state.queue.front() != Some(&self.task) {
            return None;
        }
        let id = state.busy.iter().position(Option::is_none)?;
        state.busy[id] = Some(self.task);
        state.queue.pop_front();
        drop(state);
        // Another slot may be free for the next task.
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

/// A slot in use, released on drop.
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
