//! nginx, set up for this work as well as it can be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::sleep;

use super::place::{Place, free_port};
use super::{Name, Subject, debian};
use crate::process::Process;
use crate::usage::Processes;

/// Its workers.
const WORKERS: usize = 2;

/// What makes a byte pump of it, as Debian packages it.
const STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// The program; installed if it is missing and can be.
pub(super) fn find() -> Result<PathBuf> {
    debian::program("nginx", "nginx-light")
}

pub(super) fn version(program: &Path) -> Result<String> {
    let said = Command::new(program).arg("-v").output()?.stderr;
    let said = String::from_utf8_lossy(&said);
    let version = said.trim().rsplit('/').next().unwrap_or_default();
    Ok(version.to_owned())
}

/// Starts it in front of a child of its own.
pub(super) async fn start(place: &Place, program: &Path, name: Name) -> Result<Subject> {
    let mut child = place.command(&place.child());
    let upstream = if name == Name::Nginx {
        let port = free_port()?;
        child.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        format!("127.0.0.1:{port}")
    } else {
        let socket = place.fresh("child.sock");
        child.arg("--host").arg(&socket);
        format!("unix:{}", socket.display())
    };
    let child = Process::start(&mut child, &place.fresh("child.log"))?;

    let prefix = place.fresh("nginx");
    fs::create_dir(&prefix)?;
    let port = free_port()?;
    let config = match name {
        Name::Pump => pump(&upstream, port)?,
        _ => proxy(&upstream, port),
    };
    fs::write(prefix.join("nginx.conf"), config)?;
    let mut command = place.command(program);
    command
        .arg("-p")
        .arg(&prefix)
        .args(["-c", "nginx.conf", "-e", "error.log"]);
    let nginx = Process::start(&mut command, &place.fresh("nginx.log"))?;

    let mut subject = Subject {
        name,
        address: ([127, 0, 0, 1], port).into(),
        proxy: None,
        before_end: None,
        running: vec![nginx, child],
    };
    // The master listens before its workers are there.
    subject.connect().await?;
    for _ in 0..100 {
        let family = Processes::family(subject.running[0].id())?;
        if family.0.len() > WORKERS {
            subject.proxy = Some(family);
            return Ok(subject);
        }
        sleep(Duration::from_millis(10)).await;
    }
    bail!("nginx has no workers");
}

/// What both have in common.
fn base() -> String {
    // The sockets lie in a directory of this user's own.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        "daemon off; {user} worker_processes {WORKERS}; pid nginx.pid;
events {{ worker_connections 4096; }}
"
    )
}

/// Passes bytes on and reads none: a connection to the child for each of a client.
fn pump(upstream: &str, port: u16) -> Result<String> {
    let module = debian::file(STREAM, "libnginx-mod-stream")?.display();
    let base = base();
    Ok(format!(
        "load_module {module};
{base}stream {{
    server {{
        listen 127.0.0.1:{port} reuseport;
        tcp_nodelay on; proxy_timeout 1h;
        proxy_pass {upstream};
    }}
}}
"
    ))
}

fn proxy(upstream: &str, port: u16) -> String {
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};"))
        .join(" ");
    let base = base();
    format!(
        "{base}http {{
    access_log off; {temp}
    client_max_body_size 0; tcp_nodelay on;
    keepalive_timeout 1h; keepalive_requests 1000000000;
    upstream child {{
        server {upstream};
        keepalive 64; keepalive_timeout 1h; keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport;
        location / {{
            proxy_pass http://child;
            proxy_http_version 1.1; proxy_set_header Connection \"\";
            proxy_buffering off; proxy_request_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"
    )
}
