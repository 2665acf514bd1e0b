//! Passes one request to its model: acquires a lease and an upstream connection, relays, and retries once if
//! a reused connection was already closed.

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
use super::upstream_pool::{UpstreamConnection, UpstreamPool};
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::model::{Endpoint, Lease, Model};
use paddock_admission::phase::ServicePhase;
use paddock_wire::HeadEdits;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Number of attempts to find an instance that accepts a connection.
const MAX_CONNECT_ATTEMPTS: usize = 3;

/// Longest wait for the supervisor to notice that the instance which refused or closed a connection has
/// exited.
const EXIT_NOTICE_TIMEOUT: Duration = Duration::from_secs(1);

/// Header fields that llama-server accepts: it closes the connection of a request with more (llama.cpp b11434,
/// vendor/cpp-httplib/httplib.h, `CPPHTTPLIB_HEADER_MAX_COUNT`).
const MAX_CHILD_FIELDS: usize = 100;

/// No byte of a response came, and the child is not known to have exited.
const UNANSWERED: ProxyError = ProxyError::UpstreamClosed("before it answered");

/// Passes one request to the model and its response back.
pub(super) async fn run(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
) -> NextStep {
    client.record.set_model(model.id);
    client.status.set_model(model.id);
    edit_head(worker, client, request);
    // Boxed: most requests arrive whole with their heads.
    let buffered = if request.body.is_complete() {
        Ok(())
    } else {
        Box::pin(body_reader::read_before_lease(
            worker, client, request, model,
        ))
        .await
    };
    let admitted = match buffered {
        Ok(()) => acquire_connection(worker, client, request, model, false).await,
        Err(denied) => Err(denied),
    };
    let (lease, connection) = match admitted {
        Ok(admitted) => admitted,
        Err(ExchangeError::ClientGone) => {
            client.record.finish_client_left();
            request.release_buffers(worker);
            return NextStep::Drop;
        }
        Err(ExchangeError::Refused(error)) => {
            return Box::pin(local_reply::send_error(worker, client, request, &error)).await;
        }
    };
    let reused = connection.reused;
    let mut lease = Some(lease);
    let end = Relay::new(worker, client, request, model, connection, &mut lease)
        .run()
        .await;
    let end = match end {
        RelayOutcome::Unanswered { repeatable: true } if reused => {
            Box::pin(retry(worker, client, request, model, &mut lease)).await
        }
        end => end,
    };
    let end = match end {
        RelayOutcome::Unanswered { .. } => {
            Box::pin(fail_unanswered(worker, client, model, lease.take())).await
        }
        end => end,
    };
    drop(lease);
    finish(worker, client, request, end).await
}

/// Repeats a request whose reused connection ended before any byte of the response: the child closes idle
/// connections, which can cross with a request. If the child has exited, the request queues for the next
/// child. A request that crashes children thus reaches two of them at most.
async fn retry(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
    lease: &mut Option<Lease>,
) -> RelayOutcome {
    let endpoint = lease.as_ref().and_then(|lease| endpoint_for(model, lease));
    if let Some(endpoint) = endpoint
        && let Ok(connection) = UpstreamPool::connect(model.id, &endpoint).await
    {
        let end = Relay::new(worker, client, request, model, connection, lease)
            .run()
            .await;
        if !matches!(end, RelayOutcome::Unanswered { repeatable: true }) {
            return end;
        }
        // The kernel closes a dying child's connections before its listening socket, which still accepts for a
        // moment.
        match find_exit(worker, client, model, lease.take()).await {
            Ok(Some(_)) => {}
            Ok(None) => return RelayOutcome::Failed(UNANSWERED),
            Err(denied) => return denied.into(),
        }
    }
    *lease = None;
    match acquire_connection(worker, client, request, model, true).await {
        Ok((next, connection)) => {
            *lease = Some(next);
            Relay::new(worker, client, request, model, connection, lease)
                .run()
                .await
        }
        Err(denied) => denied.into(),
    }
}

/// Waits for the child's exit and returns the cause: an exiting child closes its connections a moment before
/// the supervisor notices. None if the child has not exited in time.
async fn find_exit(
    worker: &Worker,
    client: &mut Client,
    model: &Model,
    lease: Option<Lease>,
) -> Result<Option<Arc<str>>, ExchangeError> {
    let Some(generation) = lease.map(|lease| lease.generation) else {
        return Ok(None);
    };
    let exit = timeout(EXIT_NOTICE_TIMEOUT, model.wait_for_exit(generation));
    Ok(wait_with_client(worker, client, exit)
        .await?
        .unwrap_or(None))
}

/// Returns the error for a request that got no byte of a response.
async fn fail_unanswered(
    worker: &Worker,
    client: &mut Client,
    model: &Model,
    lease: Option<Lease>,
) -> RelayOutcome {
    match find_exit(worker, client, model, lease).await {
        Ok(Some(cause)) => RelayOutcome::Failed(ProxyError::UpstreamExited(cause)),
        Ok(None) => RelayOutcome::Failed(UNANSWERED),
        Err(denied) => denied.into(),
    }
}

async fn finish(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    end: RelayOutcome,
) -> NextStep {
    match end {
        RelayOutcome::Answered { after } => {
            client.record.finish(client.timer.last_progress());
            request.release_buffers(worker);
            after
        }
        // [`run`] has replaced this outcome by one with a cause.
        RelayOutcome::Unanswered { .. } => {
            Box::pin(local_reply::send_error(
                worker,
                client,
                request,
                &UNANSWERED,
            ))
            .await
        }
        RelayOutcome::Failed(error) => {
            Box::pin(local_reply::send_error(worker, client, request, &error)).await
        }
        RelayOutcome::Broken { after } => {
            client.record.finish_broken();
            request.release_buffers(worker);
            after
        }
        RelayOutcome::ClientGone => {
            client.record.finish_client_left();
            request.release_buffers(worker);
            NextStep::Drop
        }
    }
}

/// Applies the edits of the head, and adds paddock's own fields.
fn edit_head(worker: &Worker, client: &Client, request: &mut Request) {
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

/// Acquires a lease and a connection to its instance. An instance that refuses the connection has just died:
/// its gate is about to shut, and the request queues for the next one. `fresh` requires a connection that has
/// served no request.
async fn acquire_connection(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
    fresh: bool,
) -> Result<(Lease, UpstreamConnection), ExchangeError> {
    let mut refused = None;
    for _ in 0..MAX_CONNECT_ATTEMPTS {
        let lease = acquire_lease(worker, client, request, model).await?;
        // A partly buffered or unfinished body can be sent only once, so its request needs a connection that
        // the child is not about to close.
        let idle = |repeatable| {
            worker.upstreams.take(
                model.id,
                lease.generation,
                repeatable,
                client.timer.now(),
                &worker.pool,
            )
        };
        if !fresh && let Some(connection) = idle(request.is_repeatable()) {
            return Ok((lease, connection));
        }
        let mut endpoint_changes = model.endpoint.subscribe();
        if let Some(endpoint) = endpoint_for(model, &lease) {
            match UpstreamPool::connect(model.id, &endpoint).await {
                Ok(connection) => return Ok((lease, connection)),
                Err(error) => refused = Some(error.to_string()),
            }
        }
        if !fresh && let Some(connection) = idle(true) {
            return Ok((lease, connection));
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
        let _ = wait_with_client(worker, client, timeout(EXIT_NOTICE_TIMEOUT, is_gone)).await?;
    }
    let why = refused.unwrap_or_else(|| "it is being restarted".to_owned());
    Err(ExchangeError::Refused(ProxyError::UpstreamUnreachable(why)))
}

async fn acquire_lease(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
) -> Result<Lease, ExchangeError> {
    if worker.phase() != ServicePhase::Serving {
        return Err(ExchangeError::Refused(ProxyError::ShuttingDown));
    }
    if request.is_observation {
        return acquire_without_use(worker, client, model).await;
    }
    let takes_slot = occupies_slot(request);
    let lease = match model.try_acquire() {
        Some(lease) => Ok(lease),
        None => wait_in_queue(worker, client, request, model, takes_slot).await,
    };
    let mut lease = lease?;
    if takes_slot && let Some(ticket) = lease.take_slot() {
        client.status.set_slot_ticket(ticket.clone());
        client.record.queue_for_slot(ticket);
    }
    Ok(lease)
}

/// Acquires a lease that does not count as use of the model.
async fn acquire_without_use(
    worker: &Worker,
    client: &mut Client,
    model: &Arc<Model>,
) -> Result<Lease, ExchangeError> {
    if let Some(lease) = model.try_acquire() {
        return Ok(lease.without_use());
    }
    let observed = worker.context.admission.observe(model.id);
    wait_with_client(worker, client, observed)
        .await?
        .map_err(ExchangeError::Refused)
}

/// Waits in the queue for a lease.
async fn wait_in_queue(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
    takes_slot: bool,
) -> Result<Lease, ExchangeError> {
    let lease_request = lease_request(client, request, model, takes_slot);
    let began = Instant::now();
    client.status.set_stage(RequestStage::Queued);
    let queued = worker.context.admission.acquire(lease_request);
    let granted = if model.limits.loading_heartbeat {
        Box::pin(heartbeat::wait(worker, client, request, model, queued)).await
    } else {
        wait_with_client(worker, client, queued).await
    };
    client.status.set_stage(RequestStage::Waiting);
    let load = match &granted {
        Ok(Ok(granted)) => Some(granted.load),
        _ => None,
    };
    client.record.add_lease_wait(began.elapsed(), load);
    granted?
        .map(|granted| granted.lease)
        .map_err(ExchangeError::Refused)
}

fn endpoint_for(model: &Model, lease: &Lease) -> Option<Endpoint> {
    let newest = model.endpoint.borrow();
    newest
        .as_ref()
        .filter(|endpoint| endpoint.generation == lease.generation)
        .cloned()
}
