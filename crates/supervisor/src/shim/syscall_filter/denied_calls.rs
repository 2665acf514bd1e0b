//! Lists the system calls that are denied to a child, with the arguments that are denied.

use seccompiler::{
    BackendError, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompRule,
};

use super::Denied;
use crate::sandbox::{Network, Sandbox};

/// Calls newer than the constants of libc. From number 424 on, a call has the same number on every
/// architecture (the kernel's scripts/syscall.tbl).
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const FILE_SETATTR: i64 = 469;

/// Calls that change a file's mode, owner, times or attributes. Landlock has no rule for them: without these
/// denials they reach every file of the child's user, whether the child may open it or not.
const METADATA: [i64; 15] = [
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    REMOVEXATTRAT,
    FILE_SETATTR,
];

/// The older forms of these calls, which architectures newer than x86-64 never had.
#[cfg(target_arch = "x86_64")]
const OLD_METADATA: [i64; 6] = [
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_METADATA: [i64; 0] = [];

/// Requests of ioctl(2) that change attributes of a file that was opened for reading: `FS_IOC_SETFLAGS`, the same
/// of 32 bits, `FS_IOC_FSSETXATTR`, `FS_IOC_SETVERSION`, and `FS_IOC_ENABLE_VERITY`, after which the file can
/// never be written again (the kernel's include/uapi/linux/fs.h and fsverity.h).
const METADATA_REQUESTS: [u32; 5] = [
    0x4008_6602,
    0x4004_6602,
    0x401c_5820,
    0x4008_7602,
    0x4080_6685,
];

/// The request of ioctl(2) that types on a terminal as if its user did.
const TIOCSTI: u32 = 0x5412;

/// Calls that set the scheduling of any thread of the child's user, identified by the first argument.
const SCHEDULING: [i64; 4] = [
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
];

/// Calls that need the permission to trace the other process. A Landlock domain denies that outside of it, and
/// allows it to debuggers inside: ggml uses one to print the stack of a failed engine.
const TRACING: [i64; 9] = [
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
];

/// `IOPRIO_WHO_PROCESS` (`ioprio_set(2)`).
const IO_PRIORITY_OF_PROCESS: u32 = 1;

/// The bits of socket(2)'s second argument that select the kind; the others are flags (the kernel's
/// include/linux/net.h, `SOCK_TYPE_MASK`).
const SOCKET_KIND: u32 = 0xf;

/// Protocols of netlink by which libraries list network interfaces and devices; they carry no stream.
const NETLINK: [i32; 2] = [libc::NETLINK_ROUTE, libc::NETLINK_KOBJECT_UEVENT];

/// Returns the calls that are denied with EPERM. `own` is the id of this process, which it keeps when it
/// becomes the child's program. A process that the child starts can refer to itself only by 0.
pub(super) fn denied(
    sandbox: &Sandbox,
    landlocked: bool,
    own: u32,
) -> Result<Denied, BackendError> {
    let confined = sandbox.files.is_some();
    let other = |arg| all(&[is_not(arg, 0_u32)?, is_not(arg, own)?]);
    let mut denied = Denied::from([
        (libc::SYS_prlimit64, vec![other(0)?]),
        (
            libc::SYS_setpriority,
            vec![all(&[is_not(0, libc::PRIO_PROCESS)?])?, other(1)?],
        ),
        (
            libc::SYS_ioprio_set,
            vec![all(&[is_not(0, IO_PRIORITY_OF_PROCESS)?])?, other(1)?],
        ),
    ]);
    let mut requests = vec![TIOCSTI];
    if confined {
        let metadata = METADATA.into_iter().chain(OLD_METADATA);
        denied.extend(metadata.map(|call| (call, Vec::new())));
        requests.extend(METADATA_REQUESTS);
    }
    let requests = requests.into_iter().map(|request| all(&[is(1, request)?]));
    denied.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    if !sandbox.scheduling {
        for call in SCHEDULING {
            denied.insert(call, vec![other(0)?]);
        }
    }
    if !landlocked {
        denied.extend(TRACING.map(|call| (call, Vec::new())));
    }
    if confined || sandbox.network != Network::Open {
        // Requests through a ring are no system calls, so no filter sees them.
        denied.insert(libc::SYS_io_uring_setup, Vec::new());
    }
    if matches!(sandbox.network, Network::Listen(_)) {
        denied.extend(fast_open()?);
    }
    Ok(denied)
}

/// Returns the sockets that are denied with EACCES. Without network a child has only sockets of its machine:
/// those with a path or a name, which Landlock's scope confines, and those that query interfaces and devices. A
/// child that listens by TCP also has TCP, which Landlock confines.
pub(super) fn denied_sockets(network: Network) -> Result<Denied, BackendError> {
    let (unix, netlink) = (libc::AF_UNIX, libc::AF_NETLINK);
    let mut family = vec![is_not(0, unix)?, is_not(0, netlink)?];
    let mut protocol = vec![is(0, netlink)?];
    for allowed in NETLINK {
        protocol.push(is_not(2, allowed)?);
    }
    let mut rules = vec![all(&protocol)?];
    match network {
        Network::Open => return Ok(Denied::new()),
        Network::Closed => {}
        Network::Listen(_) => {
            for inet in [libc::AF_INET, libc::AF_INET6] {
                family.push(is_not(0, inet)?);
                rules.extend(all_but_tcp(inet)?);
            }
        }
    }
    rules.push(all(&family)?);
    Ok(Denied::from([
        (libc::SYS_socket, rules.clone()),
        (libc::SYS_socketpair, rules),
    ]))
}

/// Denies the sockets of an Internet family except those of TCP itself.
fn all_but_tcp(family: i32) -> Result<Vec<SeccompRule>, BackendError> {
    let kinds = [
        libc::SOCK_DGRAM,
        libc::SOCK_RAW,
        libc::SOCK_SEQPACKET,
        libc::SOCK_DCCP,
    ];
    let of_kind = |kind| all(&[is(0, family)?, masked_is(1, SOCKET_KIND, kind)?]);
    let mut rules = kinds
        .map(of_kind)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let tcp = libc::IPPROTO_TCP;
    rules.push(all(&[is(0, family)?, is_not(2, 0_u32)?, is_not(2, tcp)?])?);
    Ok(rules)
}

/// Denies sending with `MSG_FASTOPEN`, which connects without a call that Landlock sees.
fn fast_open() -> Result<[(i64, Vec<SeccompRule>); 3], BackendError> {
    let flags = |arg| all(&[masked_is(arg, libc::MSG_FASTOPEN, libc::MSG_FASTOPEN)?]);
    Ok([
        (libc::SYS_sendto, vec![flags(3)?]),
        (libc::SYS_sendmsg, vec![flags(2)?]),
        (libc::SYS_sendmmsg, vec![flags(3)?]),
    ])
}

/// Makes a rule that matches if all conditions hold.
fn all(conditions: &[SeccompCondition]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.to_vec())
}

fn is(arg: u8, value: impl Word) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(arg, Dword, SeccompCmpOp::Eq, value.word())
}

fn is_not(arg: u8, value: impl Word) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(arg, Dword, SeccompCmpOp::Ne, value.word())
}

fn masked_is(arg: u8, mask: impl Word, value: impl Word) -> Result<SeccompCondition, BackendError> {
    let masked = SeccompCmpOp::MaskedEq(mask.word());
    SeccompCondition::new(arg, Dword, masked, value.word())
}

/// A value of one of the arguments above. The kernel reads 32 bits of each, and so do the rules.
trait Word {
    fn word(self) -> u64;
}

impl Word for u32 {
    fn word(self) -> u64 {
        self.into()
    }
}

impl Word for i32 {
    fn word(self) -> u64 {
        self.cast_unsigned().into()
    }
}
