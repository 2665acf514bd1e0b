//! Serves the requests of one client's connection and decides how each is answered.

use super::client::{Client, NextStep};
use super::exchange::Exchange;
use super::model_in_body::BodyModel;
use super::request::{HeadOutcome, read_request};
use super::route::RouteTarget;
use super::stream::Stream;
use super::worker::Worker;
use super::{
    authentication, cors, lingering_close, local_reply, model_in_body, own_routes, preflight,
    stream_access,
};
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
            HeadOutcome::Request(request) => {
                let mut exchange = Exchange {
                    worker: &worker,
                    client: &mut client,
                    request,
                    lease: None,
                };
                answer(&mut exchange).await
            }
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
async fn answer(exchange: &mut Exchange<'_>) -> NextStep {
    begin(exchange);
    let checked = cors::check_origin(exchange).and_then(|()| {
        exchange
            .request
            .check_size(exchange.worker.context.body_limit)
    });
    if let Err(error) = checked {
        return Box::pin(local_reply::send_error(exchange, &error)).await;
    }
    // Without routes of its own, paddock leaves the preflight to the wrapped command.
    if cors::is_preflight(exchange.request) && exchange.worker.can_answer_preflights() {
        return Box::pin(preflight::answer(exchange)).await;
    }
    let error = match authentication::authenticate_and_route(exchange) {
        Ok(RouteTarget::Model(model)) => return forward(exchange, &model).await,
        Ok(RouteTarget::OwnRoutes(routes)) => {
            return Box::pin(own_routes::serve(exchange, routes.clone())).await;
        }
        Ok(RouteTarget::NamedInBody) => match model_in_body::find_in_first_piece(exchange) {
            Ok(BodyModel::Known(model)) => return forward(exchange, &model).await,
            Ok(BodyModel::Unknown(scan)) => return Box::pin(search(exchange, scan)).await,
            Err(error) => error,
        },
        Err(error) => error,
    };
    Box::pin(local_reply::send_error(exchange, &error)).await
}

/// Begins the request's record and trace.
fn begin(exchange: &mut Exchange<'_>) {
    let Exchange {
        client, request, ..
    } = exchange;
    let route = telemetry::Route::from_path(request.head.path(request.buffer.bytes()));
    let first = client.timer.last_progress();
    client.record.begin(first, route, &client.id_line);
    let head = &request.buffer.bytes()[..request.head_len];
    client.record.start_trace(head);
    client.status.set_route(first, route);
    client.record.set_body_bytes(request.body.data_bytes());
}

/// Forwards a request whose model is named in the part of the body that has not come yet.
async fn search(exchange: &mut Exchange<'_>, scan: Box<ModelScan>) -> NextStep {
    match model_in_body::find_in_rest(exchange, scan).await {
        Ok(model) => forward(exchange, &model).await,
        Err(denied) => exchange.deny(denied).await,
    }
}

/// Forwards a request to its model, if its key may use the streams it asks for.
async fn forward(exchange: &mut Exchange<'_>, model: &Arc<Model>) -> NextStep {
    if let Some(wants) = exchange.client.record.take_stream_use() {
        let admitted = Box::pin(stream_access::check(exchange, model, wants)).await;
        if let Err(denied) = admitted {
            return Box::pin(exchange.deny(denied)).await;
        }
    }
    exchange.run(model).await
}
