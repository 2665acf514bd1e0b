//! Readiness by events and by probes.

use std::{fs, net::Ipv4Addr, os::unix::net::UnixListener, time::Duration};

use paddock_supervisor::{Address, Instance, Listener, State, Transport};

use crate::harness::{Harness, stop, until, until_line, until_ready};

#[tokio::test]
async fn ready_by_the_event_alone() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&["--busy"]));
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn ready_by_probing_alone() {
    let harness = Harness::new();
    let mut spec = harness.child(&[]);
    spec.ready_event = false;
    let instance = harness.start(spec);
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn ready_by_probing_where_the_event_cannot_be_read() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&["--garble", "--steps", "3"]));
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn ready_on_a_tcp_port() {
    let harness = Harness::new();
    let mut spec = harness.child(&[]);
    spec.transport = Transport::Tcp;
    let instance = harness.start(spec);
    let state = until(&instance, |state| matches!(state, State::Ready { .. })).await;
    let State::Ready { listener, .. } = state else {
        panic!("{state:?}")
    };
    let Address::Tcp(address) = listener.address else {
        panic!("{listener:?}")
    };
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    stop(&instance).await;
}

#[tokio::test]
async fn progress_and_listening_are_told_while_loading() {
    let harness = Harness::new();
    let gate = harness.file("gate");
    let instance = harness.start(harness.child(&["--gate", &gate]));
    let told = |state: &State| {
        matches!(
            state,
            State::Starting {
                progress: Some(0.5),
                listening: Some(Listener {
                    address: Address::Unix(_),
                    ..
                }),
                ..
            }
        )
    };
    until(&instance, told).await;
    fs::write(&gate, "").unwrap();
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn probing_ends_when_the_event_will_decide() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&["--steps", "25"]));
    until_ready(&instance).await;
    let lines = instance.logs().snapshot(usize::MAX);
    let asked = lines
        .iter()
        .filter(|line| line.starts_with("asked"))
        .count();
    assert!(asked <= 1, "asked {asked} times in 500 ms");
    stop(&instance).await;
}

#[tokio::test]
async fn a_slow_child_that_makes_progress_is_given_its_time() {
    let harness = Harness::new();
    let mut spec = harness.child(&["--steps", "100"]);
    spec.ready_event = false;
    spec.startup_timeout = Duration::from_secs(1);
    let instance = harness.start(spec);
    let state = until(&instance, |state| !matches!(state, State::Starting { .. })).await;
    assert!(
        matches!(state, State::Ready { generation: 1, .. }),
        "{state:?}"
    );
    stop(&instance).await;
}

#[tokio::test]
async fn the_child_sees_its_own_environment_only() {
    let harness = Harness::new();
    let mut spec = harness.script("env | sed 's/^/env /'; exec sleep 1000");
    spec.env = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("GGML_X".into(), "1".into()),
    ];
    let instance = harness.start(spec);
    until_line(&instance, "env LLAMA_SERVER_ROUTER_PORT=1").await;
    let lines = instance.logs().snapshot(usize::MAX);
    let mut names: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("env ")?.split('=').next())
        .filter(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name))
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "GGML_X",
            "LLAMA_SERVER_ROUTER_PORT",
            "PADDOCK_INSTANCE",
            "PATH"
        ]
    );
    instance.kill().await;
}

#[tokio::test]
async fn stdin_is_held_open() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&["--stdin"]));
    until_ready(&instance).await;
    until_line(&instance, "stdin is open").await;
    stop(&instance).await;
}

/// Starts a server from a shell script that ends in `"$@"`.
fn by_script(harness: &Harness, script: &str, options: &[&str]) -> Instance {
    let server = harness.child(options);
    let mut spec = harness.script(script);
    spec.args.push(server.program.into());
    spec.args.extend(server.args);
    harness.start(spec)
}

#[tokio::test]
async fn a_server_that_a_script_runs_in_the_background_is_ready_by_probing() {
    let harness = Harness::new();
    let script = "\"$@\" & p=$!; trap 'kill $p' TERM; wait $p";
    let instance = by_script(&harness, script, &["--heed-stdin", "--steps", "30"]);
    let ready = |state: &State| !matches!(state, State::Starting { .. });
    let state = until(&instance, ready).await;
    assert!(
        matches!(state, State::Ready { generation: 2, .. }),
        "one start to learn it, and no failure: {state:?}"
    );
    let lines = instance.logs().snapshot(usize::MAX);
    let words = "EOF on stdin detected";
    assert!(!lines.iter().any(|line| line.contains(words)), "{lines:?}");
    stop(&instance).await;
}

#[tokio::test]
async fn a_child_that_ends_with_its_input_is_the_last_that_depends_on_it() {
    let harness = Harness::new();
    fs::write(harness.file("empty"), "").unwrap();
    let script = format!("exec \"$@\" < {}", harness.file("empty"));
    let instance = by_script(&harness, &script, &["--heed-stdin"]);
    let second = |state: &State| matches!(state, State::Ready { generation: 2, .. });
    until(&instance, second).await;
    stop(&instance).await;
}

#[tokio::test]
async fn a_script_that_hands_no_arguments_on_finds_the_address_in_its_environment() {
    let harness = Harness::new();
    let server = harness.child(&[]);
    let words = server.args.iter().map(|arg| arg.to_str().unwrap());
    let words: Vec<_> = words.collect();
    let mut spec = harness.script(&format!(
        "exec {} {} --host \"$LLAMA_ARG_HOST\"",
        server.program.display(),
        words.join(" ")
    ));
    spec.address_variable = true;
    spec.ready_event = false;
    let instance = harness.start(spec);
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn a_stale_socket_is_no_obstacle() {
    let harness = Harness::new();
    fs::create_dir(harness.file("model-1")).unwrap();
    drop(UnixListener::bind(harness.file("model-1/s.sock")).unwrap());
    let instance = harness.start(harness.child(&[]));
    let state = until(&instance, |state| !matches!(state, State::Starting { .. })).await;
    assert!(matches!(state, State::Ready { .. }), "{state:?}");
    stop(&instance).await;
}
