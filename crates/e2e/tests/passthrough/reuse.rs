use crate::support::{binary, both_kinds, echo_counted};
use paddock_e2e::harness::Connection;

#[test]
fn one_connection_serves_more_requests_than_the_childs_do() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    for address in paddock.public_addresses() {
        let mut connection = Connection::connect(address);
        for number in 0..250 {
            // Now and then one that could not be sent a second time.
            let len = if number % 50 == 49 { 200_000 } else { 200 };
            let request = echo_counted(&binary(len, number));
            let answer = connection.ask(&request);
            assert_eq!(answer.status, 200, "request {number}: {:?}", answer.head);
            assert!(answer.body == request, "request {number}");
            assert!(!answer.head.closes(), "request {number}");
        }
    }
}
