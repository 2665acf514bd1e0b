//! The same requests to a command with and without `paddock wrap --`.

use paddock_e2e::harness::{Address, Connection, HttpResponse, PaddockBuilder, get};
use paddock_e2e::paddock;

use crate::direct::{Direct, free_port};
use crate::same_requests::{always, loaded, too_large};

/// What differs between two runs of the same command: when, and how long it took.
const OF_THE_MOMENT: [&str; 6] = [
    "\"created\":",
    "\"created_at\":",
    "\"completed_at\":",
    "\"predicted_ms\":",
    "\"predicted_per_token_ms\":",
    "\"predicted_per_second\":",
];

/// Fields of one connection only (RFC 9110 §7.6.1), and the one that paddock adds.
const OF_THE_CONNECTION: [&str; 3] = ["connection", "keep-alive", "x-request-id"];

/// What a client sees of an answer.
#[derive(Debug, PartialEq)]
struct Seen {
    status_line: String,
    fields: Vec<(String, String)>,
    body: String,
    trailers: String,
}

impl Seen {
    fn of(answer: &HttpResponse) -> Self {
        let raw = String::from_utf8_lossy(&answer.head.raw);
        let body = without_the_moment(&answer.text());
        let masked = body != answer.text();
        let fields = answer.head.fields.iter().filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            // The client's reading of the body has checked that length.
            !(OF_THE_CONNECTION.contains(&&*name) || masked && name == "content-length")
        });
        Self {
            status_line: raw.lines().next().unwrap().to_owned(),
            fields: fields.cloned().collect(),
            body,
            trailers: String::from_utf8_lossy(&answer.trailers).into_owned(),
        }
    }
}

/// Puts a zero for each number that depends on the moment.
fn without_the_moment(text: &str) -> String {
    let mut text = text.to_owned();
    for key in OF_THE_MOMENT {
        let mut parts = text.split(key);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out += key;
            out += "0";
            out += part.trim_start_matches(|c: char| c.is_ascii_digit() || ".e-".contains(c));
        }
        text = out;
    }
    text
}

fn ask(address: &Address, request: &[u8]) -> Seen {
    Seen::of(&Connection::connect(address).ask(request))
}

/// Sends every request to both and compares what comes back.
fn compare(direct: &Address, wrapped: &Address, requests: &[(&'static str, Vec<u8>)]) {
    for (name, request) in requests {
        let (direct, wrapped) = (ask(direct, request), ask(wrapped, request));
        assert_eq!(direct, wrapped, "{name}");
    }
}

/// The arguments of the command, but for its address.
fn args(builder: &PaddockBuilder, more: &[&str]) -> Vec<String> {
    let model = builder.model_path().display().to_string();
    let mut args = vec!["-m".to_owned(), model];
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    args
}

/// Runs the command at one port, and wrapped at another one, both of this machine.
fn with_both(more: &[&str], test: impl Fn(&Address, &Address)) {
    let builder = paddock!();
    let at = |port: u16| {
        let mut args = args(&builder, more);
        args.extend(["--host", "127.0.0.1", "--port"].map(str::to_owned));
        args.push(port.to_string());
        args
    };
    let direct_at = Address::parse(&format!("127.0.0.1:{}", free_port()));
    let wrapped_at = Address::parse(&format!("127.0.0.1:{}", free_port()));
    let direct_args = at(direct_at.port());
    let wrapped_args = at(wrapped_at.port());
    let engine = builder.engine_path().to_owned();
    let paddock = builder.wrap(wrapped_args);
    // Ends before paddock does, which looks whether anything is left.
    let _direct = Direct::start(&engine, &direct_args, &direct_at);
    assert_eq!(paddock.public_addresses().len(), 1);
    assert_eq!(paddock.public(), &wrapped_at);
    test(&direct_at, &wrapped_at);
}

fn wait_loaded(address: &Address) {
    paddock_e2e::harness::wait_until(paddock_e2e::harness::LIMIT, "a loaded model", || {
        Connection::connect(address).ask(get("/health")).status == 200
    });
}

#[test]
fn answers_are_the_same_with_flags_that_change_them() {
    let flags = [
        "--embeddings",
        "-a",
        "the-alias",
        "-c",
        "4096",
        "-np",
        "2",
        "--api-prefix",
        "/llm",
    ];
    with_both(&flags, |direct, wrapped| {
        let prefixed = |address: &Address, path: &str| {
            Connection::connect(address).ask(get(&format!("/llm{path}")))
        };
        for address in [direct, wrapped] {
            paddock_e2e::harness::wait_until(paddock_e2e::harness::LIMIT, "health", || {
                prefixed(address, "/health").status == 200
            });
        }
        let requests: Vec<_> = loaded()
            .into_iter()
            .map(|(name, bytes)| {
                let end = bytes.iter().position(|byte| *byte == b' ').unwrap() + 1;
                let mut prefixed = bytes[..end].to_vec();
                prefixed.extend(b"/llm");
                prefixed.extend(&bytes[end..]);
                (name, prefixed)
            })
            .collect();
        compare(direct, wrapped, &requests);
        // Without the prefix nothing is there, with and without paddock.
        compare(direct, wrapped, &always());
    });
}

#[test]
fn answers_are_the_same_while_the_model_loads() {
    with_both(&["--fake-load-ms", "600000"], |direct, wrapped| {
        let loading = ask(wrapped, get("/health").as_bytes());
        assert!(loading.status_line.contains("503"), "{loading:?}");
        assert!(loading.body.contains("Loading model"), "{loading:?}");
        compare(direct, wrapped, &always());
    });
}

#[test]
fn a_body_that_is_too_large_is_refused_by_the_child_in_its_own_words() {
    with_both(&[], |direct, wrapped| {
        wait_loaded(direct);
        wait_loaded(wrapped);
        let request = too_large();
        let (direct, wrapped) = (ask(direct, &request), ask(wrapped, &request));
        assert!(direct.status_line.contains("413"), "{direct:?}");
        assert_eq!(direct, wrapped);
    });
}
