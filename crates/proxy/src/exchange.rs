//! Passes one request to its model: acquires a lease (the permission to send one request to the loaded model) and
//! an upstream connection, relays, and retries once if a reused connection was already closed.

use super::active_requests::RequestStage;
use super::body_reader;
use super::client::{Client, NextStep};
use super::client_disconnect::wait_with_client;
use super::heartbeat;
use super::lease_request::{lease_request, occupies_slot};
use super::local_reply;
use super::relay::Relay;
use super::relay_outcome::RelayOutcome;
use super::request::Request;
use super::slot_actions;
use super::upstream_pool::{UpstreamConnection, UpstreamPool};
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::model::{Endpoint, Lease, Model};
use paddock_admission::phase::ServicePhase;
use paddock_wire::HeadEdits;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Number of attempts to find an instance (a running llama-server of the model) that accepts a connection.
const MAX_CONNECT_ATTEMPTS: usize = 3;

/// Longest wait for the supervisor to notice that the instance which refused or closed a connection has
/// exited.
const EXIT_NOTICE_TIMEOUT: Duration = Duration::from_secs(1);

/// Most header fields that llama-server accepts: it closes the connection of a request with more (llama.cpp b11434,
/// vendor/cpp-httplib/httplib.h, `CPPHTTPLIB_HEADER_MAX_COUNT`).
const MAX_CHILD_FIELDS: usize = 100;

/// Error for the client if no byte of a response came and the child is not known to have exited.
const UNANSWERED: ProxyError =
    ProxyError::UpstreamClosed("closed the connection before it responded");

/// A request, its client, and the worker that serves them.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) worker: &'a Worker,
    pub(super) client: &'a mut Client,
    pub(super) request: &'a mut Request,
    /// The permission to use an instance; released after the instance's last byte of the response, however slowly
    /// the client reads.
    pub(super) lease: Option<Lease>,
}

impl Exchange<'_> {
    /// Passes the request to its model and the response back.
    pub(super) async fn run(&mut self, model: &Arc<Model>) -> NextStep {
        self.client.record.set_model(model.id);
        self.client.status.set_model(model.id);
        self.edit_head();
        // Boxed because it is rare: most requests arrive whole with their heads.
        let buffered = if self.request.body.is_complete() {
            Ok(())
        } else {
            Box::pin(body_reader::read_before_lease(self, model)).await
        };
        let admitted = match buffered {
            Ok(()) => self.acquire_connection(model, false).await,
            Err(denied) => Err(denied),
        };
        let connection = match admitted {
            Ok(connection) => connection,
            Err(denied) => return Box::pin(self.deny(denied)).await,
        };
        let reused = connection.reused;
        let end = Relay::new(self, model, connection).run().await;
        let end = match end {
            RelayOutcome::Unanswered { repeatable: true } if reused => {
                Box::pin(self.retry(model)).await
            }
            end => end,
        };
        let end = match end {
            RelayOutcome::Unanswered { .. } => Box::pin(self.fail_unanswered(model)).await,
            end => end,
        };
        if matches!(end, RelayOutcome::ClientGone) {
            self.record_answer(model);
        }
        self.lease = None;
        self.finish(end).await
    }

    /// Records the token counts of the response, unless the lease has been released. Must be called before the release:
    /// once no lease is held, the runtime may read the counts and stop the child.
    pub(super) fn record_answer(&mut self, model: &Model) {
        if self.lease.is_some()
            && let Some(tokens) = self.client.record.answer_tokens()
        {
            model.answers.record(tokens);
        }
    }

    /// Repeats a request whose reused connection ended before any byte of the response: the child closes idle
    /// connections, which can cross with a request. If the child has exited, the request queues for the next
    /// child. A request that crashes children thus reaches two of them at most.
    async fn retry(&mut self, model: &Arc<Model>) -> RelayOutcome {
        let endpoint = self.lease.as_ref();
        let endpoint = endpoint.and_then(|lease| endpoint_for(model, lease));
        if let Some(endpoint) = endpoint
            && let Ok(connection) = UpstreamPool::connect(model.id, &endpoint).await
        {
            let end = Relay::new(self, model, connection).run().await;
            if !matches!(end, RelayOutcome::Unanswered { repeatable: true }) {
                return end;
            }
            // The kernel closes a dying child's connections before its listening socket, which still accepts
            // for a moment.
            match self.find_exit(model).await {
                Ok(Some(_)) => {}
                Ok(None) => return RelayOutcome::Failed(UNANSWERED),
                Err(denied) => return denied.into(),
            }
        }
        self.lease = None;
        match self.acquire_connection(model, true).await {
            Ok(connection) => Relay::new(self, model, connection).run().await,
            Err(denied) => denied.into(),
        }
    }

    /// Releases the lease, waits for the child's exit and returns the cause: an exiting child closes its
    /// connections a moment before the supervisor notices. None if the child has not exited in time.
    async fn find_exit(&mut self, model: &Model) -> Result<Option<Arc<str>>, ExchangeError> {
        let Some(generation) = self.lease.take().map(|lease| lease.generation) else {
            return Ok(None);
        };
        let exit = timeout(EXIT_NOTICE_TIMEOUT, model.wait_for_exit(generation));
        Ok(wait_with_client(self, exit).await?.unwrap_or(None))
    }

    /// Returns the error for a request that got no byte of a response.
    async fn fail_unanswered(&mut self, model: &Model) -> RelayOutcome {
        match self.find_exit(model).await {
            Ok(Some(cause)) => RelayOutcome::Failed(ProxyError::UpstreamExited(cause)),
            Ok(None) => RelayOutcome::Failed(UNANSWERED),
            Err(denied) => denied.into(),
        }
    }

    async fn finish(&mut self, end: RelayOutcome) -> NextStep {
        let error = match end {
            RelayOutcome::Answered { after } => {
                self.client.record.finish(self.client.timer.last_progress());
                return after;
            }
            RelayOutcome::Broken { after } => {
                self.client.record.finish_broken();
                return after;
            }
            RelayOutcome::ClientGone => {
                self.client.record.finish_client_left();
                return NextStep::Drop;
            }
            RelayOutcome::Failed(error) => error,
            // [`Self::run`] has replaced this outcome by one with a cause.
            RelayOutcome::Unanswered { .. } => UNANSWERED,
        };
        Box::pin(local_reply::send_error(self, &error)).await
    }

    /// Ends a request that cannot be forwarded.
    pub(super) async fn deny(&mut self, denied: ExchangeError) -> NextStep {
        self.finish(denied.into()).await
    }

    /// Applies the edits of the head, and adds paddock's own fields.
    fn edit_head(&mut self) {
        let Self {
            worker,
            client,
            request,
            ..
        } = self;
        let mut edited = worker.scratch.borrow_mut();
        edited.clear();
        let host: &[u8] = if request.head.has_host {
            b""
        } else {
            b"Host: localhost\r\n"
        };
        let id: &[u8] = match request.head.request_id {
            Some(_) => b"",
            None => &client.id_line,
        };
        let trace = client.record.trace_line();
        let trace: &[u8] = match &trace {
            None => b"",
            Some(line) => line.as_bytes(),
        };
        let mut additions = [host, trace, id];
        let head = &request.buffer.bytes()[..request.head_len];
        if request.head.field_count + additions.len() > MAX_CHILD_FIELDS {
            drop_excess_additions(&request.head.edits, head, &mut additions);
        }
        request.head.edits.render(head, &additions, &mut edited);
        request.buffer.replace_head(request.head_len, &edited);
        request.head_len = edited.len();
    }

    /// Acquires a lease and a connection to its instance. An instance that refuses the connection has just died:
    /// its gate is about to shut, and the request queues for the next one. `fresh` requires a connection that has
    /// served no request.
    async fn acquire_connection(
        &mut self,
        model: &Arc<Model>,
        fresh: bool,
    ) -> Result<UpstreamConnection, ExchangeError> {
        let mut refused = None;
        for _ in 0..MAX_CONNECT_ATTEMPTS {
            let lease = self.acquire_lease(model).await?;
            slot_actions::check(self, model, &lease).map_err(ExchangeError::Refused)?;
            // A partly buffered or unfinished body can be sent only once, so its request needs a connection that
            // the child is not about to close.
            let idle = |repeatable| {
                self.worker.upstreams.take(
                    model.id,
                    lease.generation,
                    repeatable,
                    self.client.timer.now(),
                    &self.worker.pool,
                )
            };
            if !fresh && let Some(connection) = idle(self.request.is_repeatable()) {
                self.lease = Some(lease);
                return Ok(connection);
            }
            let mut endpoint_changes = model.endpoint.subscribe();
            if let Some(endpoint) = endpoint_for(model, &lease) {
                match UpstreamPool::connect(model.id, &endpoint).await {
                    Ok(connection) => {
                        self.lease = Some(lease);
                        return Ok(connection);
                    }
                    Err(error) => refused = Some(error.to_string()),
                }
            }
            if !fresh && let Some(connection) = idle(true) {
                self.lease = Some(lease);
                return Ok(connection);
            }
            let generation = lease.generation;
            drop(lease);
            let is_gone = async {
                tokio::select! {
                    _ = endpoint_changes.changed() => {}
                    _ = model.wait_for_exit(generation) => {}
                }
            };
            // The next attempt finds out, noticed or not.
            let _ = wait_with_client(self, timeout(EXIT_NOTICE_TIMEOUT, is_gone)).await?;
        }
        let why = refused.unwrap_or_else(|| "it is being restarted".to_owned());
        Err(ExchangeError::Refused(ProxyError::UpstreamUnreachable(why)))
    }

    async fn acquire_lease(&mut self, model: &Arc<Model>) -> Result<Lease, ExchangeError> {
        if self.worker.phase() != ServicePhase::Serving {
            return Err(ExchangeError::Refused(ProxyError::ShuttingDown));
        }
        if self.request.is_observation {
            return self.acquire_without_use(model).await;
        }
        let takes_slot = occupies_slot(self.client, self.request);
        let lease = match model.try_acquire() {
            Some(lease) => Ok(lease),
            None => self.wait_in_queue(model, takes_slot).await,
        };
        let mut lease = lease?;
        if takes_slot && let Some(ticket) = lease.take_slot(self.client.timer.now()) {
            self.client.status.set_slot_ticket(ticket);
        }
        Ok(lease)
    }

    /// Acquires a lease that does not count as use of the model.
    async fn acquire_without_use(&mut self, model: &Arc<Model>) -> Result<Lease, ExchangeError> {
        if let Some(lease) = model.try_acquire() {
            return Ok(lease.without_use());
        }
        let observed = self.worker.context.admission.observe(model.id);
        wait_with_client(self, observed)
            .await?
            .map_err(ExchangeError::Refused)
    }

    /// Waits in the queue for a lease.
    async fn wait_in_queue(
        &mut self,
        model: &Arc<Model>,
        takes_slot: bool,
    ) -> Result<Lease, ExchangeError> {
        let lease_request = lease_request(self.client, self.request, model, takes_slot);
        self.client.timer.read_clock();
        let began = self.client.timer.now();
        self.client.status.set_stage(RequestStage::Queued);
        let queued = self.worker.context.admission.acquire(lease_request);
        let granted = if model.limits.loading_heartbeat {
            Box::pin(heartbeat::wait(self, model, queued)).await
        } else {
            wait_with_client(self, queued).await
        };
        self.client.status.set_stage(RequestStage::Waiting);
        self.client.timer.read_clock();
        let load = match &granted {
            Ok(Ok(granted)) => Some(granted.load),
            _ => None,
        };
        self.client
            .record
            .add_lease_wait(self.client.timer.now() - began, load);
        granted?
            .map(|granted| granted.lease)
            .map_err(ExchangeError::Refused)
    }
}

/// Empties the last of `additions` if the child would refuse the head because of them.
#[cold]
fn drop_excess_additions(edits: &HeadEdits, head: &[u8], additions: &mut [&[u8]]) {
    let lines = |bytes: &[u8]| bytes.split_inclusive(|byte| *byte == b'\n').count();
    let mut bare = Vec::new();
    edits.render(head, &[], &mut bare);
    // The request line and the empty line are not fields.
    let mut fields = lines(&bare).saturating_sub(2);
    for addition in additions {
        fields += lines(addition);
        if fields > MAX_CHILD_FIELDS {
            fields -= lines(addition);
            *addition = b"";
        }
    }
}

/// Reason why a request does not reach its model.
pub(super) enum ExchangeError {
    Refused(ProxyError),
    ClientGone,
}

impl From<ExchangeError> for RelayOutcome {
    fn from(denied: ExchangeError) -> Self {
        match denied {
            ExchangeError::Refused(error) => Self::Failed(error),
            ExchangeError::ClientGone => Self::ClientGone,
        }
    }
}

/// Returns the endpoint of the lease's child, unless that child has ended.
pub(super) fn endpoint_for(model: &Model, lease: &Lease) -> Option<Endpoint> {
    let newest = model.endpoint.borrow();
    newest
        .as_ref()
        .filter(|endpoint| endpoint.generation == lease.generation)
        .cloned()
}
