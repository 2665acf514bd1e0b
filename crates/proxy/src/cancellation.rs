//! Cancels requests by their `x-request-id`, on behalf of an operator.

use super::request_status::RequestStatus;
use super::worker::Worker;
use super::worker::command::{WorkerCommand, WorkersHandle};
use std::rc::Weak;

impl WorkersHandle {
    /// Cancels all in-flight and queued requests whose `x-request-id` is `name`. Returns how many workers had one.
    pub async fn cancel(&self, name: &str) -> usize {
        let cancel = |reply| WorkerCommand::CancelRequests {
            name: name.as_bytes().to_vec(),
            reply,
        };
        let found = self.ask(cancel).await.into_iter();
        found.filter(|found| *found).count()
    }
}

impl Worker {
    /// Cancels this worker's requests whose `x-request-id` is `name`. Returns true if there was one.
    pub(crate) fn cancel_requests(&self, name: &[u8]) -> bool {
        let id_line = [b"x-request-id: ", name, b"\r\n"].concat();
        let statuses = self.statuses.borrow();
        let live = statuses.iter().filter_map(Weak::upgrade);
        live.filter(|status| status.cancel_if_named(&id_line))
            .count()
            > 0
    }
}

impl RequestStatus {
    /// Marks the request as cancelled if `id_line` is its own. Returns true if so.
    pub(super) fn cancel_if_named(&self, id_line: &[u8]) -> bool {
        let is = *self.id_line.borrow() == id_line;
        if is {
            self.cancelled.set(true);
            self.wake();
        }
        is
    }

    /// Returns true if the operator has cancelled the request.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}
