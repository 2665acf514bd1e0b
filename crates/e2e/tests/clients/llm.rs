//! The command `llm`: with its plug-in for llama-server, which knows one address, and with a file
//! that names models and where they are.

use crate::support::{client, one, run, two};
use paddock_e2e::harness::Paddock;
use paddock_e2e::harness::real::clients;
use std::process::Command;

/// Makes a network of its own have an address of its own, and becomes the command that follows.
const LOOPBACK: &str = "\
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 1))  # SIOCSIFFLAGS, IFF_UP
os.execv(sys.argv[1], sys.argv[1:])";

/// Starts paddock at its default address, in a network of its own: here somebody else may have it.
fn at_the_default_address() -> Paddock {
    let builder = one().listen(["127.0.0.1:8080"]);
    let admin = builder.directory().join("admin.sock");
    let builder = builder.admin([format!("unix:{}", admin.display())]);
    builder.start_as(|serve| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--net"])
            .arg(clients().join("bin/python"))
            .args(["-c", LOOPBACK])
            .arg(serve.get_program())
            .args(serve.get_args())
            .current_dir(serve.get_current_dir().expect("a directory"))
            .env_clear()
            .envs(
                serve
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        command
    })
}

#[test]
fn with_its_plug_in_for_llama_server() {
    let paddock = at_the_default_address();
    let mut inside = Command::new("nsenter");
    inside.args(["--user", "--net", "--preserve-credentials", "--target"]);
    inside.arg(paddock.id().to_string());
    inside.arg(client("python").get_program());
    run(inside, "llm_plug_in.py", &paddock);
}

#[test]
fn with_a_file_of_models() {
    run(client("python"), "llm_models.py", &two());
}
