//! Recognises a server that does not have the standard input which paddock holds open for its child.
//!
//! A llama-server that reports its state exits when its standard input ends ([`crate::state_report`]). A
//! shell gives /dev/null to a command that it runs in the background (POSIX.1-2024, Shell Command Language,
//! 2.9.3 "Asynchronous AND-OR Lists"), so such a server would exit as soon as it is ready.

use std::{fs, io, path::Path};

use crate::state_report;

/// Returns true if a process reads the end of its standard input at once: nothing is open there, or /dev/null.
///
/// A process that cannot be examined, or that is exiting, counts as one that has its input.
pub(crate) fn is_at_end(pid: i32) -> bool {
    match fs::read_link(format!("/proc/{pid}/fd/0")) {
        Ok(target) => target == Path::new("/dev/null"),
        Err(error) => error.kind() == io::ErrorKind::NotFound && has_program(pid),
    }
}

/// Returns false if a process has exited, reaped or not. An exiting process gives up its program before it closes its
/// descriptors (`do_exit` in Linux's kernel/exit.c).
fn has_program(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

/// Returns true if an exited child has written that the end of its standard input was the cause.
pub(crate) fn was_the_cause(lines: &[String]) -> bool {
    let mut lines = lines.iter();
    lines.any(|line| line.contains(state_report::INPUT_ENDED))
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn a_pipe_is_an_input_and_the_null_device_is_none() {
        for (stdin, at_end) in [(Stdio::piped(), false), (Stdio::null(), true)] {
            let mut child = Command::new("/bin/sleep")
                .arg("1000")
                .stdin(stdin)
                .spawn()
                .unwrap();
            assert_eq!(is_at_end(child.id().cast_signed()), at_end);
            child.kill().unwrap();
            let exited = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            waitid(WaitId::Pid(Pid::from_child(&child)), exited).unwrap();
            assert!(
                !is_at_end(child.id().cast_signed()),
                "a process that has exited and is not reaped"
            );
            child.wait().unwrap();
            assert!(
                !is_at_end(child.id().cast_signed()),
                "a process that is gone"
            );
        }
    }
}
