//! Chromium without a window, told what to do over the Chrome `DevTools` Protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>).

use paddock_e2e::harness::{LIMIT, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// A browser with one page, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    process: Child,
    socket: WebSocket<TcpStream>,
    /// The session with the page.
    session: Option<String>,
    calls: u64,
    /// What the page has told, the oldest first.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it, with an empty page.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with these flags as well.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let process = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--hide-scrollbars", "--no-first-run", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-dev-shm-usage"])
            .args(["--remote-debugging-port=0", "--lang=en-GB"])
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium, which scripts/test installs");
        // Written whole when it listens: the port, and the path of its own socket.
        let file = profile.path().join("DevToolsActivePort");
        let (port, path) = wait_for(2 * LIMIT, "the browser to listen", || {
            let text = fs::read_to_string(&file).ok()?;
            let (port, path) = text.split_once('\n')?;
            Some((port.parse::<u16>().ok()?, path.trim().to_owned()))
        });
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the browser");
        stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tungstenite::client(url, stream).expect("a web socket");
        let mut browser = Self {
            process,
            socket,
            session: None,
            calls: 0,
            events: Vec::new(),
            _profile: profile,
        };
        browser.open_page();
        browser
    }

    fn open_page(&mut self) {
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", &attach);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// Has the browser do something, and returns what came of it.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        let sent = self.socket.send(Message::text(call.to_string()));
        sent.expect("the browser listens");
        loop {
            let told = self.read();
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].clone();
            }
            self.events.push(told);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            let message = self.socket.read().expect("the browser tells something");
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// What the page has told with this name, so far.
    pub(crate) fn events(&self, name: &str) -> impl Iterator<Item = &Value> {
        let named = self
            .events
            .iter()
            .filter(move |event| event["method"] == name);
        named.map(|event| &event["params"])
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends its own processes; one that does not is killed.
        let close = json!({ "id": 0, "method": "Browser.close" });
        let asked = self.socket.send(Message::text(close.to_string()));
        if asked.is_err() || !self.ends() {
            let _ended = self.process.kill();
        }
        let _reaped = self.process.wait();
    }
}

impl Browser {
    fn ends(&mut self) -> bool {
        // It closes the socket when it has ended.
        while self.socket.read().is_ok() {}
        let start = paddock_e2e::harness::now();
        while start.elapsed() < LIMIT {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }
}
