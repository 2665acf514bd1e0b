//! Slots are held while text is made, and given back.

use super::support::{Fake, stream_of, wait_until, whole_of};

fn wait_for_busy(fake: &Fake, wanted: &[bool]) {
    wait_until(&format!("slots {wanted:?}"), || {
        (fake.busy_slots() == wanted).then_some(())
    });
}

#[test]
fn a_slot_is_busy_while_a_stream_runs() {
    let fake = Fake::ready(&["-np", "2", "--fake-token-ms", "5"]);
    assert_eq!(fake.busy_slots(), [false, false]);
    let mut connection = fake.connect();
    connection.send(stream_of(100_000));
    connection.until("token 1 ");
    assert_eq!(fake.busy_slots(), [true, false]);
    assert_eq!(fake.state("generations_running"), 1);
    assert_eq!(fake.state("streams_open"), 1);
    // The next write notices that the client has left.
    drop(connection);
    wait_for_busy(&fake, &[false, false]);
    fake.wait_for_state("streams_open", 0);
}

#[test]
fn a_stream_that_ends_frees_its_slot() {
    let fake = Fake::ready(&["-np", "1"]);
    let mut connection = fake.connect();
    connection.send(stream_of(3));
    connection.rest();
    wait_for_busy(&fake, &[false]);
}

#[test]
fn more_requests_than_slots_wait_in_order() {
    let fake = Fake::ready(&["-np", "1", "--fake-token-ms", "2"]);
    let mut first = fake.connect();
    first.send(stream_of(100_000));
    first.until("token 1 ");
    let mut second = fake.connect();
    second.send(stream_of(2));
    fake.wait_for_state("generations_deferred", 1);
    let mut third = fake.connect();
    third.send(whole_of(2));
    fake.wait_for_state("generations_deferred", 2);
    assert_eq!(fake.state("generations_running"), 1);
    drop(first);
    assert!(second.rest().contains("token 2 "));
    assert_eq!(third.answer().status(), 200);
    fake.wait_for_state("generations_deferred", 0);
}

#[test]
fn who_leaves_the_queue_is_forgotten() {
    let fake = Fake::ready(&["-np", "1", "--fake-token-ms", "1200"]);
    let mut first = fake.connect();
    first.send(stream_of(100_000));
    fake.wait_for_state("generations_running", 1);
    let mut second = fake.connect();
    second.send(stream_of(2));
    fake.wait_for_state("generations_deferred", 1);
    drop(second);
    fake.wait_for_state("generations_deferred", 0);
}

#[test]
fn a_client_that_left_without_a_stream_is_noticed_after_a_quiet_second() {
    let fake = Fake::ready(&["-np", "1", "--fake-token-ms", "1000"]);
    let mut connection = fake.connect();
    connection.send(whole_of(100));
    fake.wait_for_state("generations_running", 1);
    drop(connection);
    fake.wait_for_state("generations_running", 0);
}

#[test]
fn on_a_busy_server_it_keeps_its_slot() {
    let fake = Fake::ready(&["-np", "2", "--fake-token-ms", "5"]);
    let mut stream = fake.connect();
    stream.send(stream_of(100_000));
    stream.until("token 1 ");
    let mut leaving = fake.connect();
    leaving.send(whole_of(100_000));
    fake.wait_for_state("generations_running", 2);
    drop(leaving);
    // About 2 s of tokens, none of which leaves a quiet second.
    stream.until("token 400 ");
    assert_eq!(fake.busy_slots(), [true, true]);
    drop(stream);
    fake.wait_for_state("generations_running", 0);
}
