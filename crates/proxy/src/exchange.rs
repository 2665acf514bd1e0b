use super::at_hand::Stage;
use super::buffering;
use super::client::{After, Client};
use super::end::End;
use super::heartbeat;
use super::relay::Relay;
use super::reply;
use super::request::Request;
use super::upstreams::{Connection, Upstreams};
use super::waits::{lease_request, occupies_slot};
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::model::{Endpoint, Lease, Model};
use paddock_admission::phase::ServicePhase;
use paddock_wire::HeadEdits;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How often a request looks for an instance that takes its connection.
const TRIES: usize = 3;

/// Longest wait for the news that the instance which refused or closed a connection is gone.
const NEWS: Duration = Duration::from_secs(1);

/// The most header fields of a request that llama-server takes: it closes the connection of a longer one
/// (llama.cpp b11434, vendor/cpp-httplib/httplib.h, `CPPHTTPLIB_HEADER_MAX_COUNT`).
const MAX_CHILD_FIELDS: usize = 100;

/// No byte of an answer came, and the child has not exited as far as is known.
const UNANSWERED: ProxyError = ProxyError::UpstreamClosed("before it answered");

/// Passes one request to the model and its answer back.
pub(super) async fn pass(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
) -> After {
    client.record.set_model(model.id);
    client.card.for_model(model.id);
    edit_head(worker, client, request);
    // Boxed, since most requests have come whole with their heads.
    let buffered = if request.body.is_complete() {
        Ok(())
    } else {
        Box::pin(buffering::buffer(worker, client, request, model)).await
    };
    let admitted = match buffered {
        Ok(()) => admit(worker, client, request, model, false).await,
        Err(denied) => Err(denied),
    };
    let (lease, connection) = match admitted {
        Ok(admitted) => admitted,
        Err(Denied::ClientGone) => {
            client.record.finish_client_left();
            request.give_back(worker);
            return After::Drop;
        }
        Err(Denied::Error(error)) => {
            return Box::pin(reply::instead(worker, client, request, &error)).await;
        }
    };
    let reused = connection.reused;
    let mut lease = Some(lease);
    let end = Relay::new(worker, client, request, model, connection, &mut lease)
        .run()
        .await;
    let end = match end {
        End::Unanswered { repeatable: true } if reused => {
            Box::pin(once_more(worker, client, request, model, &mut lease)).await
        }
        end => end,
    };
    let end = match end {
        End::Unanswered { .. } => Box::pin(name_exit(worker, client, model, lease.take())).await,
        end => end,
    };
    drop(lease);
    conclude(worker, client, request, end).await
}

/// Repeats a request whose reused connection ended before anything of the answer came: the child closes idle
/// connections, and that can cross with a request on its way. If the child has exited instead, the request
/// queues for the next child. Whatever the request does to a child, it reaches two of them at most.
async fn once_more(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
    lease: &mut Option<Lease>,
) -> End {
    let endpoint = lease.as_ref().and_then(|lease| endpoint_of(model, lease));
    if let Some(endpoint) = endpoint
        && let Ok(connection) = Upstreams::connect(model.id, &endpoint).await
    {
        let end = Relay::new(worker, client, request, model, connection, lease)
            .run()
            .await;
        if !matches!(end, End::Unanswered { repeatable: true }) {
            return end;
        }
        // The kernel closes a dying child's connections before its listening socket, which accepts for
        // another moment.
        match find_exit(worker, client, model, lease.take()).await {
            Ok(Some(_)) => {}
            Ok(None) => return End::Failed(UNANSWERED),
            Err(denied) => return denied.into(),
        }
    }
    *lease = None;
    match admit(worker, client, request, model, true).await {
        Ok((next, connection)) => {
            *lease = Some(next);
            Relay::new(worker, client, request, model, connection, lease)
                .run()
                .await
        }
        Err(denied) => denied.into(),
    }
}

/// Finds out if the child has exited, and why: one that exits closes its connections a moment before the
/// supervisor knows.
async fn find_exit(
    worker: &Worker,
    client: &mut Client,
    model: &Model,
    lease: Option<Lease>,
) -> Result<Option<Arc<str>>, Denied> {
    let Some(generation) = lease.map(|lease| lease.generation) else {
        return Ok(None);
    };
    let exit = timeout(NEWS, model.exited(generation));
    Ok(with_client(worker, client, exit).await?.unwrap_or(None))
}

/// The error for a request of whose answer nothing came.
async fn name_exit(
    worker: &Worker,
    client: &mut Client,
    model: &Model,
    lease: Option<Lease>,
) -> End {
    match find_exit(worker, client, model, lease).await {
        Ok(Some(cause)) => End::Failed(ProxyError::UpstreamExited(cause)),
        Ok(None) => End::Failed(UNANSWERED),
        Err(denied) => denied.into(),
    }
}

async fn conclude(worker: &Worker, client: &mut Client, request: &mut Request, end: End) -> After {
    match end {
        End::Answered { after } => {
            client.record.finish(client.watchdog.last());
            request.give_back(worker);
            after
        }
        // [`pass`] has put a cause in its place.
        End::Unanswered { .. } => {
            Box::pin(reply::instead(worker, client, request, &UNANSWERED)).await
        }
        End::Failed(error) => Box::pin(reply::instead(worker, client, request, &error)).await,
        End::Broken { after } => {
            client.record.finish_broken();
            request.give_back(worker);
            after
        }
        End::ClientGone => {
            client.record.finish_client_left();
            request.give_back(worker);
            After::Drop
        }
    }
}

/// Makes the head what the upstream is to see.
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
        leave_out_what_has_no_room(&request.head.edits, head, &mut additions);
    }
    request.head.edits.render(head, &additions, &mut edited);
    request.buffer.replace_head(request.head_len, &edited);
    request.head_len = edited.len();
}

/// Empties the last of `additions` where the child would refuse the head for their sake.
#[cold]
fn leave_out_what_has_no_room(edits: &HeadEdits, head: &[u8], additions: &mut [&[u8]]) {
    let lines = |bytes: &[u8]| bytes.split_inclusive(|byte| *byte == b'\n').count();
    let mut bare = Vec::new();
    edits.render(head, &[], &mut bare);
    // The request line and the empty line are no fields.
    let mut fields = lines(&bare).saturating_sub(2);
    for addition in additions {
        fields += lines(addition);
        if fields > MAX_CHILD_FIELDS {
            fields -= lines(addition);
            *addition = b"";
        }
    }
}

/// Why a request does not get to the model.
pub(super) enum Denied {
    Error(ProxyError),
    ClientGone,
}

impl From<Denied> for End {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Error(error) => Self::Failed(error),
            Denied::ClientGone => Self::ClientGone,
        }
    }
}

/// A lease and a connection to go with it. An instance that refuses the connection has just
/// died: its gate is about to shut, and the request queues for the next one. With `fresh` the connection has
/// served no request before.
async fn admit(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
    fresh: bool,
) -> Result<(Lease, Connection), Denied> {
    let mut refused = None;
    for _ in 0..TRIES {
        let lease = lease(worker, client, request, model).await?;
        // What is held of a body is sent once: it goes, if it can, where nothing crosses with it. So
        // does a body of which more is to come.
        let idle = |repeatable| {
            worker.upstreams.take(
                model.id,
                lease.generation,
                repeatable,
                client.watchdog.now(),
                &worker.pool,
            )
        };
        if !fresh && let Some(connection) = idle(request.is_repeatable()) {
            return Ok((lease, connection));
        }
        let mut news = model.endpoint.subscribe();
        if let Some(endpoint) = endpoint_of(model, &lease) {
            match Upstreams::connect(model.id, &endpoint).await {
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
                _ = news.changed() => {}
                _ = model.exited(generation) => {}
            }
        };
        // The next try finds out, with or without such news.
        let _ = with_client(worker, client, timeout(NEWS, is_gone)).await?;
    }
    let why = refused.unwrap_or_else(|| "it is being restarted".to_owned());
    Err(Denied::Error(ProxyError::UpstreamUnreachable(why)))
}

async fn lease(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
) -> Result<Lease, Denied> {
    if worker.phase() != ServicePhase::Serving {
        return Err(Denied::Error(ProxyError::ShuttingDown));
    }
    if request.observes {
        return observe(worker, client, model).await;
    }
    let takes_slot = occupies_slot(request);
    let lease = match model.try_acquire() {
        Some(lease) => Ok(lease),
        None => queued(worker, client, request, model, takes_slot).await,
    };
    let mut lease = lease?;
    if takes_slot && let Some(ticket) = lease.take_slot() {
        client.card.takes_slot(ticket.clone());
        client.record.queue_for_slot(ticket);
    }
    Ok(lease)
}

/// Takes a lease that is no use of the model.
async fn observe(
    worker: &Worker,
    client: &mut Client,
    model: &Arc<Model>,
) -> Result<Lease, Denied> {
    if let Some(lease) = model.try_acquire() {
        return Ok(lease.without_use());
    }
    let observed = worker.site.admission.observe(model.id);
    with_client(worker, client, observed)
        .await?
        .map_err(Denied::Error)
}

/// Waits in the queue for a lease.
async fn queued(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
    takes_slot: bool,
) -> Result<Lease, Denied> {
    let lease_request = lease_request(client, request, model, takes_slot);
    let began = Instant::now();
    client.card.reaches(Stage::Queued);
    let queued = worker.site.admission.acquire(lease_request);
    let granted = if model.limits.loading_heartbeat {
        Box::pin(heartbeat::wait(worker, client, request, model, queued)).await
    } else {
        with_client(worker, client, queued).await
    };
    client.card.reaches(Stage::Waiting);
    let load = match &granted {
        Ok(Ok(granted)) => Some(granted.load),
        _ => None,
    };
    client.record.add_lease_wait(began.elapsed(), load);
    granted?.map(|granted| granted.lease).map_err(Denied::Error)
}

fn endpoint_of(model: &Model, lease: &Lease) -> Option<Endpoint> {
    let newest = model.endpoint.borrow();
    newest
        .as_ref()
        .filter(|endpoint| endpoint.generation == lease.generation)
        .cloned()
}

/// Waits for something while the client waits too; ends when the client leaves, or the operator
/// ends the request.
async fn with_client<T>(
    worker: &Worker,
    client: &mut Client,
    waiting: impl Future<Output = T>,
) -> Result<T, Denied> {
    let mut waiting = pin!(waiting);
    poll_fn(|cx| poll_with_client(worker, client, waiting.as_mut(), cx)).await
}

/// One look at what is waited for, and at the client.
pub(super) fn poll_with_client<T>(
    worker: &Worker,
    client: &mut Client,
    waiting: Pin<&mut impl Future<Output = T>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Denied>> {
    client.card.watch(cx);
    if client.card.is_cancelled() {
        return Poll::Ready(Err(Denied::Error(ProxyError::Cancelled)));
    }
    if let Poll::Ready(done) = waiting.poll(cx) {
        return Poll::Ready(Ok(done));
    }
    if client.poll_left(worker, cx).is_ready() {
        return Poll::Ready(Err(Denied::ClientGone));
    }
    Poll::Pending
}
