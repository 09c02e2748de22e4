//! Crash points: where a test has the process end at once, and bugs that a test plants. Both only with the feature
//! `crash-points`; without it they are no code at all.
//!
//! The names are those of the places where a crash must lose nothing: after the stage, what has just happened.

/// Ends the process here at the nth time, where `SWITCHBOARD_CRASH=NAME:NTH` says so. With a condition, only the
/// times at which it is true count.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash_point::reach($name);
    };
    ($name:literal, $condition:expr) => {
        #[cfg(feature = "crash-points")]
        {
            if $condition {
                $crate::crash_point::reach($name);
            }
        }
    };
}

/// Does something wrong where `SWITCHBOARD_BUG=NAME` says so: the tests have to notice.
macro_rules! planted_bug {
    ($name:literal, $wrong:expr) => {
        #[cfg(feature = "crash-points")]
        {
            if $crate::crash_point::is_planted($name) {
                $wrong;
            }
        }
    };
}

pub(crate) use crash_point;
pub(crate) use planted_bug;

#[cfg(feature = "crash-points")]
mod enabled {
    use std::env;
    use std::process;
    use std::sync::LazyLock;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;

    /// The name, and at which time.
    static WANTED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let wanted = env::var("SWITCHBOARD_CRASH").ok()?;
        let (name, nth) = wanted.split_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static BUG: LazyLock<Option<String>> = LazyLock::new(|| env::var("SWITCHBOARD_BUG").ok());
    static TIMES: AtomicU32 = AtomicU32::new(0);

    pub(crate) fn reach(name: &str) {
        if let Some((wanted, nth)) = &*WANTED
            && wanted == name
            && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *nth
        {
            process::abort();
        }
    }

    pub(crate) fn is_planted(name: &str) -> bool {
        BUG.as_deref() == Some(name)
    }
}

#[cfg(feature = "crash-points")]
pub(crate) use enabled::is_planted;
#[cfg(feature = "crash-points")]
pub(crate) use enabled::reach;
