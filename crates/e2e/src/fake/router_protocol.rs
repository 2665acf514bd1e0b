//! Speaks the protocol between a llama-server and the router that started it: a llama-server in
//! router mode, or paddock, which uses the same protocol.
//!
//! With `LLAMA_SERVER_ROUTER_PORT` in its environment the server reports its state on stdout and,
//! after the load, reads commands from stdin: an exit line stops it, end of file ends it with 1.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::server::Server;
use super::server_info;
use super::{exit, log_lines};

/// Returns true if a router started this process.
pub(super) fn has_router(server: &Server) -> bool {
    std::env::var_os("LLAMA_SERVER_ROUTER_PORT").is_some() && !server.args.no_event
}

/// Reports the progress of the load, from 0 to 1.
pub(super) fn loading(server: &Server, value: f64) {
    if has_router(server) {
        let stages = r#""stages":["text_model"],"current":"text_model""#;
        tell("loading", &format!(r#"{{{stages},"value":{value:?}}}"#));
    }
}

/// Reports that the model is loaded, with its description.
pub(super) fn ready(server: &Server) {
    if has_router(server) {
        tell("ready", &server_info::model(server));
    }
}

/// Writes a state line to stdout.
fn tell(state: &str, payload: &str) {
    let line =
        format!("cmd_child_to_router:state:{{\"state\":\"{state}\",\"payload\":{payload}}}\n");
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Reads commands from stdin on a thread that ends with the exit line.
pub(super) fn obey_stdin(server: &Arc<Server>) -> JoinHandle<()> {
    let server = Arc::clone(server);
    thread::spawn(move || {
        let say = |words| log_lines::server('I', "operator()", words);
        say("child server monitoring thread started, waiting for EOF on stdin...");
        for line in io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { break };
            if String::from_utf8_lossy(&line).contains("cmd_router_to_child:exit") {
                say("exit command received, exiting...");
                server.stop();
                return;
            }
        }
        say("EOF on stdin detected, forcing shutdown...");
        exit::leave(1);
    })
}
