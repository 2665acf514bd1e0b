use std::{fs, net::Ipv4Addr, os::unix::net::UnixListener, time::Duration};

use paddock_supervisor::{Address, Listener, State, Transport};

use crate::lab::{Lab, stop, until, until_line, until_ready};

#[tokio::test]
async fn ready_by_the_event_alone() {
    let lab = Lab::new();
    let instance = lab.start(lab.child(&["--busy"]));
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn ready_by_probing_alone() {
    let lab = Lab::new();
    let mut spec = lab.child(&[]);
    spec.ready_event = false;
    let instance = lab.start(spec);
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn ready_by_probing_where_the_event_cannot_be_read() {
    let lab = Lab::new();
    let instance = lab.start(lab.child(&["--garble", "--steps", "3"]));
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn ready_on_a_tcp_port() {
    let lab = Lab::new();
    let mut spec = lab.child(&[]);
    spec.transport = Transport::Tcp;
    let instance = lab.start(spec);
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
    let lab = Lab::new();
    let gate = lab.file("gate");
    let instance = lab.start(lab.child(&["--gate", &gate]));
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
    let lab = Lab::new();
    let instance = lab.start(lab.child(&["--steps", "25"]));
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
    let lab = Lab::new();
    let mut spec = lab.child(&["--steps", "100"]);
    spec.ready_event = false;
    spec.startup_timeout = Duration::from_secs(1);
    let instance = lab.start(spec);
    let state = until(&instance, |state| !matches!(state, State::Starting { .. })).await;
    assert!(
        matches!(state, State::Ready { generation: 1, .. }),
        "{state:?}"
    );
    stop(&instance).await;
}

#[tokio::test]
async fn the_child_sees_its_own_environment_only() {
    let lab = Lab::new();
    let mut spec = lab.script("env | sed 's/^/env /'; exec sleep 1000");
    spec.env = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("GGML_X".into(), "1".into()),
    ];
    let instance = lab.start(spec);
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
    let lab = Lab::new();
    let instance = lab.start(lab.child(&["--stdin"]));
    until_ready(&instance).await;
    until_line(&instance, "stdin is open").await;
    stop(&instance).await;
}

#[tokio::test]
async fn a_stale_socket_is_no_obstacle() {
    let lab = Lab::new();
    fs::create_dir(lab.file("model-1")).unwrap();
    drop(UnixListener::bind(lab.file("model-1/s.sock")).unwrap());
    let instance = lab.start(lab.child(&[]));
    let state = until(&instance, |state| !matches!(state, State::Starting { .. })).await;
    assert!(matches!(state, State::Ready { .. }), "{state:?}");
    stop(&instance).await;
}
