//! Tests that a SIGKILL of the supervising process leaves no child. That process is this test program, run
//! again for one of its tests only.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time,
};

use crate::harness::{Harness, LIMIT, alive, eventually, stop, until_loading, until_ready};

const PHASE: &str = "PADDOCK_TEST_PHASE";

#[tokio::test]
async fn a_loading_child_dies_with_its_parent() {
    dies_with_its_parent("loading").await;
}

#[tokio::test]
async fn a_ready_child_dies_with_its_parent() {
    dies_with_its_parent("ready").await;
}

async fn dies_with_its_parent(phase: &str) {
    let harness = Harness::new();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "parent_death::parent",
            "--ignored",
            "--nocapture",
        ])
        .env(PHASE, phase)
        .env("TMPDIR", harness.dir.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let child = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the parent ended");
            if let Some(pid) = line.trim().strip_prefix("child ") {
                break pid.parse().unwrap();
            }
        }
    };
    let child: u32 = time::timeout(LIMIT, child).await.expect("no child");
    assert!(alive(child));
    parent.kill().await.unwrap();
    assert!(
        eventually(Duration::from_secs(1), || !alive(child)).await,
        "the child lives on"
    );
}

/// The parent-death signal follows the thread that forked. An actor may move between threads of the runtime,
/// which may end, and its child must not notice.
#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let first = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (harness, instance) = runtime.block_on(async {
            let harness = Harness::new();
            let instance = harness.start(harness.child(&[]));
            until_ready(&instance).await;
            (harness, instance)
        });
        (runtime, harness, instance)
    });
    let (runtime, harness, instance) = first.join().unwrap();
    for _ in 0..5 {
        let mut child = UnixStream::connect(harness.file("model-1/s.sock")).unwrap();
        child.write_all(b"x").unwrap();
        let mut answer = String::new();
        child.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    runtime.block_on(stop(&instance));
}

#[tokio::test]
async fn the_shim_does_not_begin_where_the_parent_is_gone() {
    // Process 1 is not its parent, as if the real parent had died and the child were adopted.
    let shim = Command::new(env!("CARGO_BIN_EXE_paddock-shim"))
        .args(["1", "--", "true"])
        .output();
    let output = shim.await.unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(
        output.stderr,
        b"paddock shim: the parent process has already exited\n"
    );
}

/// The supervising process. The child ignores the end of its stdin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests of this file run it in a process of its own"]
async fn parent() {
    let Ok(phase) = std::env::var(PHASE) else {
        return;
    };
    let harness = Harness::new();
    let loading = phase == "loading";
    let options: &[&str] = if loading {
        &["--gate", "/proc/nonexistent"]
    } else {
        &[]
    };
    let instance = harness.start(harness.child(options));
    let child = if loading {
        until_loading(&instance).await
    } else {
        until_ready(&instance).await
    };
    // The test harness has begun the line with the test's name.
    println!("\nchild {child}");
    std::future::pending::<()>().await;
}
