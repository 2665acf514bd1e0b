//! Handles SIGTERM and SIGINT as the real server does once the model is loaded.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::server::Server;
use super::{exit, log_lines};

/// Ignores SIGTERM from now on.
pub(super) fn ignore_term() -> io::Result<()> {
    signal_hook::flag::register(SIGTERM, Arc::new(AtomicBool::new(false))).map(drop)
}

/// The first signal stops the server, the second ends the process.
///
/// Before this call signals have their default action, which ends the process.
pub(super) fn handle(server: &Arc<Server>) -> io::Result<()> {
    let mut handled = vec![SIGINT];
    if !server.args.ignore_term {
        handled.push(SIGTERM);
    }
    let mut signals = Signals::new(handled)?;
    let server = Arc::clone(server);
    thread::spawn(move || {
        let mut coming = signals.forever();
        coming.next();
        server.stop();
        coming.next();
        log_lines::raw("Received second interrupt, terminating immediately.");
        exit::leave(1);
    });
    Ok(())
}
