//! The time, handed in from outside, so that a test of 24 hours takes a millisecond.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use jiff::{SignedDuration, Timestamp};

/// Where the time comes from: the machine, or a test.
#[derive(Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Microseconds since the epoch, moved by hand.
    Manual(Arc<watch::Sender<i64>>),
}

impl Clock {
    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(watch::Sender::new(start.as_microsecond())))
    }

    /// The time now, cut to microseconds: what the database keeps (C45).
    pub fn now(&self) -> Timestamp {
        let microseconds = match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the machine's clock"
            )]
            Self::System => Timestamp::now().as_microsecond(),
            Self::Manual(at) => *at.borrow(),
        };
        Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves a manual clock, and wakes who sleeps by it; the machine's clock stays where it is.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Manual(at) = self {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            at.send_modify(|at| *at = at.saturating_add(by));
        }
    }

    /// Waits for so long, counted from this call on. A clock that jumps makes it neither longer nor shorter, unless
    /// it is a manual one.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<> {
        let manual = match self {
            Self::System => None,
            Self::Manual(at) => {
                let by = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
                Some((at.borrow().saturating_add(by), at.subscribe(), at.clone()))
            }
        };
        async move {
            match manual {
                None => tokio::time::sleep(duration).await,
                // Its sender is held meanwhile, so the wait can only end well.
                Some((due, mut now, _sender)) => drop(now.wait_for(|now| due <= *now).await),
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
