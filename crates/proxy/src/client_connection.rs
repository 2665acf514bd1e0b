//! Serves the requests of one client's connection and decides how each is answered.

use super::client::{Client, NextStep};
use super::exchange::ExchangeError;
use super::model_in_body::BodyModel;
use super::request::{HeadOutcome, Request, read_request};
use super::route::RouteTarget;
use super::stream::Stream;
use super::worker::Worker;
use super::{
    authentication, cors, exchange, lingering_close, local_reply, model_in_body, own_routes,
    preflight, stream_access,
};
use paddock_admission::error::ProxyError;
use paddock_admission::model::Model;
use paddock_telemetry as telemetry;
use paddock_wire::ModelScan;
use std::rc::Rc;
use std::sync::Arc;

/// Serves a client's requests, one after the other, until either side closes.
/// `is_in_process`: the connection was made in this process, on behalf of an operator.
pub(super) async fn serve(worker: Rc<Worker>, stream: Stream, is_in_process: bool) {
    let mut client = Client::new(&worker, stream, is_in_process);
    worker.register(&client.status);
    loop {
        // Matched by reference: a move would reserve room for the request in this future twice.
        let after = match &mut read_request(&worker, &mut client).await {
            HeadOutcome::Request(request) => answer(&worker, &mut client, request).await,
            HeadOutcome::Closed => NextStep::Drop,
            HeadOutcome::Refused(error) => {
                local_reply::refuse_malformed(&worker, &mut client, error).await
            }
        };
        client.status.end(client.timer.now());
        match after {
            NextStep::KeepOpen => {}
            NextStep::Linger => return lingering_close::close(&worker, &mut client).await,
            NextStep::Drop => return,
        }
    }
}

/// Answers one request. Rare paths are boxed: their state would enlarge every connection's future.
async fn answer(worker: &Worker, client: &mut Client, request: &mut Request) -> NextStep {
    let path = request.head.path(request.buffer.bytes());
    let (first, asks) = (
        client.timer.last_progress(),
        telemetry::Route::from_path(path),
    );
    client.record.begin(first, asks, &client.id_line);
    let head = &request.buffer.bytes()[..request.head_len];
    client.record.start_trace(head);
    client.status.set_route(first, asks);
    client.record.set_body_bytes(request.body.data_bytes());
    if let Err(error) = cors::check_origin(worker, client, request) {
        return Box::pin(local_reply::send_error(worker, client, request, &error)).await;
    }
    let limit = worker.context.body_limit;
    if request.is_larger_than(limit) {
        let error = ProxyError::BodyTooLarge { limit };
        return Box::pin(local_reply::send_error(worker, client, request, &error)).await;
    }
    // Without routes of its own, paddock leaves the preflight to the wrapped command.
    if cors::is_preflight(request) && worker.can_answer_preflights() {
        return Box::pin(preflight::answer(worker, client, request)).await;
    }
    let routed = authentication::authenticate_and_route(worker, client, request);
    match routed {
        Ok(RouteTarget::Model(model)) => forward(worker, client, request, &model).await,
        Ok(RouteTarget::NamedInBody) => {
            match model_in_body::find_in_first_piece(worker, client, request) {
                Ok(BodyModel::Known(model)) => forward(worker, client, request, &model).await,
                Ok(BodyModel::Unknown(scan)) => {
                    Box::pin(search(worker, client, request, scan)).await
                }
                Err(error) => {
                    Box::pin(local_reply::send_error(worker, client, request, &error)).await
                }
            }
        }
        Ok(RouteTarget::OwnRoutes(router)) => {
            Box::pin(own_routes::serve(worker, client, request, router.clone())).await
        }
        Err(error) => Box::pin(local_reply::send_error(worker, client, request, &error)).await,
    }
}

/// Forwards a request whose model is named in the part of the body that has not come yet.
async fn search(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    scan: Box<ModelScan>,
) -> NextStep {
    match model_in_body::find_in_rest(worker, client, request, scan).await {
        Ok(model) => forward(worker, client, request, &model).await,
        Err(denied) => deny(worker, client, request, denied).await,
    }
}

/// Forwards a request to its model, if its key may use the streams it asks for.
async fn forward(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
) -> NextStep {
    if let Some(wants) = client.record.take_stream_use() {
        let admitted = Box::pin(stream_access::check(worker, client, request, model, wants)).await;
        if let Err(denied) = admitted {
            return Box::pin(deny(worker, client, request, denied)).await;
        }
    }
    exchange::run(worker, client, request, model).await
}

/// Ends a request that cannot be forwarded.
async fn deny(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    denied: ExchangeError,
) -> NextStep {
    match denied {
        ExchangeError::ClientGone => {
            client.record.finish_client_left();
            request.release_buffers(worker);
            NextStep::Drop
        }
        ExchangeError::Refused(error) => {
            local_reply::send_error(worker, client, request, &error).await
        }
    }
}
