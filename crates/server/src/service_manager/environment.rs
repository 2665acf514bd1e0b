//! Reads the environment variables by which a service manager describes its socket and watchdog.

use super::ServiceManager;
use crate::platform_sockets;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::time::Duration;

/// An invalid variable of the service manager.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvironmentError {
    #[error(
        "NOTIFY_SOCKET is {0:?}, which is neither an absolute path of at most 107 bytes nor `@` and a name; \
         nothing is reported to the service manager"
    )]
    Socket(OsString),
    #[error(
        "{name} is {value:?}, which is not a number above 0; the service manager should set it; no \
         watchdog notifications will be sent"
    )]
    Number { name: &'static str, value: OsString },
}

/// Reads the variables of `sd_notify(3)` and `sd_watchdog_enabled(3)` for the process `own_pid`.
pub(super) fn read(
    variable: impl Fn(&str) -> Option<OsString>,
    own_pid: u32,
) -> (Option<ServiceManager>, Vec<EnvironmentError>) {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let Some(socket) = variable("NOTIFY_SOCKET") else {
        return (None, Vec::new());
    };
    let Some(address) = parse_address(&socket) else {
        return (None, vec![EnvironmentError::Socket(socket)]);
    };
    let number = |name| match variable(name) {
        Some(value) => parse_positive(name, value).map(Some),
        None => Ok(None),
    };
    let watchdog = number("WATCHDOG_USEC").and_then(|micros| {
        let pid = number("WATCHDOG_PID")?;
        // A watchdog for another process was inherited by accident.
        let is_ours = pid.is_none_or(|pid| pid == u64::from(own_pid));
        Ok(micros.filter(|_| is_ours).map(Duration::from_micros))
    });
    let (watchdog, errors) = match watchdog {
        Ok(watchdog) => (watchdog, Vec::new()),
        Err(error) => (None, vec![error]),
    };
    (Some(ServiceManager::new(address, watchdog)), errors)
}

fn parse_address(socket: &OsStr) -> Option<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => platform_sockets::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(socket).ok(),
        _ => None,
    }
}

fn parse_positive(name: &'static str, value: OsString) -> Result<u64, EnvironmentError> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|number| *number > 0)
        .ok_or(EnvironmentError::Number { name, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a manager was found, its watchdog interval, and the errors.
    fn found(variables: &[(&str, &str)]) -> (bool, Option<Duration>, String) {
        let variable = |name: &str| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| OsString::from(value))
        };
        let (manager, errors) = read(variable, 7);
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let watchdog = manager.as_ref().and_then(|manager| manager.watchdog);
        (manager.is_some(), watchdog, errors.join("\n"))
    }

    #[test]
    fn the_socket_is_a_path_or_a_name_and_what_is_neither_is_said() {
        let long = format!("/{}", "a".repeat(108));
        for (socket, there) in [
            ("/run/systemd/notify", true),
            ("@/org/freedesktop/systemd1/notify", true),
            ("", false),
        ] {
            let found = found(&[("NOTIFY_SOCKET", socket)]);
            assert_eq!(found, (there, None, String::new()), "{socket}");
        }
        for socket in ["notify", "vsock:2:1", long.as_str()] {
            let (there, _, errors) = found(&[("NOTIFY_SOCKET", socket)]);
            assert!(!there, "{socket}");
            assert!(errors.contains(socket), "{errors}");
        }
        assert_eq!(
            found(&[("WATCHDOG_USEC", "1")]),
            (false, None, String::new())
        );
    }

    #[test]
    fn the_watchdog_is_for_this_process_and_a_number() {
        let second = Some(Duration::from_secs(1));
        let with = |usec, pid| {
            found(&[
                ("NOTIFY_SOCKET", "/n"),
                ("WATCHDOG_USEC", usec),
                ("WATCHDOG_PID", pid),
            ])
        };
        for (usec, pid, expected) in [
            ("1000000", "7", second),
            ("1000000", "", second),
            ("1000000", "8", None),
            ("", "7", None),
        ] {
            let found = with(usec, pid);
            assert_eq!(found, (true, expected, String::new()), "{usec} {pid}");
        }
        for (usec, pid, words) in [
            ("soon", "7", "WATCHDOG_USEC is \"soon\""),
            ("0", "7", "WATCHDOG_USEC is \"0\""),
            ("-1", "7", "WATCHDOG_USEC is \"-1\""),
            ("1", "me", "WATCHDOG_PID is \"me\""),
        ] {
            let (there, watchdog, errors) = with(usec, pid);
            assert!(there && watchdog.is_none(), "{usec} {pid}");
            assert!(errors.contains(words), "{errors}");
        }
    }
}
