use super::*;
use FailureClass::*;

fn judge(phase: Phase, exit: Exit, lines: &[&str]) -> (FailureClass, String) {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    classify(&Evidence {
        program: Path::new("/opt/llama-server"),
        phase,
        exit,
        lines: &lines,
    })
}

fn class_of(phase: Phase, exit: Exit, lines: &[&str]) -> FailureClass {
    judge(phase, exit, lines).0
}

#[test]
fn deaths_while_starting() {
    let one = Exit::Code(1);
    let table: &[(Exit, &[&str], FailureClass)] = &[
        (
            one,
            &["main: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080"],
            AddressInUse,
        ),
        (
            one,
            &["gguf_init_from_file: failed to open GGUF file '/m.gguf'"],
            BadFile,
        ),
        (
            one,
            &["srv    load_model: failed to load model, '/m.gguf'"],
            BadFile,
        ),
        (one, &["error: invalid argument: --frobnicate"], BadFlag),
        (
            one,
            &["error while handling argument \"-c\": stoi", "", "usage:"],
            BadFlag,
        ),
        (
            one,
            &[
                "cudaMalloc failed: out of memory",
                "llama_model_load: failed to load model",
            ],
            OutOfMemory,
        ),
        (
            one,
            &["ggml_vulkan: Device memory allocation failed: ErrorOutOfDeviceMemory"],
            OutOfMemory,
        ),
        (
            one,
            &["alloc_tensor_range: failed to allocate CPU buffer of size 1"],
            OutOfMemory,
        ),
        (one, &["unable to allocate CUDA0 buffer"], OutOfMemory),
        (
            Exit::Signal(6),
            &["terminate called after throwing 'std::bad_alloc'"],
            OutOfMemory,
        ),
        (
            Exit::Code(127),
            &["llama-server: error while loading shared libraries: libcublas.so.12: cannot open"],
            MissingLibrary,
        ),
        (
            Exit::Code(127),
            &["paddock shim: cannot run /x: No such file or directory"],
            MissingBinary,
        ),
        (
            Exit::Code(126),
            &["paddock shim: cannot run /x: Permission denied"],
            NotExecutable,
        ),
        (
            Exit::Signal(4),
            &["failed to load model"],
            IllegalInstruction,
        ),
        (Exit::Code(132), &[], IllegalInstruction),
        (Exit::Signal(9), &["failed to allocate"], Killed),
        (Exit::Code(137), &[], Killed),
        (Exit::Signal(15), &[], Killed),
        (
            Exit::Signal(6),
            &["x.cpp:12: GGML_ASSERT(n > 0) failed"],
            Aborted,
        ),
        (one, &["ggml.c:1: GGML_ABORT(\"fatal error\")"], Aborted),
        (Exit::Signal(11), &[], Crashed),
        (Exit::Code(139), &["loading..."], Crashed),
        (Exit::Code(0), &[], Crashed),
        (one, &["something new"], Unknown),
        (one, &[], Unknown),
    ];
    for (exit, lines, want) in table {
        assert_eq!(
            class_of(Phase::Starting, *exit, lines),
            *want,
            "{exit} {lines:?}"
        );
    }
}

#[test]
fn a_child_that_served_does_not_die_of_its_file_or_flags() {
    for line in [
        "failed to open 'x'",
        "error: invalid argument",
        "couldn't bind HTTP server socket",
    ] {
        assert_eq!(
            class_of(Phase::Ready, Exit::Code(1), &[line]),
            Crashed,
            "{line}"
        );
    }
    assert_eq!(
        class_of(
            Phase::Ready,
            Exit::Signal(6),
            &["CUDA error: out of memory"]
        ),
        OutOfMemory
    );
    assert_eq!(class_of(Phase::Ready, Exit::Signal(6), &[]), Aborted);
}

#[test]
fn old_trouble_does_not_explain_a_later_death() {
    let mut lines = vec!["failed to allocate a buffer for one request"];
    lines.resize(READY_LINES + 1, "srv  update_slots: all slots are idle");
    assert_eq!(class_of(Phase::Ready, Exit::Signal(11), &lines), Crashed);
}

#[test]
fn a_message_says_what_happened_why_and_what_to_do() {
    let lines = [
        "start",
        "gguf_init_from_file: failed to open GGUF file 'm'",
        "failed to load model",
        "bye",
    ];
    let (_, message) = judge(Phase::Starting, Exit::Code(1), &lines);
    assert_eq!(
        message,
        "llama-server could not load its model file while starting (exit code 1): \
         \"gguf_init_from_file: failed to open GGUF file 'm'\"; \
         check that the file exists, is complete and is of a kind this build supports"
    );
}

#[test]
fn an_exit_nobody_asked_for_is_named() {
    let (class, message) = judge(Phase::Ready, Exit::Code(0), &["bye", " "]);
    assert_eq!(class, Crashed);
    assert!(
        message.starts_with("llama-server exited by itself while serving (exit code 0): \"bye\"")
    );
}

#[test]
fn a_signal_is_named() {
    let (_, message) = judge(Phase::Ready, Exit::Signal(9), &[]);
    assert!(message.contains("(signal 9 (SIGKILL))"), "{message}");
}

#[test]
fn a_long_line_is_quoted_in_part() {
    let long = "é".repeat(4000);
    let (_, message) = judge(Phase::Starting, Exit::Code(1), &[&long]);
    assert!(message.chars().count() < QUOTE_MAX + 150);
}
