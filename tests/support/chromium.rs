//! A headless Chromium that a test drives over its own protocol, on two pipes: no port, no library.
//!
//! `CHROMIUM` names the program; else it is looked for in `PATH` under its usual names.
// Each test binary uses its own part of this; a broken set-up panics.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::tools::NotRun;

/// The command that puts a Chromium onto Debian.
const COMMAND: &str = "apt-get install --no-install-recommends chromium";

/// A browser with one page.
pub struct Chromium {
    browser: Child,
    commands: File,
    answers: BufReader<File>,
    next: u64,
    session: String,
    /// What the page did since it was asked last: requests, exceptions, words on the console.
    events: Vec<Value>,
    _folder: tempfile::TempDir,
}

/// The program.
pub fn program() -> Result<PathBuf, NotRun> {
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    named.into_iter().chain(found).find(|path| path.is_file()).ok_or_else(|| {
        let why = NotRun::new("no Chromium in PATH (or CHROMIUM=…)", COMMAND);
        assert!(!in_ci(), "{why}; TENANTRY_NO_BROWSER=1 says that this is meant");
        why
    })
}

/// In CI a browser that is absent is a failure, unless its absence is said to be meant.
fn in_ci() -> bool {
    let ci = env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1");
    ci && env::var_os("TENANTRY_NO_BROWSER").is_none()
}

impl Chromium {
    /// Starts a browser without a network, and an empty page in it.
    pub fn start() -> Result<Self, NotRun> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let (commands, answers) = (folder.path().join("commands"), folder.path().join("answers"));
        for pipe in [&commands, &answers] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        // The shell opens the pipes under the numbers that the browser knows.
        let script = "exec \"$0\" \"$@\" 3<\"$COMMANDS\" 4>\"$ANSWERS\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(program);
        shell.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        shell.args(["--remote-debugging-pipe", "--disable-background-networking", "--disable-component-update"]);
        shell.arg(format!("--user-data-dir={}", folder.path().join("profile").display())).arg("about:blank");
        shell.env("COMMANDS", &commands).env("ANSWERS", &answers).env("HOME", folder.path());
        let browser = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let commands = OpenOptions::new().write(true).open(commands).unwrap();
        let answers = BufReader::new(File::open(answers).unwrap());
        let (next, session, events) = (1, String::new(), Vec::new());
        let mut own = Self { browser, commands, answers, next, session, events, _folder: folder };
        let target = own.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = own.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        own.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            own.call(&format!("{domain}.enable"), json!({}));
        }
        Ok(own)
    }

    /// Asks the browser, and gives its answer. What happens meanwhile is kept.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == json!(id) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).unwrap();
        assert!(bytes.pop() == Some(0), "the browser went away");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Opens a file and waits until it is loaded.
    pub fn open(&mut self, file: &Path) {
        self.events.clear();
        self.call("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.read();
            self.events.push(event);
        }
    }

    /// The value of an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses and lets go of a key, as a keyboard does; a character is typed.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            "ArrowDown" => (40, None),
            " " => (32, Some(" ")),
            other => (other.to_uppercase().bytes().next().map_or(0, u32::from), Some(other)),
        };
        let mut down = json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code });
        if let Some(text) = text {
            down["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", down);
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }));
    }

    /// The size of the window, in CSS pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let phone = width < 500;
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    /// What the person prefers: `light` or `dark`.
    pub fn scheme(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// A picture of the window, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        decode(answer["data"].as_str().unwrap())
    }

    /// Everything that the page asked for beside itself, and everything that it complained of, since it was opened.
    pub fn trouble(&mut self) -> Vec<String> {
        self.evaluate("0");
        let told = self.events.iter().filter_map(|event| {
            let params = &event["params"];
            match event["method"].as_str()? {
                "Network.requestWillBeSent" if params["type"] == "Document" => None,
                "Network.requestWillBeSent" => Some(format!("request: {}", params["request"]["url"])),
                "Runtime.exceptionThrown" => Some(format!("exception: {}", params["exceptionDetails"])),
                "Runtime.consoleAPICalled" => Some(format!("console: {}", params["args"])),
                "Log.entryAdded" => Some(format!("log: {}", params["entry"]["text"])),
                _ => None,
            }
        });
        told.collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser may be gone already; nothing else is to be done then.
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

/// Base64 (RFC 4648) without line breaks.
fn decode(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 6 | u32::from(value(*byte)));
        let bits = bits << (6 * (4 - chunk.len()));
        out.extend(&bits.to_be_bytes()[1..chunk.len()]);
    }
    out
}
