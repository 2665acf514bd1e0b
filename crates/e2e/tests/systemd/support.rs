use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

/// Hands over what stands at standard input, or there and at standard output, and becomes the program.
const ONE: &str = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null";
const TWO: &str = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" \"$@\" 3<&0 4<&1 </dev/null >/dev/null";

/// A command that is given sockets, one or two, as systemd does it; names have colons between.
pub(crate) fn activated(command: &Command, sockets: &[&dyn AsFd], names: &str) -> Command {
    let mut by_shell = Command::new("/bin/sh");
    by_shell
        .arg("-c")
        .arg(if sockets.len() == 1 { ONE } else { TWO })
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        by_shell.env(name, value.unwrap_or_default());
    }
    if let Some(directory) = command.get_current_dir() {
        by_shell.current_dir(directory);
    }
    by_shell.env("LISTEN_FDNAMES", names);
    by_shell.stdin(own(sockets[0]));
    match sockets.get(1) {
        Some(second) => by_shell.stdout(own(*second)),
        None => by_shell.stdout(Stdio::null()),
    };
    by_shell
}

fn own(socket: &dyn AsFd) -> OwnedFd {
    socket.as_fd().try_clone_to_owned().unwrap()
}
