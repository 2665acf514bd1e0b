use crate::support::{binary, both_kinds, chunked, echo, echo_counted};
use paddock_e2e::harness::{Address, Connection, Event, post};
use std::thread;

const CLIENTS: u64 = 200;

#[test]
fn two_hundred_clients_get_their_own_answers() {
    let paddock = both_kinds(paddock_e2e::paddock!().config("models.m.parallel = 8"));
    let addresses = paddock.public_addresses();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let address = &addresses[usize::try_from(client).unwrap() % addresses.len()];
            scope.spawn(move || talk(address, client));
        }
    });
    // Those that left in the middle are noticed a moment later.
    paddock.wait_in_flight(0);
}

fn talk(address: &Address, client: u64) {
    let mut connection = Connection::connect(address);
    for round in 0..6 {
        let salt = client * 100 + round;
        let body = binary(usize::try_from(salt * 7919 % 100_000).unwrap(), salt);
        match (client + round) % 6 {
            0 => assert_echoes(&mut connection, &echo_counted(&body)),
            1 => {
                let framed = chunked(&body, &[1 + body.len() / 3]);
                assert_echoes(
                    &mut connection,
                    &echo("Transfer-Encoding: chunked\r\n", &framed),
                );
            }
            2 => assert_pipelines(&mut connection, salt),
            3 => assert_tokens(&mut connection, salt),
            4 => {
                assert_streams(&mut connection, 1 + salt % 40);
                connection = Connection::connect(address);
            }
            // Leaves in the middle.
            _ => {
                let request = echo_counted(&body);
                connection.send(&request[..request.len() / 2]);
                connection = Connection::connect(address);
            }
        }
    }
}

fn assert_echoes(connection: &mut Connection, request: &[u8]) {
    let answer = connection.ask(request);
    assert!(answer.body == request, "{:?}", answer.head);
}

fn assert_pipelines(connection: &mut Connection, salt: u64) {
    let requests: Vec<Vec<u8>> = (0..4)
        .map(|number| echo_counted(&binary(500, salt ^ (number << 32))))
        .collect();
    connection.send(requests.concat());
    for request in requests {
        assert!(connection.answer().body == request);
    }
}

fn assert_tokens(connection: &mut Connection, salt: u64) {
    let text = format!("client {salt}");
    let body = format!(r#"{{"content":"{text}"}}"#);
    let answer = connection.ask(post("/tokenize", &body)).json();
    let tokens = answer["tokens"].as_array().expect("tokens");
    assert!(
        tokens
            .iter()
            .map(|token| token.as_u64().unwrap())
            .eq(text.bytes().map(u64::from))
    );
}

fn assert_streams(connection: &mut Connection, tokens: u64) {
    let body = format!(r#"{{"prompt":"a","stream":true,"n_predict":{tokens}}}"#);
    connection.send(post("/completion", &body));
    assert_eq!(connection.head().status, 200);
    let (events, clean) = connection.events();
    assert!(clean);
    let said = events.iter().map(Event::data);
    let said: String = said.map(|data| content(&data)).collect();
    let expected: Vec<String> = (1..=tokens)
        .map(|number| format!("token {number} "))
        .collect();
    assert_eq!(said, expected.concat());
}

fn content(data: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(data).expect("JSON");
    event["content"].as_str().unwrap_or_default().to_owned()
}
