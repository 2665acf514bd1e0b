use crate::support::{binary, both_kinds, chunked, echo, echo_counted};
use paddock_e2e::harness::{Connection, Paddock};

const LARGE: usize = 64 << 20;

fn each_kind(paddock: &Paddock, test: impl Fn(&mut Connection)) {
    for address in paddock.public_addresses() {
        test(&mut Connection::connect(address));
    }
}

fn assert_echoes(connection: &mut Connection, request: &[u8]) {
    let answer = connection.ask(request);
    assert_eq!(answer.status, 200, "{:?}", answer.head);
    assert_same(&answer.body, request);
}

/// Not `assert_eq`, which would print all of them.
fn assert_same(got: &[u8], sent: &[u8]) {
    if got == sent {
        return;
    }
    let same = got.iter().zip(sent).take_while(|(one, other)| one == other);
    let same = same.count();
    let show = |bytes: &[u8]| {
        let end = bytes.len().min(same + 200);
        bytes[same..end].escape_ascii().to_string()
    };
    panic!("byte {same}: sent {}, got {}", show(sent), show(got));
}

#[test]
fn bodies_of_64_mib_arrive_and_come_back() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let body = binary(LARGE, 1);
    let counted = echo_counted(&body);
    let framed = chunked(&body, &[1, 70_000, 16, 1_000_003, 4096]);
    let framed = echo("Transfer-Encoding: chunked\r\n", &framed);
    each_kind(&paddock, |connection| {
        assert_echoes(connection, &counted);
        assert_echoes(connection, &framed);
    });
}
