//! `paddock chat`, with a stand-in for the admin plane whose words are the test's.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

/// The words of an answer, and whether its connection stays open behind them.
struct Script {
    head: &'static str,
    body: String,
    open: bool,
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nServer: paddock/0\r\nContent-Type: text/event-stream\r\n\r\n";
const JSON: &str = "HTTP/1.1 200 OK\r\nServer: paddock/0\r\nContent-Type: application/json\r\n\r\n";
const THERE: &str =
    "HTTP/1.1 200 OK\r\nServer: paddock/0\r\nContent-Length: 12\r\n\r\n{\"lines\":[]}";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nServer: paddock/0\r\n\r\n";

/// An answer's stream, up to its end.
fn stream(pieces: &[&str]) -> Script {
    let usage = json!({ "choices": [], "usage": { "completion_tokens": 2, "prompt_tokens": 5 },
        "timings": { "predicted_per_second": 40.0 } });
    let body = pieces.iter().map(|text| delta(text)).collect::<String>();
    Script {
        head: STREAM,
        body: format!("{body}data: {usage}\n\ndata: [DONE]\n\n"),
        open: false,
    }
}

fn delta(text: &str) -> String {
    let event = json!({ "choices": [{ "delta": { "content": text } }] });
    format!("data: {event}\n\n")
}

/// Somebody to ask: where, what was asked, and when an asker has left.
struct Plane {
    at: String,
    asked: Receiver<Value>,
    left: Receiver<()>,
}

impl Plane {
    /// Answers one chat after the other by these scripts. The model is there for who asks.
    fn new(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let ((ask, asked), (leave, left)) = (channel(), channel());
        thread::spawn(move || {
            for script in scripts {
                let (mut stream, said) = loop {
                    let (mut stream, _) = listener.accept().unwrap();
                    match request(&stream) {
                        Some(said) => break (stream, said),
                        None => stream.write_all(THERE.as_bytes()).unwrap(),
                    }
                };
                let _unheard = ask.send(said);
                stream.write_all(script.head.as_bytes()).unwrap();
                stream.write_all(script.body.as_bytes()).unwrap();
                if script.open {
                    // It ends when the asker closes.
                    let _read = stream.read(&mut [0]);
                    let _unheard = leave.send(());
                }
            }
        });
        Self { at, asked, left }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paddock"));
        command.arg("chat").args(args).env_clear();
        command.env("PADDOCK_ADMIN", &self.at).env("TERM", "xterm");
        command
    }

    /// Runs a chat with this on standard input: its exit code, standard output and standard error.
    fn run(&self, args: &[&str], input: &str) -> (i32, String, String) {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // Who does not read what it is told is allowed not to.
        let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
        shown(child.wait_with_output().unwrap())
    }
}

fn shown(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (
        code,
        text(output.stdout),
        figures_alike(&text(output.stderr)),
    )
}

/// Times differ from run to run.
fn figures_alike(text: &str) -> String {
    let Some((before, after)) = text.split_once("first token after ") else {
        return text.to_owned();
    };
    let (seconds, after) = after.split_once(" s").unwrap();
    assert!(seconds.parse::<f64>().unwrap() < 30.0, "{text}");
    format!("{before}first token after TIME s{}", figures_alike(after))
}

/// Reads a request and returns the body of a chat; of the question before it, nothing.
fn request(stream: &TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let is_chat = line == "POST /api/chat HTTP/1.1\r\n";
    assert!(
        is_chat || line == "GET /api/models/m/logs?n=0 HTTP/1.1\r\n",
        "{line}"
    );
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    is_chat.then(|| serde_json::from_slice(&body).unwrap())
}

const FIGURES: &str = "2 tokens at 40.0 tok/s, first token after TIME s, prompt 5\n";

#[test]
fn an_answer_is_streamed_and_its_cost_told_besides() {
    let plane = Plane::new(vec![stream(&["Hel", "lo\u{1b}[31m"])]);
    let ran = plane.run(&["m", "hi", "--system", "be kind"], "");
    let expected = (0, "Hello\u{1b}[31m\n".to_owned(), FIGURES.to_owned());
    assert_eq!(ran, expected, "a pipe gets it as it is");
    let asked = plane.asked.recv().unwrap();
    let messages = json!([{ "role": "system", "content": "be kind" },
        { "role": "user", "content": "hi" }]);
    let expected = json!({ "model": "m", "stream": true,
        "stream_options": { "include_usage": true }, "messages": messages });
    assert_eq!(asked, expected);
}

#[test]
fn standard_input_is_asked_or_follows_the_prompt() {
    let scripts = (0..3).map(|_| stream(&["ok"])).collect();
    let plane = Plane::new(scripts);
    for (args, content) in [
        (&["m"][..], "some\ntext"),
        (&["m", "-"], "some\ntext"),
        (&["m", "sum up"], "sum up\n\nsome\ntext"),
    ] {
        assert_eq!(plane.run(args, "some\ntext\n").0, 0);
        let asked = plane.asked.recv().unwrap();
        assert_eq!(asked["messages"][0]["content"], content);
    }
    let (code, _, error) = plane.run(&["m"], "\n");
    assert_eq!(code, 1);
    insta::assert_snapshot!("chat_nothing", error);
}

#[test]
fn an_image_goes_along() {
    let plane = Plane::new(vec![stream(&["a cat"])]);
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("a.png");
    fs::write(&image, b"\x89PNG\r\n\x1a\n").unwrap();
    let image = image.display().to_string();
    let (code, out, _) = plane.run(&["m", "what?", "--image", &image], "");
    assert_eq!((code, out.as_str()), (0, "a cat\n"));
    let content = plane.asked.recv().unwrap()["messages"][0]["content"].clone();
    let url = json!({ "url": "data:image/png;base64,iVBORw0KGgo=" });
    assert_eq!(content[0], json!({ "type": "image_url", "image_url": url }));
    assert_eq!(content[1], json!({ "type": "text", "text": "what?" }));
    let (code, _, error) = plane.run(&["m", "what?", "--image", "/dev/null"], "");
    assert_eq!(code, 1);
    insta::assert_snapshot!("chat_no_image", error);
}

#[test]
fn json_is_the_whole_message_as_it_was_answered() {
    let body = json!({ "choices": [{ "message": { "role": "assistant", "content": "ho" } }],
        "usage": { "completion_tokens": 1 } });
    let plane = Plane::new(vec![Script {
        head: JSON,
        body: body.to_string(),
        open: false,
    }]);
    let (code, out, error) = plane.run(&["m", "hi", "--json"], "");
    assert_eq!((code, out, error.as_str()), (0, format!("{body}\n"), ""));
    assert_eq!(plane.asked.recv().unwrap().get("stream"), None);
}

#[test]
fn what_goes_wrong_is_said() {
    let refusal = |head, message: &str| Script {
        head,
        body: json!({ "error": { "message": message } }).to_string(),
        open: false,
    };
    let broken = |body: String| Script {
        head: STREAM,
        body,
        open: false,
    };
    let error = json!({ "error": { "message": "the child has died" } });
    let plane = Plane::new(vec![
        refusal(BUSY, "the queue is full\u{1b}[2J"),
        broken(delta("Hal")),
        broken(format!("{}data: {error}\n\n", delta("Hal"))),
    ]);
    for (name, out) in [("refused", ""), ("cut", "Hal\n"), ("died", "Hal\n")] {
        let (code, shown, error) = plane.run(&["m", "hi"], "");
        assert_eq!((code, shown.as_str()), (1, out), "{name}");
        insta::assert_snapshot!(format!("chat_{name}"), error);
    }
}

#[test]
fn an_interrupt_ends_the_answer_and_frees_the_model() {
    let script = Script {
        head: STREAM,
        body: delta("Hal"),
        open: true,
    };
    let plane = Plane::new(vec![script]);
    let mut command = plane.command(&["m", "hi"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut seen = [0; 3];
    let out = child.stdout.as_mut().unwrap();
    out.read_exact(&mut seen).unwrap();
    interrupt(&child);
    plane.left.recv().unwrap();
    let (code, _, error) = shown(child.wait_with_output().unwrap());
    assert_eq!((code, error.as_str()), (130, "error: interrupted\n"));
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

/// The longest that a terminal is looked at for nothing.
const LIMIT: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};

/// A terminal with somebody at it.
struct Terminal {
    side: File,
    shown: String,
}

impl Terminal {
    /// Opens one and runs the command at it.
    fn run(mut command: Command) -> (Self, Child) {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&side).unwrap();
        unlockpt(&side).unwrap();
        let name = ptsname(&side, Vec::new()).unwrap();
        let open = || {
            let mut options = OpenOptions::new();
            let opened = options.read(true).write(true).open(name.to_str().unwrap());
            Stdio::from(opened.unwrap())
        };
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().unwrap();
        let terminal = Self {
            side: File::from(side),
            shown: String::new(),
        };
        (terminal, child)
    }

    fn types(&mut self, text: &str) {
        self.side.write_all(text.as_bytes()).unwrap();
    }

    /// Reads on until this is shown, and returns what was shown up to there.
    fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            let mut ready = [PollFd::new(&self.side, PollFlags::IN)];
            let count = poll(&mut ready, Some(&LIMIT)).unwrap();
            assert_eq!(count, 1, "nothing comes before {text:?}: {:?}", self.shown);
            let mut bytes = [0; 1024];
            let count = self.side.read(&mut bytes).unwrap_or(0);
            assert_ne!(count, 0, "it ends before {text:?}: {:?}", self.shown);
            let bytes = bytes.get(..count).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn a_conversation_goes_on_and_an_interrupt_ends_only_an_answer() {
    let held = Script {
        head: STREAM,
        body: delta("Hal\u{1b}]0;owned\u{7}"),
        open: true,
    };
    let plane = Plane::new(vec![stream(&["Hello"]), held, stream(&["Bye"])]);
    let (mut terminal, mut child) = Terminal::run(plane.command(&["m"]));
    terminal.wait_for("> ");
    terminal.types("one\r");
    terminal.wait_for("Hello\r\n");
    // The editor shows its prompt again with each letter: the new one comes behind the figures.
    terminal.wait_for("prompt 5\r\n");
    terminal.wait_for("> ");
    terminal.types("two\r");
    let shown = terminal.wait_for("Hal\u{fffd}]0;owned\u{fffd}");
    assert!(!shown.contains("\u{1b}]0"), "{shown:?}");
    interrupt(&child);
    plane.left.recv().unwrap();
    terminal.wait_for("> ");
    terminal.types("three\r");
    terminal.wait_for("Bye\r\n");
    terminal.wait_for("prompt 5\r\n");
    terminal.wait_for("> ");
    terminal.types("\u{4}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let asked: Vec<Value> = plane.asked.try_iter().collect();
    let said = |asked: &Value| {
        let messages = asked["messages"].as_array().unwrap().iter();
        let words = messages.map(|message| message["content"].as_str().unwrap().to_owned());
        words.collect::<Vec<_>>()
    };
    assert_eq!(said(&asked[1]), ["one", "Hello", "two"]);
    let cut = "Hal\u{1b}]0;owned\u{7}";
    assert_eq!(said(&asked[2]), ["one", "Hello", "two", cut, "three"]);
}
