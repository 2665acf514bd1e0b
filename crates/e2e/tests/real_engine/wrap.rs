use crate::support::{SMALL, engine, model, ok};
use paddock_e2e::harness::{Address, Connection, HttpResponse, LIMIT, get, post, wait_until};
use std::process::{Child, Command, Stdio};

/// The command, but for its address.
fn arguments() -> Vec<String> {
    let model = model().display().to_string();
    let own = ["-m", &model, "-c", "512", "-np", "1", "--alias", "a"];
    own.iter()
        .chain(&SMALL)
        .map(|&word| word.to_owned())
        .collect()
}

/// The command by itself.
struct Bare(Child);

impl Bare {
    fn start(address: &str) -> Self {
        let child = Command::new(engine())
            .args(arguments())
            .args(["--host", address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the engine"))
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn ask(address: &Address, request: &str) -> Option<HttpResponse> {
    let mut connection = Connection::try_connect(address).ok()?;
    Some(connection.ask(request))
}

/// An answer's head, without what belongs to its connection or was added.
fn head(answer: &HttpResponse) -> Vec<(String, String)> {
    let ends_here = ["connection", "keep-alive", "x-request-id"];
    let fields = answer.head.fields.iter();
    let stays = |name: &str| !ends_here.contains(&name.to_ascii_lowercase().as_str());
    fields.filter(|(name, _)| stays(name)).cloned().collect()
}

#[test]
fn a_wrapped_command_answers_as_the_bare_one_does() {
    let builder = paddock_e2e::paddock!().engine(engine());
    let socket = builder.directory().join("bare.sock").display().to_string();
    let mut words = arguments();
    words.extend(["--host", "127.0.0.1", "--port", "0"].map(str::to_owned));
    let paddock = builder.wrap(words);
    let bare_at = Address::parse(&format!("unix:{socket}"));
    let bare = Bare::start(&socket);
    for address in [&bare_at, paddock.public()] {
        wait_until(LIMIT, "a loaded model", || {
            ask(address, &get("/health")).is_some_and(|answer| answer.status == 200)
        });
    }

    let chat = r#"{"messages":[{"role":"user","content":"Hi"}],"max_tokens":8,"temperature":0}"#;
    for request in [
        get("/health"),
        get("/nothing"),
        get("/upstream/a/health"),
        post("/tokenize", r#"{"content":"Hello"}"#),
        post("/v1/embeddings", r#"{"input":"Hello"}"#),
        post("/v1/chat/completions", "nonsense"),
    ] {
        let line = request.lines().next().expect("a request").to_owned();
        let itself = ask(&bare_at, &request).expect("an answer");
        let wrapped = paddock.ask(&request);
        assert_eq!(wrapped.status, itself.status, "{line}");
        assert_eq!(head(&wrapped), head(&itself), "{line}");
        assert_eq!(wrapped.text(), itself.text(), "{line}");
    }
    let mut itself = ok(ask(&bare_at, &get("/props")).expect("an answer")).json();
    // Another one in each process.
    itself["media_marker"] = paddock.get("/props").json()["media_marker"].clone();
    assert_eq!(paddock.get("/props").json(), itself);
    let itself = ok(ask(&bare_at, &post("/v1/chat/completions", chat)).expect("an answer"));
    let wrapped = ok(paddock.post("/v1/chat/completions", chat));
    assert_eq!(wrapped.json()["choices"], itself.json()["choices"]);
    assert_eq!(wrapped.json()["model"], "a");
    drop(bare);
}
