//! The requests' side of the admission queue: asks the runtime actor for a lease of a model and waits for the reply.
//!
//! A lease is the permission to send one request to a loaded model, which keeps the model in memory. A model's gate,
//! one atomic word, grants leases at once while the model is loaded and has room; only requests that the gate did not
//! admit come here. The runtime actor decides which requests wait and for how long.

use crate::error::ProxyError;
use crate::model::{Lease, Model};
use paddock_scheduler::{ClientId, ModelId, RequestId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// Capacity of the channel to the runtime actor. Senders beyond it wait.
const MAX_MESSAGES: usize = 1024;

/// A message of a request to the runtime actor.
#[derive(Debug)]
pub enum AdmissionMessage {
    /// A request that could not pass its model's gate asks for a lease.
    Acquire {
        /// Identifies the request until it is granted, refused or leaves.
        id: RequestId,
        /// The request.
        request: LeaseRequest,
        /// Receives the lease or the refusal.
        reply: oneshot::Sender<Result<GrantedLease, ProxyError>>,
    },
    /// A request that does not count as use of its model, such as for metrics, asks for a lease without waiting.
    Observe(ModelId, oneshot::Sender<Result<Lease, ProxyError>>),
    /// The request's client has left.
    Leave(RequestId),
}

/// A request that has to wait.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// The model that the request is for.
    pub model: Arc<Model>,
    /// The client, by which the scheduler orders waiting requests fairly.
    pub client: ClientId,
    /// The request will occupy one of the child's slots, each of which processes one request at a time.
    pub takes_slot: bool,
    /// The request's `x-request-id`.
    pub name: String,
}

/// A lease that a request waited for.
#[derive(Debug)]
pub struct GrantedLease {
    /// The lease.
    pub lease: Lease,
    /// The part of the waiting time during which the model was loading.
    pub load: Duration,
}

/// The requests' end of the channel to the runtime actor.
#[derive(Debug, Clone)]
pub struct AdmissionHandle {
    messages: mpsc::Sender<AdmissionMessage>,
    /// Notified when a client has left while the channel was full.
    left: Arc<Notify>,
    last_id: Arc<AtomicU64>,
}

/// The runtime actor's end of the channel.
#[derive(Debug)]
pub struct AdmissionReceiver {
    /// Messages of requests.
    pub messages: mpsc::Receiver<AdmissionMessage>,
    /// Notified when a client has left while the channel was full.
    pub left: Arc<Notify>,
}

impl AdmissionHandle {
    /// Creates both ends of a channel.
    pub fn new() -> (Self, AdmissionReceiver) {
        let (sender, messages) = mpsc::channel(MAX_MESSAGES);
        let left = Arc::new(Notify::new());
        let handle = Self {
            messages: sender,
            left: Arc::clone(&left),
            last_id: Arc::default(),
        };
        (handle, AdmissionReceiver { messages, left })
    }

    /// Waits in the model's queue for a lease. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// The request is refused.
    pub async fn acquire(&self, request: LeaseRequest) -> Result<GrantedLease, ProxyError> {
        let (reply, answer) = oneshot::channel();
        let id = RequestId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let message = AdmissionMessage::Acquire { id, request, reply };
        if self.messages.send(message).await.is_err() {
            return Err(ProxyError::ShuttingDown);
        }
        let leave_on_drop = LeaveOnDrop { handle: self, id };
        let answer = answer.await;
        std::mem::forget(leave_on_drop);
        // The actor drops the sender only when it ends.
        answer.unwrap_or(Err(ProxyError::ShuttingDown))
    }

    /// Returns a lease for a request that does not count as use of its model, without waiting for one.
    ///
    /// # Errors
    /// The model is not loaded.
    pub async fn observe(&self, model: ModelId) -> Result<Lease, ProxyError> {
        let (reply, answer) = oneshot::channel();
        let message = AdmissionMessage::Observe(model, reply);
        if self.messages.send(message).await.is_err() {
            return Err(ProxyError::ShuttingDown);
        }
        answer.await.unwrap_or(Err(ProxyError::ShuttingDown))
    }
}

/// On drop, tells the actor that a request's client has left.
struct LeaveOnDrop<'a> {
    handle: &'a AdmissionHandle,
    id: RequestId,
}

impl Drop for LeaveOnDrop<'_> {
    fn drop(&mut self) {
        let message = AdmissionMessage::Leave(self.id);
        if self.handle.messages.try_send(message).is_err() {
            self.handle.left.notify_one();
        }
    }
}
