//! The dashboard's page, as somebody sees and uses it.

use crate::browser::Browser;
use paddock_e2e::harness::{Address, LIMIT, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A page of the dashboard.
#[derive(Debug)]
pub(crate) struct Page {
    browser: Browser,
    origin: String,
}

impl Page {
    /// Opens the dashboard of this address of the operator's, at a view such as `#/chat`.
    pub(crate) fn open(admin: &Address, view: &str) -> Self {
        Self::of(Browser::start(), admin, view)
    }

    /// Opens it in a browser in which somebody has typed an API key when it asked for a password.
    pub(crate) fn open_with(key: &str, admin: &Address, view: &str) -> Self {
        let mut browser = Browser::start();
        let url = format!("http://me:{key}@{admin}/api/status");
        browser.call("Page.navigate", &json!({ "url": url }));
        Self::of(browser, admin, view)
    }

    /// Opens any page in a browser for which these names point at this machine.
    pub(crate) fn foreign(names: &[&str], url: &str) -> Self {
        let rules = names.iter().map(|name| format!("MAP {name} 127.0.0.1"));
        let rules: Vec<_> = rules.collect();
        let rules = format!("--host-resolver-rules={}", rules.join(","));
        let mut page = Self {
            browser: Browser::start_with(&[&rules]),
            origin: url.to_owned(),
        };
        page.visit(url);
        page
    }

    /// Goes to a page, and waits until it is there.
    pub(crate) fn visit(&mut self, url: &str) {
        self.browser.call("Page.navigate", &json!({ "url": url }));
        let there = format!(
            "location.href.startsWith({}) && document.readyState === 'complete'",
            json!(url)
        );
        self.wait(&there);
    }

    fn of(browser: Browser, admin: &Address, view: &str) -> Self {
        let mut page = Self {
            browser,
            origin: format!("http://{admin}"),
        };
        let url = format!("{}/{view}", page.origin);
        page.browser.call("Page.navigate", &json!({ "url": url }));
        page.wait("document.getElementById('link')?.dataset.state === 'live'");
        // What was heard is drawn in the next frame.
        page.value("new Promise((drawn) => requestAnimationFrame(() => drawn(true)))");
        page
    }

    /// The value of an expression.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let answer = self.browser.call("Runtime.evaluate", &parameters);
        let wrong = &answer["exceptionDetails"];
        assert!(wrong.is_null(), "{expression}: {wrong}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait(&mut self, expression: &str) {
        let whole = format!("Boolean({expression})");
        wait_until(LIMIT, expression, || self.value(&whole) == true);
    }

    /// The text of the first element of this selector; nothing where there is none.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let selector = json!(selector);
        let text = self.value(&format!(
            "document.querySelector({selector})?.innerText ?? ''"
        ));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an element of this selector holds this text.
    pub(crate) fn wait_text(&mut self, selector: &str, text: &str) {
        let selector = json!(selector);
        let text = json!(text);
        self.wait(&format!(
            "[...document.querySelectorAll({selector})].some((one) => one.innerText.includes({text}))"
        ));
    }

    /// Waits until the number in the first element of this selector has grown.
    pub(crate) fn wait_more(&mut self, selector: &str) {
        let number = format!(
            "parseFloat(document.querySelector({})?.innerText.match(/[0-9.]+/)?.[0])",
            json!(selector)
        );
        self.wait(&format!("{number} >= 0"));
        let before = self.value(&number);
        self.wait(&format!("{number} > {before}"));
    }

    /// Clicks the first element of this selector that is shown.
    pub(crate) fn click(&mut self, selector: &str) {
        let selector = json!(selector);
        let shown = format!(
            "[...document.querySelectorAll({selector})].find((one) => one.checkVisibility() && !one.disabled)"
        );
        self.wait(&shown);
        self.value(&format!("{shown}.click()"));
    }

    /// Goes to another view.
    pub(crate) fn go(&mut self, view: &str) {
        self.value(&format!("void (location.hash = {})", json!(view)));
    }

    /// Writes into the field of this selector.
    pub(crate) fn write(&mut self, selector: &str, text: &str) {
        let field = format!("document.querySelector({})", json!(selector));
        self.wait(&format!("{field}?.checkVisibility()"));
        self.value(&format!("{field}.focus()"));
        self.wait(&format!("document.activeElement === {field}"));
        let text = json!({ "text": text });
        self.browser.call("Input.insertText", &text);
    }

    /// Presses a key and lets it go.
    pub(crate) fn press(&mut self, key: &str, text: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "text": if kind == "keyDown" { text } else { "" },
                "windowsVirtualKeyCode": code,
            });
            self.browser.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Shows it so wide and high, by light or in the dark.
    pub(crate) fn look(&mut self, (width, height): (u32, u32), scheme: &str) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.browser
            .call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.browser.call("Emulation.setEmulatedMedia", &scheme);
    }

    /// Takes a picture of what is shown, into `target/dashboard`.
    pub(crate) fn picture(&mut self, name: &str) {
        let shot = json!({ "format": "png" });
        let picture = self.browser.call("Page.captureScreenshot", &shot);
        let data = picture["data"].as_str().expect("a picture");
        let directory = directory();
        fs::create_dir_all(&directory).expect("a directory");
        let file = directory.join(format!("{name}.png"));
        let bytes = data_encoding::BASE64.decode(data.as_bytes());
        fs::write(file, bytes.expect("base 64")).expect("a picture's file");
    }

    /// What the browser had to complain about: errors, warnings, breaches of the page's policy, and
    /// requests to other places than paddock.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // What has been told until now is read with this answer.
        self.value("0");
        let browser = &self.browser;
        let said = browser
            .events("Runtime.consoleAPICalled")
            .filter(|said| said["type"] == "error" || said["type"] == "warning");
        let logged = browser
            .events("Log.entryAdded")
            .map(|logged| &logged["entry"])
            .filter(|entry| entry["level"] == "error" || entry["level"] == "warning");
        let issues = browser
            .events("Audits.issueAdded")
            .map(|told| &told["issue"])
            .filter(|issue| issue["code"] == "ContentSecurityPolicyIssue");
        let thrown = browser.events("Runtime.exceptionThrown");
        let all = said.chain(logged).chain(issues).chain(thrown);
        let mut all: Vec<String> = all.map(Value::to_string).collect();
        all.extend(self.elsewhere());
        all
    }

    /// Requests to other places.
    fn elsewhere(&self) -> Vec<String> {
        let sent = self.browser.events("Network.requestWillBeSent");
        let urls = sent.filter_map(|sent| sent["request"]["url"].as_str());
        let here = format!("{}/", self.origin);
        urls.filter(|url| !url.starts_with(&here) && !url.starts_with("data:"))
            .map(|url| format!("asked for {url}"))
            .collect()
    }

    /// Sees that the browser has nothing to complain about.
    pub(crate) fn is_clean(&mut self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// Where pictures are kept: beside what cargo builds.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../dashboard")
}
