//! A tiny SMTP relay on loopback that keeps what it takes, and says no when told to.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

/// A message as it was handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Who logged in, as `AUTH` says it.
    pub(crate) login: Option<String>,
    pub(crate) data: String,
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Relay {
    /// One that answers the first messages like this, after it has read them whole, and takes the others.
    pub(crate) fn with(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = mails.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A caller that goes away early is its own business.
                drop(serve(stream.unwrap(), &kept, answers));
            }
        });
        Self { address, mails }
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    mails: &Mutex<Vec<Mail>>,
    answers: &'static [&'static str],
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    stream.write_all(b"220 relay ESMTP\r\n")?;
    let mut mail = Mail::default();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (verb, rest) = line.trim_end().split_at(4);
        let answer = match verb {
            "EHLO" => "250-relay\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
            "AUTH" => {
                mail.login = Some(rest.trim().to_owned());
                "235 welcome\r\n"
            }
            "MAIL" => {
                mail.from = rest.to_owned();
                "250 ok\r\n"
            }
            "RCPT" => {
                mail.to.push(rest.to_owned());
                "250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line)? == 0 || line == ".\r\n" {
                        break;
                    }
                    mail.data.push_str(&line);
                }
                let mut mails = mails.lock();
                mails.push(std::mem::take(&mut mail));
                answers.get(mails.len() - 1).unwrap_or(&"250 queued as 7\r\n")
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _other => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes())?;
    }
}
