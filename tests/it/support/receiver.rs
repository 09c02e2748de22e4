//! A receiver of outside effects: a real HTTP server on loopback that answers well, late, not at all, or wrongly.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Condvar;
use parking_lot::Mutex;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What it does with a request that it has read whole.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// 202.
    Honest,
    /// No answer while anybody waits for one.
    Late,
    /// The connection ends without an answer.
    Cut,
    /// This status, with these header lines and this body.
    Answers(u16, String, String),
}

impl Mood {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answers(status, String::new(), String::new())
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut lines = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        lines.next().map(|(_, value)| value.trim_end())
    }

    pub(crate) fn key(&self) -> &str {
        self.header("idempotency-key").unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Temper = Box<dyn FnMut(usize) -> Mood + Send>;

#[derive(Default)]
struct State {
    received: Vec<Received>,
    connections: usize,
    held: Vec<TcpStream>,
}

/// The server; what it holds back ends with it.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Receiver {
    /// One in these moods; then it is honest.
    pub(crate) fn with(moods: impl IntoIterator<Item = Mood>) -> Self {
        let mut moods: Vec<Mood> = moods.into_iter().collect();
        moods.reverse();
        Self::start(Box::new(move |_| moods.pop().unwrap_or(Mood::Honest)))
    }

    /// One that is always in this mood.
    pub(crate) fn always(mood: Mood) -> Self {
        Self::start(Box::new(move |_| mood.clone()))
    }

    fn start(temper: Temper) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let (shared, temper) = (state.clone(), Arc::new(Mutex::new(temper)));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, temper) = (shared.clone(), temper.clone());
                shared.0.lock().connections += 1;
                // A caller that goes away early is its own business.
                thread::spawn(move || drop(serve(stream.unwrap(), &shared, &temper)));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.0.lock().received.clone()
    }

    /// How many connections there were, used or not.
    pub(crate) fn connections(&self) -> usize {
        self.state.0.lock().connections
    }

    /// Waits until so many requests were read whole.
    pub(crate) fn until(&self, count: usize) -> Vec<Received> {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state.0.lock();
        while state.received.len() < count {
            let waited = self.state.1.wait_until(&mut state, end);
            assert!(!waited.timed_out(), "{} of {count} came", state.received.len());
        }
        state.received.clone()
    }
}

impl Receiver {
    /// Ends the connections on which it is silent.
    pub(crate) fn let_go(&self) {
        for held in self.state.0.lock().held.drain(..) {
            // The other side may have gone before.
            drop(held.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn serve(
    mut stream: TcpStream,
    state: &(Mutex<State>, Condvar),
    temper: &Mutex<Temper>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let mut received = Received {
        head,
        body: Vec::new(),
    };
    let length = received
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    received.body.resize(length, 0);
    reader.read_exact(&mut received.body)?;
    let mood = {
        let mut state = state.0.lock();
        let mood = (temper.lock())(state.received.len());
        if let Mood::Late = mood {
            state.held.push(stream.try_clone()?);
        }
        state.received.push(received);
        mood
    };
    state.1.notify_all();
    match mood {
        Mood::Honest => answer(&mut stream, 202, "", ""),
        Mood::Answers(status, headers, body) => answer(&mut stream, status, &headers, &body),
        Mood::Cut => stream.shutdown(Shutdown::Both),
        Mood::Late => Ok(()),
    }
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} So\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}
