//! What only shows when the child runs: the status names the class, the answer has its words.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use paddock_e2e::harness::{LIMIT, Paddock, PaddockBuilder, post, wait_for};
use paddock_e2e::paddock;
use serde_json::Value;

/// Waits for a failure of the child, and returns it as the status shows it.
fn failure(paddock: &Paddock) -> Value {
    wait_for(LIMIT, "a failure", || {
        let failure = paddock.model()["failure"].clone();
        (!failure.is_null()).then_some(failure)
    })
}

/// Checks the class of the failure, that its message has these words, and that the child's own
/// words go with it.
fn assert_class(failure: &Value, class: &str, words: &[&str], own: &str) {
    assert_eq!(failure["class"], class, "{failure:#}");
    let message = failure["message"].as_str().unwrap();
    for words in words {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(!message.contains('\n'), "{message}");
    let tail = failure["log_tail"].as_array().unwrap();
    let said = tail.iter().any(|line| line.as_str().unwrap().contains(own));
    assert!(own.is_empty() || said, "{own}: {tail:#?}");
}

/// Checks that a request is refused at once, with this failure and no hope.
fn assert_hopeless(paddock: &Paddock, failure: &Value) {
    let answer = paddock.ask(post("/completion", r#"{"prompt":"a"}"#));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.field("x-paddock-error"), Some("load_failed"));
    assert_eq!(answer.field("retry-after"), None, "no retry can help");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "load_failed");
    assert_eq!(&error["failure"], failure);
    let message = failure["message"].as_str().unwrap();
    assert!(
        error["message"].as_str().unwrap().contains(message),
        "{error}"
    );

    let health = paddock.get("/health");
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["status"], "unhealthy");
    assert_eq!(&health.json()["models"][0]["failure"], failure);
    assert_eq!(paddock.model()["status"], "failed");
}

fn failing(kind: &str) -> PaddockBuilder {
    paddock!().engine_args(["--fake-fail", kind])
}

/// What a retry cannot mend: kind, class, words of the message, the child's own.
const HOPELESS: [(&str, &str, &[&str], &str); 6] = [
    (
        "assert",
        "assertion_failed",
        &["SIGABRT", "GGML_ASSERT", "same file and flags"],
        "GGML_ASSERT",
    ),
    (
        "missing-file",
        "bad_file",
        &["exit code 1", "failed to open GGUF file"],
        "failed to load model",
    ),
    (
        "bad-file",
        "bad_file",
        &["invalid magic"],
        "failed to load model",
    ),
    (
        "bad-flag",
        "bad_flag",
        &["--fake-bad-flag", "correct the arguments"],
        "error: invalid argument",
    ),
    (
        "missing-library",
        "missing_library",
        &[
            "libggml-cuda.so",
            "install the required version of the library",
        ],
        "error while loading shared libraries",
    ),
    (
        "illegal-instruction",
        "illegal_instruction",
        &["SIGILL", "install a build for this processor"],
        "",
    ),
];

#[test]
fn what_a_retry_cannot_mend_is_refused_at_once_with_the_cause() {
    for (kind, class, words, own) in HOPELESS {
        let paddock = failing(kind).start();
        let failure = failure(&paddock);
        assert_class(&failure, class, words, own);
        assert_hopeless(&paddock, &failure);
    }
}

/// What a retry may mend.
const HOPEFUL: [(&str, &str, &[&str], &str); 4] = [
    (
        "port-in-use",
        "address_in_use",
        &["couldn't bind", "another address"],
        "couldn't bind HTTP server socket",
    ),
    (
        "disk-full",
        "disk_full",
        &["No space left on device", "free up space where it writes"],
        "write error",
    ),
    (
        "too-many-files",
        "too_many_files",
        &["Too many open files", "ulimit -n", "LimitNOFILE="],
        "failed to load model",
    ),
    (
        "too-many-processes",
        "too_many_processes",
        &["SIGABRT", "TasksMax="],
        "std::system_error",
    ),
];

#[test]
fn what_a_retry_may_mend_is_tried_again_and_shown_meanwhile() {
    for (kind, class, words, own) in HOPEFUL {
        let paddock = failing(kind).start();
        let failure = failure(&paddock);
        assert_class(&failure, class, words, own);
        let health = paddock.get("/health").json();
        assert_eq!(health["status"], "starting");
        let again = wait_for(LIMIT, "another try", || {
            paddock.model()["restarts"].as_u64()
        });
        assert!(again >= 1);
    }
}

/// No other model can make room, so the model fails at once, and is tried again when memory may be free.
#[test]
fn a_model_that_runs_out_of_memory_alone_is_tried_again_later() {
    let paddock = failing("out-of-memory").start();
    let first = failure(&paddock);
    let words = ["failed to allocate", "smaller context"];
    assert_class(&first, "out_of_memory", &words, "insufficient memory");
    let pause = wait_for(LIMIT, "the time of another try", || {
        paddock.model()["retry_after"].as_f64()
    });
    assert!(pause <= 15.0, "{pause}");
    wait_for(LIMIT, "another try", || {
        let failure = paddock.model()["failure"].clone();
        (failure["retry_at"].as_f64() > first["retry_at"].as_f64()).then_some(())
    });
}

/// What a client is told whose request comes while the breaker is open.
#[test]
fn what_a_retry_may_mend_is_refused_with_the_time_of_the_next_try() {
    let paddock = failing("disk-full").start();
    let failed = || {
        let model = paddock.model();
        (model["status"] == "failed").then_some(model)
    };
    let model = wait_for(LIMIT, "the end of the budget", failed);
    let failure = &model["failure"];
    assert_class(failure, "disk_full", &[], "");
    assert_eq!(failure["restarts_left"], 0, "{failure:#}");
    assert_eq!(failure["phase"], "starting");
    assert_eq!(model["restarts"], 5);

    let answer = paddock.ask(post("/completion", r#"{"prompt":"a"}"#));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.field("x-paddock-error"), Some("load_failed"));
    assert_eq!(&answer.json()["error"]["failure"], failure);
    let retry: f64 = answer.field("retry-after").unwrap().parse().unwrap();
    let left = model["retry_after"].as_f64().unwrap();
    assert!((50.0..=61.0).contains(&retry), "{retry}");
    assert!((retry - left).abs() <= 2.0, "{retry} {left}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = failure["retry_at"].as_f64().unwrap() - now.as_secs_f64();
    assert!((left - at).abs() < 5.0, "{left} {at}");

    let explained = paddock.admin_get("/api/models/m/explain").text();
    assert!(explained.contains("6 times in "), "{explained}");
    let words = "UTC; load the model manually to try sooner";
    assert!(explained.contains(words), "{explained}");
    assert!(explained.contains(", 4 restarts left"), "{explained}");
}

/// The stand-in's kill is no kernel's.
#[test]
fn a_kill_from_outside_is_not_taken_for_a_lack_of_memory() {
    // Ready for some time, so that paddock has seen it.
    let paddock = paddock!()
        .engine_args(["--fake-die", "idle-ms:500:kill"])
        .start();
    let failure = failure(&paddock);
    assert_class(&failure, "killed", &["SIGKILL"], "model loaded");
    assert_eq!(failure["exit"], "signal 9 (SIGKILL)");
    assert_eq!(failure["phase"], "serving");
}

#[test]
fn a_flag_that_the_child_does_not_know() {
    let paddock = paddock!().engine_args(["--no-such-flag"]).start();
    let failure = failure(&paddock);
    let words = [
        "--no-such-flag",
        "correct the arguments in the configuration",
    ];
    assert_class(
        &failure,
        "bad_flag",
        &words,
        "error: invalid argument: --no-such-flag",
    );
    assert_hopeless(&paddock, &failure);
}

#[test]
fn a_model_file_that_goes_away_after_the_check() {
    let builder = paddock!();
    let gone = builder.directory().join("m.gguf");
    let engine = builder.engine_path().display().to_string();
    let script = format!(
        "case \"$1\" in --help|--list-devices) ;; *) rm -f '{}';; esac\nexec '{engine}' \"$@\"",
        gone.display()
    );
    let engine = builder.script("engine", &script);
    // It removes what it may only read.
    let builder = builder.config("engine.sandbox = 'off'");
    let paddock = builder.engine(engine).start();
    let failure = failure(&paddock);
    assert_class(
        &failure,
        "bad_file",
        &["No such file"],
        "failed to load model",
    );
    // Each request has the files looked at again: they may be back.
    let refused = paddock.post("/completion", "{}");
    assert_eq!(refused.error_code(), "load_failed");
    assert!(
        refused.text().contains("there is no file"),
        "{}",
        refused.text()
    );
}

#[test]
fn an_engine_that_the_system_cannot_run() {
    let builder = paddock!();
    let engine = builder.script("engine", "");
    fs::write(&engine, "#!/proc/nonexistent/interpreter\n").unwrap();
    let paddock = builder.engine(engine).start();
    let failure = failure(&paddock);
    assert_class(
        &failure,
        "not_executable",
        &["interpreter", "check its permissions"],
        "",
    );
    assert_hopeless(&paddock, &failure);
}

#[test]
fn an_engine_that_goes_away_after_the_check() {
    let builder = paddock!().engine_args(["--fake-die", "ready:exit1"]);
    let fake = builder.engine_path().to_owned();
    let engine = builder.directory().join("engine");
    fs::copy(fake, &engine).unwrap();
    let paddock = builder.engine(&engine).start();
    fs::remove_file(&engine).unwrap();
    let failure = wait_for(LIMIT, "the engine to be missed", || {
        let failure = failure(&paddock);
        (failure["class"] == "missing_binary").then_some(failure)
    });
    assert_class(&failure, "missing_binary", &["install it"], "");
    assert_hopeless(&paddock, &failure);
}

#[test]
fn a_child_that_is_silent_for_too_long() {
    let paddock = paddock!()
        .engine_args(["--fake-hang", "ready"])
        .config("models.m.startup_timeout = '500ms'")
        .start();
    let failure = failure(&paddock);
    let words = ["made no progress for 500ms", "increase startup_timeout"];
    assert_class(&failure, "startup_timeout", &words, "initializing");
}

#[test]
fn words_of_the_anthropic_kind_for_its_routes() {
    let paddock = failing("bad-file").start();
    let failure = failure(&paddock);
    let answer = paddock.post("/v1/messages", "{}");
    assert_eq!(answer.status, 503);
    let body = answer.json();
    assert_eq!(body["type"], "error");
    assert_eq!(body["error"]["type"], "overloaded_error");
    let message = failure["message"].as_str().unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains(message));
}
