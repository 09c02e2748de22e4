//! The signals that a process that serves listens for: those that ask it to end, and the one that asks it to read its
//! files again.

use std::ffi::c_int;
use std::future::poll_fn;
use std::task::Poll;

use rustix::process::Signal as Number;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::cli::error::CliError;

/// The signals that would end a process at once, unless they tell of a fault in it: whichever of them comes, it ends in
/// order.
const ENDING: [(Number, &str); 11] = [
    (Number::INT, "SIGINT"),
    (Number::TERM, "SIGTERM"),
    (Number::QUIT, "SIGQUIT"),
    (Number::USR1, "SIGUSR1"),
    (Number::USR2, "SIGUSR2"),
    (Number::ALARM, "SIGALRM"),
    (Number::VTALARM, "SIGVTALRM"),
    (Number::PROF, "SIGPROF"),
    (Number::XCPU, "SIGXCPU"),
    (Number::IO, "SIGIO"),
    (Number::POWER, "SIGPWR"),
];
/// Those that programs may use as they like; the C library keeps the two before them.
const REAL_TIME: std::ops::RangeInclusive<c_int> = 34..=64;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To end in order; the name of the signal.
    End(&'static str),
    /// To read rules and settings again.
    Reload,
}

/// What the signal that a closed terminal sends asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// To read rules and settings again, as services understand it.
    Reloads,
    /// To end, as whoever closes a terminal expects of what runs in it.
    Ends,
}

/// The signals, heard from when they are listened for.
#[derive(Debug)]
pub(crate) struct Signals {
    heard: Vec<(Signal, Asked)>,
    /// A file grew to the limit of its size. Without anybody who listens it would end the process; so the write
    /// fails, and is treated like a full disk.
    _file_size: Signal,
}

impl Signals {
    /// From now on they end nothing by themselves. On an async runtime.
    pub(crate) fn listen(hangup: Hangup) -> Result<Self, CliError> {
        let listen = |number: c_int| {
            signal(SignalKind::from_raw(number))
                .map_err(|error| CliError::failed("cannot listen for signals", error))
        };
        let on_hangup = match hangup {
            Hangup::Reloads => Asked::Reload,
            Hangup::Ends => Asked::End("SIGHUP"),
        };
        let mut heard = vec![(listen(Number::HUP.as_raw())?, on_hangup)];
        for (number, name) in ENDING {
            heard.push((listen(number.as_raw())?, Asked::End(name)));
        }
        // Which of them there are is a matter of the system.
        let real_time = REAL_TIME.filter_map(|number| signal(SignalKind::from_raw(number)).ok());
        heard.extend(real_time.map(|signal| (signal, Asked::End("a real-time signal"))));
        Ok(Self {
            heard,
            _file_size: listen(Number::XFSZ.as_raw())?,
        })
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) -> Asked {
        poll_fn(|context| {
            let mut heard = self.heard.iter_mut();
            let ready =
                heard.find_map(|(signal, asked)| signal.poll_recv(context).is_ready().then_some(*asked));
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits for one that asks to end.
    pub(crate) async fn end(&mut self) -> &'static str {
        loop {
            if let Asked::End(name) = self.next().await {
                return name;
            }
        }
    }
}
