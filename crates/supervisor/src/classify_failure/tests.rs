//! Classes and messages of failures, as tables.

mod engine_output;

use super::message::MAX_QUOTE_CHARS;
use super::*;
use crate::oom::ExhaustedMemory;
use FailureClass::*;

fn judge(phase: ChildPhase, exit: Exit, lines: &[&str]) -> (FailureClass, String) {
    judge_killed(phase, exit, KillSource::Unknown, lines)
}

fn judge_killed(
    phase: ChildPhase,
    exit: Exit,
    kill_source: KillSource,
    lines: &[&str],
) -> (FailureClass, String) {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    classify(&FailureEvidence {
        program: Path::new("/opt/llama-server"),
        phase,
        exit,
        kill_source,
        lines: &lines,
    })
}

fn class_of(phase: ChildPhase, exit: Exit, lines: &[&str]) -> FailureClass {
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
            AssertionFailed,
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
            class_of(ChildPhase::Starting, *exit, lines),
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
            class_of(ChildPhase::Ready, Exit::Code(1), &[line]),
            Crashed,
            "{line}"
        );
    }
    assert_eq!(
        class_of(
            ChildPhase::Ready,
            Exit::Signal(6),
            &["CUDA error: out of memory"]
        ),
        OutOfMemory
    );
    assert_eq!(class_of(ChildPhase::Ready, Exit::Signal(6), &[]), Aborted);
}

#[test]
fn old_trouble_does_not_explain_a_later_death() {
    let mut lines = vec!["failed to allocate a buffer for one request"];
    lines.resize(
        MAX_READY_EVIDENCE_LINES + 1,
        "srv  update_slots: all slots are idle",
    );
    assert_eq!(
        class_of(ChildPhase::Ready, Exit::Signal(11), &lines),
        Crashed
    );
}

#[test]
fn a_message_says_what_happened_why_and_what_to_do() {
    let lines = [
        "start",
        "gguf_init_from_file: failed to open GGUF file 'm'",
        "failed to load model",
        "bye",
    ];
    let (_, message) = judge(ChildPhase::Starting, Exit::Code(1), &lines);
    assert_eq!(
        message,
        "llama-server could not load its model file while starting (exit code 1): \
         \"gguf_init_from_file: failed to open GGUF file 'm'\"; \
         check that the file exists, is readable and complete, and has a type that this build supports"
    );
}

#[test]
fn an_exit_nobody_asked_for_is_named() {
    let (class, message) = judge(ChildPhase::Ready, Exit::Code(0), &["bye", " "]);
    assert_eq!(class, Crashed);
    assert!(
        message
            .starts_with("llama-server exited unexpectedly while serving (exit code 0): \"bye\"")
    );
}

#[test]
fn a_signal_is_named() {
    let (_, message) = judge(ChildPhase::Ready, Exit::Signal(9), &[]);
    assert!(message.contains("(signal 9 (SIGKILL))"), "{message}");
}

#[test]
fn a_long_line_is_quoted_in_part() {
    let long = "é".repeat(4000);
    let (_, message) = judge(ChildPhase::Starting, Exit::Code(1), &[&long]);
    assert!(message.chars().count() < MAX_QUOTE_CHARS + 150);
}

#[test]
fn a_kill_for_want_of_memory_is_told_from_any_other() {
    let kernel = |limit| KillSource::Kernel(ExhaustedMemory::Group { limit });
    let system = KillSource::Kernel(ExhaustedMemory::System);
    let table = [
        (
            kernel(Some(64 << 20)),
            OutOfMemory,
            "because the 64 MiB of its cgroup ran out",
            "MemoryMax=",
        ),
        (
            kernel(None),
            OutOfMemory,
            "because the memory of its cgroup ran out",
            "fewer models",
        ),
        (
            system,
            OutOfMemory,
            "because the system's memory ran out",
            "smaller context",
        ),
        (
            KillSource::Other,
            Killed,
            "another process sent SIGKILL",
            "systemd-oomd",
        ),
        (
            KillSource::Unknown,
            Killed,
            "loading",
            "check the system log for the kernel's out-of-memory killer",
        ),
    ];
    for phase in [ChildPhase::Starting, ChildPhase::Ready] {
        for exit in [Exit::Signal(9), Exit::Code(137)] {
            for (kill_source, want, why, advice) in table {
                let (class, message) = judge_killed(phase, exit, kill_source, &["loading"]);
                assert_eq!(class, want, "{exit} {kill_source:?}");
                assert!(message.contains(why), "{message}");
                assert!(message.contains(advice), "{message}");
            }
        }
    }
    // A kill by the kernel at the same time does not explain another exit.
    let (class, _) = judge_killed(ChildPhase::Ready, Exit::Signal(15), system, &[]);
    assert_eq!(class, Killed);
    let (class, _) = judge_killed(ChildPhase::Starting, Exit::Signal(11), system, &[]);
    assert_eq!(class, Crashed);
}

#[test]
fn a_system_that_starts_nothing_says_what_is_used_up() {
    let table = [
        (Errno::MFILE, TooManyFiles, "ulimit -n"),
        (Errno::NFILE, TooManyFiles, "fs.file-max"),
        (Errno::AGAIN, TooManyProcesses, "ulimit -u"),
        (Errno::NOMEM, OutOfMemory, "unload another model"),
        (Errno::NOSPC, DiskFull, "free up space"),
        (Errno::NOENT, MissingBinary, "check the installation"),
        (Errno::ACCESS, NotExecutable, "check the installation"),
        (Errno::TOOBIG, BadFlag, "check the installation"),
        (Errno::IO, Unknown, "check the installation"),
    ];
    for (errno, class, says) in table {
        let failure = spawn_failure(&errno.into());
        assert_eq!(failure.class, class, "{failure}");
        assert!(failure.message.contains(says), "{failure}");
    }
    let port = address_failure(&AddressError::NoPort(Errno::MFILE.into()));
    assert_eq!(port.class, TooManyFiles);
    let port = address_failure(&AddressError::NoPort(Errno::ADDRINUSE.into()));
    assert_eq!(port.class, AddressInUse);
}
