//! Precedence of threads: where processors are scarce, what comes later on an event's way goes first.
//!
//! So the queue stays short, what is on it is still in the caches when it is handled, and the thread that writes, which
//! everybody waits for, waits for nobody. Nobody starves: who gives way still gets a share.

/// What a thread does. Threads that are not given a precedence, such as the one that writes, come before these.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Precedence {
    /// Handles what is on the queue.
    Handling,
    /// Puts more on it.
    Catching,
    /// Asks providers and saves what they answer.
    Refreshing,
}

impl Precedence {
    /// Gives it to the thread that calls this.
    pub(crate) fn take(self) {
        let niceness = match self {
            Self::Handling => 5,
            Self::Catching | Self::Refreshing => 10,
        };
        // Elsewhere it is of a whole process. Where it is refused, all are equal.
        if cfg!(target_os = "linux") {
            let _or_not = rustix::process::nice(niceness);
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::Precedence;

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "a niceness is of a whole process here")]
    fn one_thread_gives_way_and_the_others_do_not() {
        let before = getpriority_process(None).unwrap();
        let taken = |precedence: Precedence| {
            let thread = std::thread::spawn(move || {
                precedence.take();
                getpriority_process(None).unwrap()
            });
            thread.join().unwrap()
        };
        // The greatest niceness there is.
        let nicer = |by: i32| (before + by).min(19);
        assert_eq!(taken(Precedence::Handling), nicer(5));
        assert_eq!(taken(Precedence::Catching), nicer(10));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
