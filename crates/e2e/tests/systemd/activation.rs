//! Sockets that systemd holds: paddock listens on these, leaves them there, and nobody is refused.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use paddock_e2e::harness::{
    Address, Connection, LIMIT, Lines, PaddockBuilder, Signal, get, post, wait_for, wait_until,
};
use paddock_e2e::paddock;

use crate::support::activated;

fn tcp() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    (listener, address)
}

#[test]
fn named_sockets_are_the_planes_they_name() {
    let builder = paddock!();
    let (admin, admin_at) = tcp();
    let path = builder.directory().join("held.sock");
    let public = UnixListener::bind(&path).unwrap();
    let mut paddock =
        builder.start_as(|command| activated(command, &[&admin, &public], "admin:public"));
    assert_eq!(paddock.admin(), &admin_at);
    assert_eq!(paddock.public(), &Address::Unix(path.clone()));
    paddock.wait_ready();
    assert_eq!(paddock.get("/health").status, 200);
    let said = "the configured addresses are not used";
    assert!(paddock.stderr().contain(said));
    assert!(paddock.stop(Signal::TERM).success());
    assert!(path.exists(), "the socket of another is removed");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_socket_without_a_name_is_public_and_the_admin_plane_is_as_configured() {
    for names in ["", "unknown", "paddock.socket"] {
        let (public, public_at) = tcp();
        let paddock = paddock!().start_as(|command| activated(command, &[&public], names));
        assert_eq!(paddock.public_addresses(), [public_at]);
        assert_ne!(paddock.admin(), paddock.public());
        assert_eq!(paddock.admin_get("/livez").status, 200);
    }
}

#[test]
fn the_child_does_not_hold_the_socket() {
    let (public, at) = tcp();
    let mut paddock = paddock!().start_as(|command| activated(command, &[&public], "public"));
    paddock.wait_ready();
    drop(public);
    let child = paddock.child();
    let sockets = std::fs::read_dir(format!("/proc/{}/fd", child.number())).unwrap();
    let sockets = sockets
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let held = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X} ", at.port());
    let held: Vec<String> = held
        .lines()
        .filter(|line| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|at| port.trim().eq(&at[8..]))
        })
        .filter_map(|line| line.split_whitespace().nth(9))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    assert!(!held.is_empty());
    for socket in sockets {
        assert!(!held.iter().any(|held| socket.as_os_str() == held.as_str()));
    }
    assert!(paddock.stop(Signal::TERM).success());
    assert!(
        Connection::try_connect(&at).is_err(),
        "somebody still listens"
    );
}

/// Clients that connect, ask once and leave, again and again.
struct Clients {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Clients {
    fn of(address: &Address) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let client = |_| {
            let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
            let address = address.clone();
            thread::spawn(move || {
                let mut refused = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    match Connection::try_connect(&address) {
                        Err(error) => refused.push(error.to_string()),
                        Ok(mut connection) => {
                            let sent = connection.try_send(get("/v1/models"));
                            let answer = sent.and_then(|()| connection.try_answer());
                            if answer.is_ok_and(|answer| answer.status == 200) {
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                }
                refused
            })
        };
        let threads = (0..4).map(client).collect();
        Self {
            over,
            answered,
            threads,
        }
    }

    fn wait_for_more(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        wait_until(LIMIT, "answers", || {
            self.answered.load(Ordering::Relaxed) > before + 50
        });
    }

    /// Lets them end, and returns why they were refused.
    fn refusals(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads.flat_map(|thread| thread.join().unwrap()).collect()
    }
}

#[test]
fn a_restart_under_a_held_tcp_socket_refuses_nobody() {
    let (public, at) = tcp();
    restart_three_times(&at, || {
        paddock!().start_as(|command| activated(command, &[&public], "public"))
    });
}

#[test]
fn a_restart_under_a_held_unix_socket_refuses_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p.sock");
    let public = UnixListener::bind(&path).unwrap();
    restart_three_times(&Address::Unix(path), || {
        paddock!().start_as(|command| activated(command, &[&public], "public"))
    });
}

fn restart_three_times(at: &Address, start: impl Fn() -> paddock_e2e::harness::Paddock) {
    // They connect before there is anybody, and after it has gone.
    let clients = Clients::of(at);
    for _ in 0..3 {
        let mut paddock = start();
        clients.wait_for_more();
        assert!(paddock.stop(Signal::TERM).success());
    }
    let _last = start();
    clients.wait_for_more();
    assert_eq!(clients.refusals(), [""; 0]);
}

#[test]
fn a_request_that_comes_while_nobody_is_there_waits_for_the_next_one() {
    let (public, at) = tcp();
    let mut client = Connection::connect(&at);
    client.send(post("/completion", r#"{"prompt":"a","n_predict":2}"#));
    let _paddock = paddock!().start_as(|command| activated(command, &[&public], "public"));
    assert_eq!(client.answer().status, 200);
}

/// The whole way, by systemd's own tool: it listens, and starts paddock when somebody comes.
#[test]
fn the_first_client_starts_it_by_systemd_socket_activate() {
    let builder = paddock!();
    let socket = builder.directory().join("held.sock");
    let config = builder.write_config();
    let mut command = Command::new("systemd-socket-activate");
    command
        .arg(format!("--listen={}", socket.display()))
        .arg("--fdname=public")
        .arg(builder.command().get_program())
        .args(["serve".as_ref(), "--config".as_ref(), config.as_os_str()])
        .current_dir(builder.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = command.spawn().expect("systemd-socket-activate");
    let lines = Lines::of(process.stderr.take().unwrap());
    lines.wait_for(LIMIT, "Listening on");
    let mut client = Connection::connect(&Address::Unix(socket.clone()));
    client.send(post("/completion", r#"{"prompt":"a","n_predict":2}"#));
    assert_eq!(client.answer().status, 200, "{:#?}", lines.all());
    // It has become paddock.
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let end = wait_for(LIMIT, "the end", || process.try_wait().unwrap());
    assert!(end.success(), "{:#?}", lines.all());
    assert!(socket.exists());
}

/// What it says when it is given these.
fn refused(builder: &PaddockBuilder, sockets: &[&dyn std::os::fd::AsFd], names: &str) -> String {
    let finished = builder.run_serve_as(|command| activated(command, sockets, names));
    assert_eq!(finished.code, Some(64), "{finished:#?}");
    assert_eq!(
        finished.stderr.matches("error: ").count(),
        1,
        "{finished:#?}"
    );
    finished.stderr
}

#[test]
fn what_is_no_socket_to_listen_on_is_named() {
    let file = tempfile::tempfile().unwrap();
    let words = "the service manager passed descriptor 3, which does not accept connections: fd 3 is not a socket";
    let said = refused(&paddock!(), &[&file], "public");
    assert!(said.contains(words), "{said}");

    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let said = refused(&paddock!(), &[&datagrams], "public");
    assert!(said.contains("fd 3 is not a valid tcp socket"), "{said}");

    let (connected, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let said = refused(&paddock!(), &[&connected], "public");
    assert!(said.contains("not a listening socket"), "{said}");
    assert!(said.contains("Accept=no"), "{said}");
}

#[test]
fn names_that_say_nothing_are_named() {
    let (one, _) = tcp();
    let (two, _) = tcp();
    let said = refused(&paddock!(), &[&one, &two], "public:web");
    assert!(said.contains("the name `web`"), "{said}");
    assert!(said.contains("FileDescriptorName="), "{said}");
    let said = refused(&paddock!(), &[&one, &two], "public");
    assert!(said.contains("1 names for 2 sockets"), "{said}");
}

#[test]
fn a_count_that_is_none_is_named() {
    let finished = paddock!()
        .env("LISTEN_FDS", "many")
        .run_serve_as(|command| {
            let mut by_shell = Command::new("/bin/sh");
            by_shell.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]);
            by_shell.arg(command.get_program()).args(command.get_args());
            by_shell.envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            by_shell
        });
    assert_eq!(finished.code, Some(64), "{finished:#?}");
    assert!(
        finished.stderr.contains("LISTEN_FDS is `many`"),
        "{finished:#?}"
    );
}

#[test]
fn a_socket_that_is_open_to_every_network_needs_leave() {
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let said = refused(&paddock!(), &[&open], "public");
    assert!(said.contains("allow_public"), "{said}");
    let builder = paddock!().config("server.allow_public = true");
    let paddock = builder.start_as(|command| activated(command, &[&open], "public"));
    assert_eq!(paddock.admin_get("/livez").status, 200);
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let builder = paddock!().env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let paddock = builder.start();
    assert_eq!(paddock.admin_get("/livez").status, 200);
}
