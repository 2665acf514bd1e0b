//! Mounts a [`ForwardProxy`] in a router of its own and serves it.
//!
//! ```console
//! $ cargo run --example forward_proxy -- 127.0.0.1:8080 http://127.0.0.1:11436
//! ```

use axum::Router;
use axum::routing::get;
use paddock_proxy::{ForwardProxy, Upstream};
use std::env;
use std::error::Error;
use std::io::{self, Write as _, stdout};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, upstream] = arguments.as_slice() else {
        return Err("usage: forward_proxy ADDRESS UPSTREAM".into());
    };
    let upstream: Upstream = upstream.parse()?;
    let listener = TcpListener::bind(address).await?;
    writeln!(stdout(), "listening on {}", listener.local_addr()?)?;
    Ok(serve(listener, upstream).await?)
}

/// Answers `GET /hello` itself and forwards all other requests.
pub(crate) async fn serve(listener: TcpListener, upstream: Upstream) -> io::Result<()> {
    let routes = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .fallback_service(ForwardProxy::new(upstream));
    axum::serve(listener, routes).await
}
