"""Tries to leave a child's sandbox, and prints as JSON what came of each attempt: "done", or an error's name."""

import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import socket
import subprocess
import sys

VICTIM = int(sys.argv[1])  # paddock
FILE = sys.argv[2]  # a file of the same user, to which nothing is granted
READABLE = sys.argv[3]  # a file that may be read
HOST, PORT = sys.argv[4].rsplit(":", 1)  # paddock's admin plane

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
MPTCP, SEQPACKET, FAST_OPEN, X32 = 262, 5, 0x20000000, 0x40000000
PROCESS, NAMED = 1, -100  # IOPRIO_WHO_PROCESS, AT_FDCWD


def system_call(number, *arguments):
    """Calls the kernel; an error raises."""
    arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    ctypes.set_errno(0)
    result = LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def path(text):
    return ctypes.c_char_p(text.encode())


def answer(connection):
    """Reads paddock's status, which is a child's to see nowhere."""
    connection.settimeout(10)
    assert connection.recv(12).startswith(b"HTTP/1.1 ")


REQUEST = f"GET /api/status HTTP/1.1\r\nhost: {HOST}:{PORT}\r\nconnection: close\r\n\r\n".encode()


def connect(kind=socket.SOCK_STREAM, protocol=0):
    with socket.socket(socket.AF_INET, kind, protocol) as connection:
        connection.connect((HOST, int(PORT)))
        connection.sendall(REQUEST)
        answer(connection)


def connect_by_sending(message):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        if message:
            connection.sendmsg([REQUEST], [], FAST_OPEN, (HOST, int(PORT)))
        else:
            connection.sendto(REQUEST, FAST_OPEN, (HOST, int(PORT)))
        answer(connection)


def listen_unbound(family, host):
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.listen()
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.connect((host, listener.getsockname()[1]))


def send_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"a prompt", ("127.0.0.1", 9))


def make_socket(family, kind, protocol=0):
    os.close(system_call(41 if X86 else 198, int(family), int(kind), protocol))


def set_scheduler(call):
    """Sets what the victim has already."""
    parameters = (ctypes.c_int * 1)(0)
    attributes = (ctypes.c_uint32 * 12)(48)
    if call == "policy":
        system_call(144 if X86 else 119, VICTIM, 0, parameters)
    elif call == "parameters":
        system_call(142 if X86 else 118, VICTIM, parameters)
    else:
        system_call(314 if X86 else 274, VICTIM, attributes, 0)


def limit_as_it_is(pid):
    resource.prlimit(pid, resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))


def flags_of(file):
    with open(file, "rb") as opened:
        flags = bytearray(8)
        fcntl.ioctl(opened, 0x80086601, flags)
        fcntl.ioctl(opened, 0x40086602, bytes(flags))


def change_opened(change):
    with open(READABLE, "rb") as opened:
        change(opened.fileno())


def copy_into_victim():
    """Writes to an address where nothing is: who may write is told EFAULT."""
    here = ctypes.create_string_buffer(1)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(here), 1)
    try:
        system_call(311 if X86 else 271, VICTIM, local, 1, (ctypes.c_size_t * 2)(4096, 1), 1, 0)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


def trace_victim():
    # This process lets go of it when it ends.
    system_call(101 if X86 else 117, 0x4206, VICTIM, 0, 0)


def own_scheduling():
    """Sets everything of its own that is named by 0, and has a helper do the same."""
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    subprocess.run(["/bin/sh", "-c", "ulimit -n 100 && exec true"], check=True)


def own_sockets():
    one, other = socket.socketpair()
    one.close()
    other.close()
    socket.if_nameindex()


def user():
    return os.getuid(), os.getgid()


NETWORK = {
    "tcp": connect,
    "mptcp": lambda: connect(protocol=MPTCP),
    "fast open by sendto": lambda: connect_by_sending(False),
    "fast open by sendmsg": lambda: connect_by_sending(True),
    "listen without bind": lambda: listen_unbound(socket.AF_INET, "127.0.0.1"),
    "listen without bind, IPv6": lambda: listen_unbound(socket.AF_INET6, "::1"),
    "udp": send_datagram,
    "packets in sequence": lambda: make_socket(socket.AF_INET, SEQPACKET),
    "virtual sockets": lambda: make_socket(socket.AF_VSOCK, socket.SOCK_STREAM),
    "shared memory sockets": lambda: make_socket(43, socket.SOCK_STREAM),
    "reliable datagrams": lambda: make_socket(21, SEQPACKET),
    "cluster sockets": lambda: make_socket(socket.AF_TIPC, socket.SOCK_STREAM),
    "raw packets": lambda: make_socket(socket.AF_PACKET, socket.SOCK_RAW),
    "list of sockets": lambda: make_socket(socket.AF_NETLINK, socket.SOCK_RAW, 4),
}
PROCESSES = {
    "limits": lambda: limit_as_it_is(VICTIM),
    "priority": lambda: os.setpriority(
        os.PRIO_PROCESS, VICTIM, os.getpriority(os.PRIO_PROCESS, VICTIM)
    ),
    "priority of a user": lambda: os.setpriority(os.PRIO_USER, 4_000_000, 0),
    "priority of its group": lambda: os.setpriority(
        os.PRIO_PGRP, os.getpgid(VICTIM), os.getpriority(os.PRIO_PROCESS, VICTIM)
    ),
    "priority of its disk": lambda: system_call(251 if X86 else 30, PROCESS, VICTIM, 0),
    "memory": copy_into_victim,
    "tracing": trace_victim,
}
SCHEDULING = {
    "processors": lambda: os.sched_setaffinity(VICTIM, os.sched_getaffinity(VICTIM)),
    "policy": lambda: set_scheduler("policy"),
    "parameters": lambda: set_scheduler("parameters"),
    "attributes": lambda: set_scheduler("attributes"),
}
METADATA = {
    "chmod": lambda: os.chmod(FILE, 0o600),
    "fchmod": lambda: change_opened(lambda fd: os.fchmod(fd, 0o600)),
    "fchmodat": lambda: system_call(268 if X86 else 53, NAMED, path(FILE), 0o600),
    "fchmodat2": lambda: system_call(452, NAMED, path(FILE), 0o600, 0),
    "chown": lambda: os.chown(FILE, *user()),
    "lchown": lambda: os.lchown(FILE, *user()),
    "fchown": lambda: change_opened(lambda fd: os.fchown(fd, *user())),
    "fchownat": lambda: system_call(260 if X86 else 54, NAMED, path(FILE), *user(), 0),
    "utimensat": lambda: os.utime(FILE, (1, 1)),
    "futimens": lambda: change_opened(lambda fd: os.utime(fd, (1, 1))),
    "setxattr": lambda: os.setxattr(FILE, "user.a", b"1"),
    "fsetxattr": lambda: change_opened(lambda fd: os.setxattr(fd, "user.a", b"1")),
    "lsetxattr": lambda: os.setxattr(FILE, "user.a", b"1", follow_symlinks=False),
    "removexattr": lambda: os.removexattr(FILE, "user.a"),
    "fremovexattr": lambda: change_opened(lambda fd: os.removexattr(fd, "user.a")),
    "flags": lambda: flags_of(READABLE),
}
if X86:
    METADATA |= {
        "old chmod": lambda: system_call(90, path(FILE), 0o600),
        "old chown": lambda: system_call(92, path(FILE), *user()),
        "old lchown": lambda: system_call(94, path(FILE), *user()),
        "utime": lambda: system_call(132, path(FILE), None),
        "utimes": lambda: system_call(235, path(FILE), None),
        "futimesat": lambda: system_call(261, NAMED, path(FILE), None),
    }
ATTEMPTS = {
    "network": NETWORK,
    "processes": PROCESSES,
    "scheduling": SCHEDULING,
    "metadata": METADATA,
    "rings": {"io_uring": lambda: os.close(system_call(425, 1, (ctypes.c_uint32 * 30)()))},
    "old numbers": {"x32": lambda: system_call(X32 | 39)} if X86 else {},
    "its own": {"scheduling": own_scheduling, "sockets": own_sockets},
}


def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except Exception as error:
        return repr(error)
    return "done"


print(json.dumps({kind: {name: outcome(a) for name, a in of.items()} for kind, of in ATTEMPTS.items()}))
