use super::client::{After, Client};
use super::exchange::Denied;
use super::named::Named;
use super::request::{Next, Request, next};
use super::route::Route;
use super::stream::Stream;
use super::worker::Worker;
use super::{exchange, key, linger, named, origin, own, preflight, reply, streams};
use paddock_admission::error::ProxyError;
use paddock_admission::model::Model;
use paddock_telemetry as telemetry;
use paddock_wire::ModelScan;
use std::rc::Rc;
use std::sync::Arc;

/// Serves a client's requests, one after the other, until either side has had enough.
/// `inside`: the connection was made in this process, on behalf of an operator.
pub(super) async fn serve(worker: Rc<Worker>, stream: Stream, inside: bool) {
    let mut client = Client::new(&worker, stream, inside);
    worker.register(&client.card);
    loop {
        // By reference: moved, it would take its room in the connection's state twice.
        let after = match &mut next(&worker, &mut client).await {
            Next::Request(request) => answer(&worker, &mut client, request).await,
            Next::Closed => After::Drop,
            Next::Refused(error) => reply::refuse(&worker, &mut client, error).await,
        };
        client.card.end(client.watchdog.now());
        match after {
            After::Next => {}
            After::Linger => return linger::close(&worker, &mut client).await,
            After::Drop => return,
        }
    }
}

/// The rare ways are boxed: their state would make every connection's larger.
async fn answer(worker: &Worker, client: &mut Client, request: &mut Request) -> After {
    let path = request.head.path(request.buffer.bytes());
    let (first, asks) = (client.watchdog.last(), telemetry::Route::from_path(path));
    client.record.begin(first, asks, &client.id_line);
    let head = &request.buffer.bytes()[..request.head_len];
    client.record.start_trace(head);
    client.card.asks(first, asks);
    client.record.set_body_bytes(request.body.data_bytes());
    if let Err(error) = origin::admit(worker, client, request) {
        return Box::pin(reply::instead(worker, client, request, &error)).await;
    }
    let limit = worker.site.body_limit;
    if request.is_larger_than(limit) {
        let error = ProxyError::BodyTooLarge { limit };
        return Box::pin(reply::instead(worker, client, request, &error)).await;
    }
    // Where a wrapped command is all there is, the preflight is its own to answer.
    if origin::is_preflight(request) && worker.answers_preflights() {
        return Box::pin(preflight::answer(worker, client, request)).await;
    }
    let routed = key::route(worker, client, request);
    match routed {
        Ok(Route::Upstream(model)) => forward(worker, client, request, &model).await,
        Ok(Route::Body) => match named::at_hand(worker, client, request) {
            Ok(Named::Model(model)) => forward(worker, client, request, &model).await,
            Ok(Named::Further(scan)) => Box::pin(search(worker, client, request, scan)).await,
            Err(error) => Box::pin(reply::instead(worker, client, request, &error)).await,
        },
        Ok(Route::Own(router)) => {
            Box::pin(own::answer(worker, client, request, router.clone())).await
        }
        Err(error) => Box::pin(reply::instead(worker, client, request, &error)).await,
    }
}

/// The model's name is further on in the body.
async fn search(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    scan: Box<ModelScan>,
) -> After {
    match named::find(worker, client, request, scan).await {
        Ok(model) => forward(worker, client, request, &model).await,
        Err(denied) => deny(worker, client, request, denied).await,
    }
}

/// Passes a request to its model, if what it wants of streams is its own.
async fn forward(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Arc<Model>,
) -> After {
    if let Some(wants) = client.record.take_stream_use() {
        let admitted = Box::pin(streams::admit(worker, client, request, model, wants)).await;
        if let Err(denied) = admitted {
            return Box::pin(deny(worker, client, request, denied)).await;
        }
    }
    exchange::pass(worker, client, request, model).await
}

/// Ends a request that does not get to its model.
async fn deny(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    denied: Denied,
) -> After {
    match denied {
        Denied::ClientGone => {
            client.record.finish_client_left();
            request.give_back(worker);
            After::Drop
        }
        Denied::Error(error) => reply::instead(worker, client, request, &error).await,
    }
}
