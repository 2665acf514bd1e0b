//! Holds the conversations in slots and in the prompt cache, and counts the cached tokens of a prompt.

/// Maximum number of conversations in the prompt cache.
const MAX_CACHED: usize = 64;

/// Base of the tokens of answers. The tokens of prompts are bytes and thus smaller.
const FIRST_GENERATED: i32 = 1000;

/// The conversations in all slots and in the prompt cache.
#[derive(Debug)]
pub(super) struct Conversations {
    slots: Vec<SlotConversation>,
    cache: Vec<Vec<i32>>,
    /// True if prompts are cached.
    is_enabled: bool,
    /// Number of prompt tokens read so far.
    tokens_read: u64,
}

/// The conversation in a slot.
#[derive(Debug, Clone, Default)]
pub(super) struct SlotConversation {
    pub(super) tokens: Vec<i32>,
    /// Number of the last task; `None` before the first task.
    pub(super) last_task: Option<u64>,
    /// Number of prompt tokens that the last task read.
    pub(super) read: usize,
    /// Number of prompt tokens that were cached for the last task.
    pub(super) cached: usize,
}

impl Conversations {
    pub(super) fn new(count: usize, is_enabled: bool) -> Self {
        Self {
            slots: vec![SlotConversation::default(); count],
            cache: Vec::new(),
            is_enabled,
            tokens_read: 0,
        }
    }

    pub(super) fn slots(&self) -> &[SlotConversation] {
        &self.slots
    }

    pub(super) fn tokens_read(&self) -> u64 {
        self.tokens_read
    }

    /// Chooses the free slot with the longest common prefix with the prompt; among equals, the least recently used
    /// slot.
    pub(super) fn choose(
        &self,
        free: impl Iterator<Item = usize>,
        prompt: &[i32],
    ) -> Option<usize> {
        let rank = |&id: &usize| {
            let slot = &self.slots[id];
            let last_use = slot.last_task.map_or(0, |task| task + 1);
            (
                usize::MAX - common_prefix(&slot.tokens, prompt),
                last_use,
                id,
            )
        };
        free.min_by_key(rank)
    }

    /// Puts a prompt into a slot and returns the number of its cached tokens. The last token is always read.
    pub(super) fn begin(&mut self, id: usize, task: u64, prompt: &[i32]) -> usize {
        let cached = if self.is_enabled {
            self.load_longest(id, prompt)
        } else {
            0
        };
        let cached = cached.min(prompt.len().saturating_sub(1));
        let read = prompt.len() - cached;
        self.tokens_read += read as u64;
        self.slots[id] = SlotConversation {
            tokens: prompt.to_vec(),
            last_task: Some(task),
            read,
            cached,
        };
        cached
    }

    /// Moves the slot's conversation to the cache if the prompt shares less than half of it, and takes the cached
    /// conversation that shares more tokens with the prompt, if there is one. Returns the number of shared tokens.
    fn load_longest(&mut self, id: usize, prompt: &[i32]) -> usize {
        let kept = common_prefix(&self.slots[id].tokens, prompt);
        let lengths = self
            .cache
            .iter()
            .map(|tokens| common_prefix(tokens, prompt));
        let longest = lengths.enumerate().max_by_key(|&(_, length)| length);
        let found = longest.filter(|&(_, length)| length > kept);
        let tokens = std::mem::take(&mut self.slots[id].tokens);
        if kept * 2 < tokens.len() && self.cache.len() < MAX_CACHED {
            self.cache.push(tokens);
        }
        found.map_or(kept, |(index, length)| {
            self.cache.remove(index);
            length
        })
    }

    /// Adds the tokens of an answer except the last, which is not evaluated.
    pub(super) fn finish(&mut self, id: usize, generated: u64) {
        let unread = i32::try_from(generated).unwrap_or(i32::MAX);
        let answer = (1..unread).map(|number| FIRST_GENERATED + number);
        self.slots[id].tokens.extend(answer);
    }

    /// Replaces the conversation in a slot and returns its old tokens.
    pub(super) fn replace(&mut self, id: usize, tokens: Vec<i32>) -> Vec<i32> {
        std::mem::replace(&mut self.slots[id].tokens, tokens)
    }
}

fn common_prefix(tokens: &[i32], prompt: &[i32]) -> usize {
    let pairs = tokens.iter().zip(prompt);
    pairs.take_while(|(one, other)| one == other).count()
}
