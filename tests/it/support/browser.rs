//! A real browser: Debian's chromium, driven over WebDriver by its chromedriver.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fantoccini::Client;
use fantoccini::ClientBuilder;
use fantoccini::Locator;
use fantoccini::actions::InputSource;
use fantoccini::actions::KeyAction;
use fantoccini::actions::KeyActions;
use fantoccini::actions::MOUSE_BUTTON_LEFT;
use fantoccini::actions::MouseActions;
use fantoccini::actions::PointerAction;
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;
use serde_json::json;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a page.
const MOMENT: Duration = Duration::from_millis(20);

/// A browser with one window. What it complained about is looked at in the end: see [`Browser::close`].
pub(crate) struct Browser {
    /// For what is not said here.
    pub(crate) client: Client,
    base: String,
    driver: Child,
}

/// What a device shows: its width and height in CSS pixels, and whether it prefers dark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

/// A command of chromedriver that the standard does not have.
#[derive(Debug)]
struct Extra(&'static str, Value);

impl WebDriverCompatibleCommand for Extra {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _url: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// A browser for the pages at an address; none, said plainly, where there is no chromium. `tests/run` brings it,
    /// and says with `REAL_BROWSER=required` that it did.
    pub(crate) async fn start(address: &str) -> Option<Self> {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match started {
            Ok(driver) => driver,
            Err(error) if std::env::var_os("REAL_BROWSER").is_some() => {
                panic!("cannot start chromedriver: {error}")
            }
            Err(error) => {
                eprintln!("skipped: there is no browser, cannot start chromedriver: {error}");
                return None;
            }
        };
        let client = connect(&port_of(&mut driver)).await;
        Some(Self {
            client,
            base: format!("http://{address}"),
            driver,
        })
    }

    /// Opens a page of the address.
    pub(crate) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// Where it is now, without the address.
    pub(crate) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.base).unwrap_or(&url).to_owned()
    }

    /// The first element that a selector finds, waited for.
    pub(crate) async fn find(&self, selector: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE);
        match wait.for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => panic!("no `{selector}` at {}: {error}", self.path().await),
        }
    }

    /// What its first element says, as a person sees it.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    /// What a script answers.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until an expression of the page is true.
    pub(crate) async fn until(&self, expression: &str) {
        // Asked again and again from outside, since a page that is left takes a script that waits along.
        let script = format!("try {{ return Boolean({expression}); }} catch {{ return false; }}");
        let end = Instant::now() + PATIENCE;
        while self.client.execute(&script, Vec::new()).await.ok() != Some(Value::Bool(true)) {
            assert!(
                Instant::now() < end,
                "not so at {}: {expression}",
                self.path().await
            );
            tokio::time::sleep(MOMENT).await;
        }
    }

    /// Presses and lets go of keys, one after the other; those of [`fantoccini::key::Key`] are characters too.
    pub(crate) async fn press(&self, keys: &str) {
        let actions = keys
            .chars()
            .fold(KeyActions::new("keys".to_owned()), |actions, value| {
                actions
                    .then(KeyAction::Down { value })
                    .then(KeyAction::Up { value })
            });
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Drags the mouse between two points of the window.
    pub(crate) async fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        let steps = [from, ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0), to];
        let moves = steps.map(|(x, y)| PointerAction::MoveTo {
            duration: Some(Duration::from_millis(50)),
            x,
            y,
        });
        let [first, second, third] = moves;
        let button = MOUSE_BUTTON_LEFT;
        let actions = MouseActions::new("mouse".to_owned())
            .then(first)
            .then(PointerAction::Down { button })
            .then(second)
            .then(third)
            .then(PointerAction::Up { button });
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Shows the page as a device does.
    pub(crate) async fn screen(&self, screen: Screen) {
        let metrics = json!({
            "width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if screen.is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// The page as a picture, at most some screens of it, kept under this name beside what else the run leaves.
    pub(crate) async fn keep_picture(&self, name: &str) -> PathBuf {
        let size = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let (width, height) = (
            &size["cssLayoutViewport"]["clientWidth"],
            size["cssContentSize"]["height"].as_f64(),
        );
        let height = if name == "readme" {
            900.0
        } else {
            height.unwrap().min(2_600.0)
        };
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let wanted = json!({"captureBeyondViewport": true, "clip": clip});
        let answer = self.devtools("Page.captureScreenshot", wanted).await;
        let picture = BASE64_STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        fs::write(&path, picture).unwrap();
        path
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let extra = Extra("goog/cdp/execute", json!({"cmd": command, "params": parameters}));
        self.client.issue_cmd(extra).await.unwrap()
    }

    /// What the console says since it was asked last: refusals by the content policy, errors of scripts.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self
            .client
            .issue_cmd(Extra("se/log", json!({"type": "browser"})))
            .await;
        let log = log.unwrap();
        let told = log.as_array().unwrap().iter();
        told.map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Ends it. Nothing may have been complained about.
    pub(crate) async fn close(self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "{complaints:#?}");
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It takes the browser along.
        let _gone = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

fn port_of(driver: &mut Child) -> String {
    let told = BufReader::new(driver.stdout.take().unwrap());
    let mut lines = told.lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("on port ") && line.contains("successfully"));
    let line = line.unwrap();
    let (_, port) = line.rsplit_once(' ').unwrap();
    port.trim_end_matches('.').to_owned()
}

async fn connect(port: &str) -> Client {
    let capabilities = json!({
        "goog:chromeOptions": {"args": [
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
            "--force-color-profile=srgb",
        ]},
        "goog:loggingPrefs": {"browser": "ALL"},
        "timeouts": {"script": 30_000},
    });
    let capabilities = capabilities.as_object().unwrap().clone();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    let address = format!("http://127.0.0.1:{port}");
    builder
        .capabilities(capabilities)
        .connect(&address)
        .await
        .unwrap()
}
