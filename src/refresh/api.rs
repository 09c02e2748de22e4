//! The API of one manager during one refresh: calls side by side, patient where the provider asks for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use parking_lot::Condvar;
use parking_lot::Mutex;

use crate::crash_point::crash_point;
use crate::model::api_call::ApiAnswer;
use crate::model::api_call::ApiCall;
use crate::model::api_call::ManagerApi;
use crate::model::clock::Clock;
use crate::outbound::ApiError;
use crate::outbound::ManagerClient;

/// How many calls are under way side by side.
const SIDE_BY_SIDE: usize = 4;
/// How often one call is tried.
const TRIES: u32 = 4;
/// The pause before the second try; it doubles from try to try.
const PAUSE: Duration = Duration::from_millis(250);
/// What a provider may ask for in patience; for more the refresh fails and comes again later.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often the same call may be made in one refresh: a page that leads to itself would be read for ever.
const SAME_CALLS: u32 = 3;
/// How many calls one refresh may make.
const MOST_CALLS: u64 = 200_000;

/// The API, for one refresh.
pub(crate) struct RefreshApi {
    pub(crate) client: ManagerClient,
    pub(crate) clock: Clock,
    pub(crate) is_stopping: Arc<AtomicBool>,
    /// Told how far the collector is.
    pub(crate) progress: Box<dyn Fn(&str) + Send + Sync>,
    pub(crate) calls: AtomicU64,
    /// Whether the manager as a whole could not be asked, rather than one object.
    pub(crate) is_down: AtomicBool,
    pub(crate) made: Mutex<HashMap<ApiCall, u32>>,
    pub(crate) nap: (Mutex<()>, Condvar),
}

impl RefreshApi {
    /// The API behind a client.
    pub(crate) fn new(
        client: ManagerClient,
        clock: Clock,
        is_stopping: Arc<AtomicBool>,
        progress: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        Self {
            client,
            clock,
            is_stopping,
            progress,
            calls: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
            made: Mutex::default(),
            nap: (Mutex::new(()), Condvar::new()),
        }
    }

    /// One call, again where that may help.
    fn one(&self, call: &ApiCall) -> Result<ApiAnswer, String> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            if self.is_stopping.load(Ordering::Acquire) {
                return Err("the program is stopping".to_owned());
            }
            if MOST_CALLS <= self.calls.fetch_add(1, Ordering::Relaxed) {
                return Err(format!("more than {MOST_CALLS} calls in one refresh"));
            }
            let error = match self.client.ask(call, self.clock.now()) {
                Ok(answer) => {
                    crash_point!("refresh.collecting");
                    return Ok(answer);
                }
                Err(ApiError::Status {
                    status: status @ (404 | 410),
                }) => {
                    return Ok(ApiAnswer {
                        status,
                        ..ApiAnswer::default()
                    });
                }
                Err(error) => error,
            };
            let wait = match &error {
                ApiError::RateLimited { after, .. } => Some(after.unwrap_or(pause)),
                ApiError::Unreachable(_) => Some(pause),
                ApiError::Status { status } if 500 <= *status => Some(pause),
                _other => None,
            };
            match wait.filter(|wait| attempt < TRIES && *wait <= LONGEST_PAUSE) {
                Some(wait) => self.rest(wait),
                None => {
                    let of_this_call = matches!(
                        error,
                        ApiError::Status { .. }
                            | ApiError::Answer(_)
                            | ApiError::TooLong(_)
                            | ApiError::Asked(_)
                    );
                    let is_down = !of_this_call;
                    self.is_down.fetch_or(is_down, Ordering::Relaxed);
                    return Err(format!("GET {}: {error}", call.path));
                }
            }
            pause *= 2;
        }
        Err("it was never asked".to_owned())
    }

    /// Waits; a stop does not wait for more than one such pause.
    fn rest(&self, time: Duration) {
        let mut guard = self.nap.0.lock();
        self.nap.1.wait_for(&mut guard, time);
    }

    fn check(&self, calls: &[ApiCall]) -> Result<(), String> {
        let mut made = self.made.lock();
        for call in calls {
            let times = made.entry(call.clone()).or_default();
            *times += 1;
            if SAME_CALLS < *times {
                let query: Vec<String> = call
                    .query
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                return Err(format!(
                    "GET {} {} is asked for again and again; does a page lead to itself?",
                    call.path,
                    query.join("&")
                ));
            }
        }
        Ok(())
    }
}

impl ManagerApi for RefreshApi {
    fn call(&self, calls: &[ApiCall]) -> Result<Vec<ApiAnswer>, String> {
        self.check(calls)?;
        if let [call] = calls {
            return Ok(vec![self.one(call)?]);
        }
        let next = AtomicUsize::new(0);
        let answers: Mutex<Vec<Option<ApiAnswer>>> = Mutex::new(vec![None; calls.len()]);
        let failed: Mutex<Option<String>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE.min(calls.len()) {
                scope.spawn(|| {
                    while failed.lock().is_none() {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(call) = calls.get(index) else { break };
                        match self.one(call) {
                            Ok(answer) => {
                                if let Some(place) = answers.lock().get_mut(index) {
                                    *place = Some(answer);
                                }
                            }
                            Err(error) => {
                                failed.lock().get_or_insert(error);
                            }
                        }
                    }
                });
            }
        });
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(answers.into_inner().into_iter().flatten().collect()),
        }
    }

    fn progress(&self, text: &str) {
        (self.progress)(text);
    }
}
