use std::io;

use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::*;
use crate::sandbox::Network;

#[test]
fn each_sandbox_has_a_filter_that_a_kernel_takes() {
    let confined = Sandbox {
        files: Some(Vec::new()),
        ..Sandbox::default()
    };
    for network in [Network::Open, Network::Closed, Network::Listen(80)] {
        for landlocked in [false, true] {
            for sandbox in [confined.clone(), Sandbox::default()] {
                let sandbox = Sandbox { network, ..sandbox };
                // The filter holds for this thread alone.
                let installed = thread::spawn(move || install(&sandbox, landlocked));
                installed.join().unwrap().unwrap();
            }
        }
    }
    assert!(is_available());
}

#[test]
fn a_system_without_filters_is_told_from_a_filter_that_fails() {
    let refused = |errno| Error::Seccomp(io::Error::from_raw_os_error(errno)).into();
    let table: [(FilterError, bool); 6] = [
        (FilterError::Architecture, true),
        (refused(libc::ENOSYS), true),
        (refused(libc::EINVAL), true),
        (refused(libc::EPERM), true),
        (refused(libc::ENOMEM), false),
        (Error::EmptyFilter.into(), false),
    ];
    for (error, is_of_this_system) in table {
        assert_eq!(error.is_of_this_system(), is_of_this_system, "{error}");
    }
}

#[test]
fn without_landlock_the_filter_denies_to_trace() {
    for (landlocked, outcome) in [(true, None), (false, Some(Errno::PERM))] {
        let attempt = move || {
            install(&Sandbox::default(), landlocked).unwrap();
            let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
            pidfd_getfd(&process, 0, PidfdGetfdFlags::empty()).err()
        };
        assert_eq!(thread::spawn(attempt).join().unwrap(), outcome);
    }
}
