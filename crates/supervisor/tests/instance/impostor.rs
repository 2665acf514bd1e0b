//! Tests of another process that answers in place of the child.

use std::{fs, io::Read as _, os::unix::net::UnixListener, path::Path, thread, time::Duration};

use paddock_supervisor::{FailureClass, State, Transport};

use crate::harness::{
    Harness, LIMIT, NEVER, alive, eventually, first_failure, pid_in, stop, until, until_ready,
};

/// Accepts connections at a path, and returns what the first few sent.
fn impostor(path: &Path) -> thread::JoinHandle<Vec<u8>> {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        let mut sent = Vec::new();
        for _ in 0..20 {
            let (mut connection, _) = listener.accept().unwrap();
            // Answers unasked, so that a reader takes it for the child.
            let _ = std::io::Write::write_all(&mut connection, b"HTTP/1.1 200 OK\r\n\r\n");
            let _ = connection.read_to_end(&mut sent);
        }
        sent
    })
}

#[tokio::test]
async fn nobody_becomes_ready_by_what_another_process_answers() {
    let harness = Harness::new();
    let mut spec = harness.script("exec sleep 1000");
    spec.ready_event = false;
    let instance = harness.start(spec);
    let directory = harness.file("model-1");
    assert!(eventually(LIMIT, || Path::new(&directory).exists()).await);
    // This process is not the child's: it is the child's parent.
    let impostor = impostor(&Path::new(&directory).join("s.sock"));
    assert!(eventually(LIMIT, || impostor.is_finished()).await);
    let state = instance.watch().borrow().clone();
    assert!(
        matches!(
            state,
            State::Starting {
                listening: None,
                ..
            }
        ),
        "{state:?}"
    );
    assert_eq!(impostor.join().unwrap(), b"");
    instance.kill().await;
}

#[tokio::test]
async fn a_port_proves_nothing_and_the_event_alone_counts() {
    let harness = Harness::new();
    let mut spec = harness.child(&["--garble"]);
    spec.transport = Transport::Tcp;
    spec.startup_timeout = Duration::from_millis(500);
    spec.restart.first_delay = NEVER;
    spec.restart.max_delay = NEVER;
    let instance = harness.start(spec);
    let failure = first_failure(&instance).await;
    assert_eq!(failure.class, FailureClass::StartupTimeout);
    stop(&instance).await;
}

#[tokio::test]
async fn a_server_that_its_script_has_detached_is_the_childs_and_is_stopped_with_it() {
    let harness = Harness::new();
    let (gone, file) = (harness.file("gone"), harness.file("pid"));
    // The shell in between exits, so the server has lost its line of descent, and its session too.
    let script = "p=$1; g=$2; shift 2; \
                  (setsid sh -c 'echo $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; exec \"$@\"' \"$p\" \"$@\" & echo x > \"$g\"); \
                  exec sleep 1000";
    let mut spec = harness.script(script);
    spec.args.push(file.clone().into());
    spec.args.push(gone.into());
    let server = harness.child(&[]);
    spec.args.push(server.program.into());
    spec.args.extend(server.args);
    spec.ready_event = false;
    let instance = harness.start(spec);
    let child = until_ready(&instance).await;
    let server = pid_in(&file).await;
    assert_ne!(child, server);
    instance.kill().await;
    assert!(!alive(server));
}

#[tokio::test]
async fn a_directory_is_each_generations_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    until_ready(&instance).await;
    let mode = fs::metadata(harness.file("model-1"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(until_ready(&instance).await.cast_signed()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    until(&instance, |state| {
        matches!(state, State::Ready { generation: 2, .. })
    })
    .await;
    assert!(!Path::new(&harness.file("model-1")).exists());
    assert!(Path::new(&harness.file("model-2")).exists());
    stop(&instance).await;
    assert_eq!(harness.directories(), 0);
}
