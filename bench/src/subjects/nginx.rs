//! nginx, set up for this work as well as it can be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use super::place::{Place, free_port};
use super::{Name, Subject};
use crate::process::Process;
use crate::say;
use crate::usage::Processes;

/// Where Debian puts it, which is not on everybody's search path.
const DEBIAN: &str = "/usr/sbin/nginx";

/// Its workers.
const WORKERS: usize = 2;

/// The program; installed if it is missing and can be.
pub(super) fn find() -> Result<PathBuf> {
    let names = ["nginx", DEBIAN];
    let works = |name: &&str| Command::new(name).arg("-v").output().is_ok();
    if let Some(name) = names.into_iter().find(works) {
        return Ok(name.into());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("there is no nginx to compare with: apt-get install nginx-light");
    }
    say::progress("installing nginx-light");
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends", "nginx-light"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    let done = install.output().context("apt-get")?;
    if !done.status.success() {
        bail!("apt-get: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(DEBIAN.into())
}

pub(super) fn version(program: &Path) -> Result<String> {
    let said = Command::new(program).arg("-v").output()?.stderr;
    let said = String::from_utf8_lossy(&said);
    let version = said.trim().rsplit('/').next().unwrap_or_default();
    Ok(version.to_owned())
}

/// Starts it in front of a child of its own.
pub(super) async fn start(place: &Place, program: &Path) -> Result<Subject> {
    let socket = place.fresh("child.sock");
    let mut child = place.command(&place.child());
    child.arg("--host").arg(&socket);
    let child = Process::start(&mut child, &place.fresh("child.log"))?;

    let prefix = place.fresh("nginx");
    fs::create_dir(&prefix)?;
    let port = free_port()?;
    fs::write(prefix.join("nginx.conf"), config(&socket, port))?;
    let mut command = place.command(program);
    command
        .arg("-p")
        .arg(&prefix)
        .args(["-c", "nginx.conf", "-e", "error.log"]);
    let nginx = Process::start(&mut command, &place.fresh("nginx.log"))?;

    let mut subject = Subject {
        name: Name::Nginx,
        address: ([127, 0, 0, 1], port).into(),
        proxy: None,
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

fn config(socket: &Path, port: u16) -> String {
    let socket = socket.display();
    // The sockets lie in a directory of this user's own.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};"))
        .join(" ");
    format!(
        "daemon off; {user} worker_processes {WORKERS}; pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off; {temp}
    client_max_body_size 0; tcp_nodelay on;
    keepalive_timeout 1h; keepalive_requests 1000000000;
    upstream child {{
        server unix:{socket};
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
