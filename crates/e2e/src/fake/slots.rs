//! Limits concurrent generations to the number of slots, as llama-server does; further ones wait in
//! order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conversations::{Conversations, SlotConversation};
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
    conversations: Conversations,
    queue: VecDeque<u64>,
    next_task: u64,
}

impl SlotState {
    fn is_free(&self, id: usize) -> bool {
        self.busy.get(id).is_some_and(Option::is_none)
    }
}

impl Slots {
    pub(super) fn new(count: usize, caches_prompts: bool, results: Arc<ResultSignal>) -> Self {
        Self {
            state: Mutex::new(SlotState {
                busy: vec![None; count],
                conversations: Conversations::new(count, caches_prompts),
                queue: VecDeque::new(),
                next_task: 0,
            }),
            results,
        }
    }

    /// Queues a new task, which gets a slot from [`Turn::take`]. `wanted` selects a slot; its number wraps.
    pub(super) fn queue(self: &Arc<Self>, prompt: Vec<i32>, wanted: Option<u64>) -> Turn {
        let mut state = self.state();
        let task = state.next_task;
        state.next_task += 1;
        state.queue.push_back(task);
        let wanted = wanted.and_then(|id| usize::try_from(id).ok());
        Turn {
            slots: Arc::clone(self),
            task,
            prompt,
            wanted: wanted.map(|id| id % state.busy.len()),
        }
    }

    /// Returns for each slot whether it is busy, and its conversation.
    pub(super) fn list(&self) -> Vec<(bool, SlotConversation)> {
        let state = self.state();
        let conversations = state.conversations.slots().iter().cloned();
        let busy = state.busy.iter().map(Option::is_some);
        busy.zip(conversations).collect()
    }

    /// Returns the number of prompt tokens read so far.
    pub(super) fn tokens_read(&self) -> u64 {
        self.state().conversations.tokens_read()
    }

    /// Returns the tokens in a slot and replaces them by `tokens`, if given. Returns `None` if the slot is busy.
    pub(super) fn exchange(&self, id: usize, tokens: Option<&[i32]>) -> Option<Vec<i32>> {
        let mut state = self.state();
        if !state.is_free(id) {
            return None;
        }
        Some(match tokens {
            Some(tokens) => state.conversations.replace(id, tokens.to_vec()),
            None => state.conversations.slots()[id].tokens.clone(),
        })
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
    prompt: Vec<i32>,
    wanted: Option<usize>,
}

impl Turn {
    /// Takes a slot if one is free and no task is ahead in the queue.
    pub(super) fn take(&self) -> Option<Slot> {
        let mut state = self.slots.state();
        if state.queue.front() != Some(&self.task) {
            return None;
        }
        let ids = 0..state.busy.len();
        let free = ids.filter(|&id| state.is_free(id) && self.wanted.is_none_or(|one| one == id));
        let id = state.conversations.choose(free, &self.prompt)?;
        state.busy[id] = Some(self.task);
        state.queue.pop_front();
        let cached = state.conversations.begin(id, self.task, &self.prompt);
        drop(state);
        // Another slot may be free for the next task.
        self.slots.results.announce();
        Some(Slot {
            slots: Arc::clone(&self.slots),
            id,
            cached: cached as u64,
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
    /// Number of cached prompt tokens.
    pub(super) cached: u64,
}

impl Slot {
    /// Adds an answer of `generated` tokens to the conversation and releases the slot.
    pub(super) fn finish(self, generated: u64) {
        self.slots.state().conversations.finish(self.id, generated);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.state().busy[self.id] = None;
        self.slots.results.announce();
    }
}
