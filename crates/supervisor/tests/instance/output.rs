use paddock_supervisor::FailureClass;

use crate::lab::{Lab, first_failure, stop, until_line, until_ready};

#[tokio::test]
async fn a_flood_and_an_endless_line_do_not_stop_a_child_from_getting_ready() {
    let lab = Lab::new();
    // 8 MiB each: many times what a pipe holds; on stderr without a single newline.
    let instance = lab.start(lab.child(&["--flood", "8192"]));
    until_ready(&instance).await;
    until_line(&instance, "loaded").await;
    let lines = instance.logs().snapshot(usize::MAX);
    assert!(lines.len() <= 1000);
    assert!(lines.iter().all(|line| line.len() <= 4096));
    stop(&instance).await;
}

#[tokio::test]
async fn what_is_no_text_is_shown_as_far_as_it_goes() {
    let lab = Lab::new();
    let instance = lab.start(lab.script("printf 'a\\377b\\r\\n'; printf 'no newline'; exit 3"));
    let failure = first_failure(&instance).await;
    assert_eq!(failure.class, FailureClass::Unknown);
    assert_eq!(failure.log_tail, ["a\u{fffd}b", "no newline"]);
    stop(&instance).await;
}

#[tokio::test]
async fn the_last_words_are_those_of_the_last_child() {
    let lab = Lab::new();
    let mut spec = lab.script("test -e \"$1\" && exit 4; touch \"$1\"; echo first; exit 3");
    spec.args.push(lab.file("second").into());
    let instance = lab.start(spec);
    let mut states = instance.watch();
    let code = |wanted| {
        move |state: &paddock_supervisor::State| {
            let exit = state.failure().and_then(|failure| failure.exit);
            exit == Some(paddock_supervisor::Exit::Code(wanted))
        }
    };
    let second = crate::lab::reach(&mut states, code(4)).await;
    assert!(second.failure().unwrap().log_tail.is_empty(), "{second:?}");
    assert_eq!(instance.logs().snapshot(9), ["first"]);
    stop(&instance).await;
}

#[tokio::test]
async fn a_child_that_closes_its_output_is_not_lost() {
    let lab = Lab::new();
    let mut spec = lab.child(&[]);
    spec.args.splice(
        0..0,
        [
            "-c",
            "exec \"$@\" >/dev/null 2>&1",
            "sh",
            "/usr/bin/python3",
        ]
        .map(Into::into),
    );
    spec.program = "/bin/sh".into();
    let instance = lab.start(spec);
    until_ready(&instance).await;
    stop(&instance).await;
}
