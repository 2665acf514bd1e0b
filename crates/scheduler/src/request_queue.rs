//! Queues the requests that wait for a model: first come, first served within a client, and clients in turn.

use crate::{ClientId, RequestId};
use std::collections::{HashMap, VecDeque};

/// The number by which cancelled requests in a client's lane may exceed the live ones. Beyond it they are removed, in
/// one pass over the lane.
const MAX_STALE_REQUESTS: usize = 16;

/// The queue of one model, with a lane for each client.
#[derive(Debug, Default)]
pub(crate) struct RequestQueue {
    lanes: HashMap<ClientId, ClientLane>,
    /// The waiting clients, in turn.
    turns: VecDeque<ClientId>,
    /// The number of queued requests, without cancelled ones.
    len: usize,
}

/// The queued requests of one client.
#[derive(Debug, Default)]
struct ClientLane {
    requests: VecDeque<RequestId>,
    /// The number of cancelled requests that are still in `requests`.
    stale: usize,
}

impl RequestQueue {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a request to its client's lane.
    pub(crate) fn push(&mut self, client: ClientId, id: RequestId) {
        let lane = self.lanes.entry(client).or_default();
        if lane.requests.is_empty() {
            self.turns.push_back(client);
        }
        lane.requests.push_back(id);
        self.len += 1;
    }

    /// Records that one of the client's requests was cancelled. `is_live` returns true for requests that were
    /// not cancelled.
    pub(crate) fn cancel(&mut self, client: ClientId, is_live: impl Fn(RequestId) -> bool) {
        let Some(lane) = self.lanes.get_mut(&client) else {
            return;
        };
        self.len -= 1;
        lane.stale += 1;
        let live = lane.requests.len() - lane.stale;
        if live == 0 || lane.stale > live + MAX_STALE_REQUESTS {
            lane.requests.retain(|id| is_live(*id));
            lane.stale = 0;
        }
        if lane.requests.is_empty() {
            self.lanes.remove(&client);
            self.turns.retain(|turn| *turn != client);
        }
    }

    /// Removes the next request: the oldest of the client whose turn it is.
    pub(crate) fn pop(&mut self, is_live: impl Fn(RequestId) -> bool) -> Option<RequestId> {
        while let Some(client) = self.turns.pop_front() {
            let Some(lane) = self.lanes.get_mut(&client) else {
                continue;
            };
            let next = next(lane, &is_live);
            if lane.requests.is_empty() {
                self.lanes.remove(&client);
            } else {
                self.turns.push_back(client);
            }
            if next.is_some() {
                self.len -= 1;
                return next;
            }
        }
        None
    }
}

fn next(lane: &mut ClientLane, is_live: impl Fn(RequestId) -> bool) -> Option<RequestId> {
    while let Some(id) = lane.requests.pop_front() {
        if is_live(id) {
            return Some(id);
        }
        lane.stale = lane.stale.saturating_sub(1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ALL: fn(RequestId) -> bool = |_| true;

    #[test]
    fn clients_take_turns_however_many_one_of_them_sends() {
        let mut queue = RequestQueue::default();
        for id in 0..5 {
            queue.push(ClientId(1), RequestId(id));
        }
        queue.push(ClientId(2), RequestId(10));
        queue.push(ClientId(3), RequestId(20));
        queue.push(ClientId(2), RequestId(11));
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop(ALL))
            .map(|id| id.0)
            .collect();
        assert_eq!(order, [0, 10, 20, 1, 11, 2, 3, 4]);
        assert!(queue.is_empty() && queue.lanes.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn the_cancelled_are_skipped_and_do_not_pile_up() {
        let mut queue = RequestQueue::default();
        let mut live = HashSet::new();
        for id in (0..1000).map(RequestId) {
            queue.push(ClientId(1), id);
            live.insert(id);
            if id.0 % 10 != 0 {
                live.remove(&id);
                queue.cancel(ClientId(1), |id| live.contains(&id));
            }
        }
        assert_eq!(queue.len(), 100);
        let kept = queue
            .lanes
            .values()
            .map(|lane| lane.requests.len())
            .sum::<usize>();
        assert!(kept <= 2 * 100 + MAX_STALE_REQUESTS + 1, "{kept} are kept");
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop(|id| live.contains(&id)))
            .map(|id| id.0)
            .collect();
        assert_eq!(order, (0..1000).step_by(10).collect::<Vec<_>>());
        assert!(queue.is_empty() && queue.lanes.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn a_client_whose_every_request_is_gone_has_no_turn() {
        let mut queue = RequestQueue::default();
        queue.push(ClientId(1), RequestId(1));
        queue.push(ClientId(2), RequestId(2));
        queue.cancel(ClientId(1), |id| id == RequestId(2));
        assert_eq!((queue.len(), queue.turns.len()), (1, 1));
        assert_eq!(queue.pop(|id| id == RequestId(2)), Some(RequestId(2)));
        assert_eq!(queue.pop(ALL), None);
    }
}
