//! nginx, configured as well as possible for this load.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::sleep;

use super::run_dir::{RunDir, free_port};
use super::{Subject, SubjectName, debian_packages};
use crate::process::Process;
use crate::process_usage::Processes;

/// Number of worker processes.
const WORKER_COUNT: usize = 2;

/// Debian's path of the module that turns nginx into a byte pump.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Finds the program, or installs it if possible.
pub(super) fn find() -> Result<PathBuf> {
    debian_packages::find_program("nginx", "nginx-light")
}

pub(super) fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("-v").output()?.stderr;
    let output = String::from_utf8_lossy(&output);
    let version = output.trim().rsplit('/').next().unwrap_or_default();
    Ok(version.to_owned())
}

/// Starts nginx in front of its own child.
pub(super) async fn start(run_dir: &RunDir, program: &Path, name: SubjectName) -> Result<Subject> {
    let mut child = run_dir.command(&run_dir.child());
    let upstream = if name == SubjectName::Nginx {
        let port = free_port()?;
        child.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        format!("127.0.0.1:{port}")
    } else {
        let socket = run_dir.unique_path("child.sock");
        child.arg("--host").arg(&socket);
        format!("unix:{}", socket.display())
    };
    let child = Process::start(&mut child, &run_dir.unique_path("child.log"))?;

    let prefix = run_dir.unique_path("nginx");
    fs::create_dir(&prefix)?;
    let port = free_port()?;
    let config = match name {
        SubjectName::Pump => pump_config(&upstream, port)?,
        _ => proxy_config(&upstream, port),
    };
    fs::write(prefix.join("nginx.conf"), config)?;
    let mut command = run_dir.command(program);
    command
        .arg("-p")
        .arg(&prefix)
        .args(["-c", "nginx.conf", "-e", "error.log"]);
    let nginx = Process::start(&mut command, &run_dir.unique_path("nginx.log"))?;

    let mut subject = Subject {
        name,
        address: ([127, 0, 0, 1], port).into(),
        proxy: None,
        before_end: None,
        running: vec![nginx, child],
    };
    // The master listens before its workers exist.
    subject.connect().await?;
    for _ in 0..100 {
        let family = Processes::family(subject.running[0].id())?;
        if family.0.len() > WORKER_COUNT {
            subject.proxy = Some(family);
            return Ok(subject);
        }
        sleep(Duration::from_millis(10)).await;
    }
    bail!("nginx has no workers");
}

/// Returns the common part of both configurations.
fn base_config() -> String {
    // The sockets are in a directory that only this user may enter.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        "daemon off; {user} worker_processes {WORKER_COUNT}; pid nginx.pid;
events {{ worker_connections 4096; }}
"
    )
}

/// Returns the configuration of a byte pump: one connection to the child per client connection.
fn pump_config(upstream: &str, port: u16) -> Result<String> {
    let module = debian_packages::find_file(STREAM_MODULE, "libnginx-mod-stream")?.display();
    let base = base_config();
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

fn proxy_config(upstream: &str, port: u16) -> String {
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};"))
        .join(" ");
    let base = base_config();
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
