//! A small AWESOME_CLOUD: a real HTTP server on loopback with an events API, and every way in which one misbehaves.
#![expect(clippy::indexing_slicing, reason = "tests")]

use std::collections::VecDeque;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use tokio::sync::watch;

/// What it does in place of answering well, once.
#[derive(Clone, Debug)]
pub(crate) enum Trick {
    /// A status, with headers.
    Status(u16, &'static str),
    /// 200 with this body.
    Body(Vec<u8>),
    /// The head and the first half of a good answer, then the connection ends.
    Half,
    /// The same page, which says that there is more.
    Again,
    /// A page of its own each time, which says that there is more, and a cursor that stands.
    Standing,
    /// Nothing, until the server is gone.
    Silence,
    /// More bytes than anybody wants.
    Endless,
}

#[derive(Default)]
struct State {
    events: Vec<String>,
    tricks: VecDeque<Trick>,
    /// What it does when there are no tricks left.
    habit: Option<Trick>,
    requests: Vec<String>,
    page_size: usize,
    /// Connections on which nothing is said.
    silent: Vec<TcpStream>,
}

/// The server; what it is silent about ends with it.
pub(crate) struct Cloud {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    count: watch::Receiver<usize>,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            page_size: 3,
            ..State::default()
        }));
        let (counter, count) = watch::channel(0);
        let shared = state.clone();
        let counter = Arc::new(counter);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, counter) = (shared.clone(), counter.clone());
                // A caller that goes away early is its own business.
                thread::spawn(move || drop(serve(stream.unwrap(), &shared, &counter)));
            }
        });
        Self {
            address,
            state,
            count,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Something happens there: the event with this JSON text.
    pub(crate) fn happens(&self, event: impl Into<String>) {
        self.state.lock().events.push(event.into());
    }

    /// Events `e-<from>` to `e-<to>`.
    pub(crate) fn happen(&self, from: usize, to: usize) {
        for number in from..=to {
            self.happens(event(&format!("e-{number}")));
        }
    }

    /// So many events go on a page.
    pub(crate) fn page_size(&self, events: usize) {
        self.state.lock().page_size = events;
    }

    /// How many events there are.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().events.len()
    }

    pub(crate) fn tricks(&self, tricks: impl IntoIterator<Item = Trick>) {
        self.state.lock().tricks.extend(tricks);
    }

    pub(crate) fn habit(&self, habit: Option<Trick>) {
        self.state.lock().habit = habit;
    }

    /// The requests until now, heads as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().requests.clone()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn requested(&self, count: usize) {
        let mut counted = self.count.clone();
        counted.wait_for(|counted| count <= *counted).await.unwrap();
    }

    /// Waits for another request than those until now.
    pub(crate) async fn requested_again(&self) {
        let count = *self.count.borrow();
        self.requested(count + 1).await;
    }

    /// Waits for a request that asks for what comes after `since`.
    pub(crate) async fn requested_since(&self, since: usize) {
        let mut counted = self.count.clone();
        let asks = format!("since={since}");
        let has_come = |_: &usize| {
            let state = self.state.lock();
            let mut lines = state.requests.iter().filter_map(|head| head.lines().next());
            lines.any(|line| line.split(['?', '&', ' ']).any(|part| part == asks))
        };
        counted.wait_for(has_come).await.unwrap();
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        for silent in self.state.lock().silent.drain(..) {
            // The other side may have gone before.
            drop(silent.shutdown(Shutdown::Both));
        }
    }
}

/// An event that its parser takes.
pub(crate) fn event(id: &str) -> String {
    format!(
        r#"{{ "id": "{id}", "event_name": "com.awesomecloud.vm.create", "time": "2026-01-01T11:00:00Z", "vm": {{"id": "vm-1"}} }}"#
    )
}

/// How many events a request asked for.
pub(crate) fn limit_of(head: &str) -> String {
    let line = head.lines().next().unwrap_or_default();
    let mut parts = line.split(['?', '&', ' ']);
    parts
        .find_map(|part| part.strip_prefix("limit="))
        .unwrap_or_default()
        .to_owned()
}

fn serve(stream: TcpStream, state: &Mutex<State>, counter: &watch::Sender<usize>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let (trick, answer) = {
        let mut state = state.lock();
        state.requests.push(head.clone());
        let trick = state.tricks.pop_front().or_else(|| state.habit.clone());
        (trick, answer(&head, &state))
    };
    let mut stream = stream;
    let good = |body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let told = |count: &mut usize| *count += 1;
    match trick {
        None => stream.write_all(&good(answer.as_bytes()))?,
        Some(Trick::Status(status, headers)) => {
            let text = format!(
                "HTTP/1.1 {status} No\r\n{headers}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            );
            stream.write_all(text.as_bytes())?;
        }
        Some(Trick::Body(body)) => stream.write_all(&good(&body))?,
        Some(Trick::Half) => {
            let whole = good(answer.as_bytes());
            stream.write_all(&whole[..whole.len() - answer.len() / 2])?;
        }
        Some(Trick::Again) => {
            let page = format!(r#"{{"events": [{}], "cursor": 1, "more": true}}"#, event("e-1"));
            stream.write_all(&good(page.as_bytes()))?;
        }
        Some(Trick::Standing) => {
            let id = format!("e-{}", state.lock().requests.len());
            let page = format!(r#"{{"events": [{}], "cursor": 1, "more": true}}"#, event(&id));
            stream.write_all(&good(page.as_bytes()))?;
        }
        Some(Trick::Silence) => {
            state.lock().silent.push(stream.try_clone()?);
            counter.send_modify(told);
            // Ends with the server, or when the other side does.
            reader.read_line(&mut String::new())?;
            return Ok(());
        }
        Some(Trick::Endless) => {
            counter.send_modify(told);
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[")?;
            loop {
                stream.write_all(&[b' '; 65536])?;
            }
        }
    }
    counter.send_modify(told);
    Ok(())
}

/// A good answer: GET /events?since=<number>&limit=<number>.
fn answer(head: &str, state: &State) -> String {
    let line = head.lines().next().unwrap_or_default();
    let value = |name: &str| {
        let mut parts = line.split(['?', '&', ' ']);
        parts.find_map(|part| part.strip_prefix(name)?.parse::<usize>().ok())
    };
    let since = value("since=").unwrap_or(0).min(state.events.len());
    let limit = value("limit=").unwrap_or(100).min(state.page_size);
    let end = (since + limit).min(state.events.len());
    let page = state.events[since..end].join(", ");
    let more = end < state.events.len();
    format!(r#"{{"events": [{page}], "cursor": {end}, "more": {more}}}"#)
}
