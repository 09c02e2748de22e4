//! Limits: everything that bounds a script, set explicitly, the same in debug and release builds.

use std::cell::Cell;
use std::time::Duration;
use std::time::Instant;

use rhai::Dynamic;
use rhai::Engine;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

use crate::model::fired::WHOLE_BUDGET;
use crate::settings::ScriptSettings;

/// What a script may use before it is stopped and named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations of one call, loops included.
    pub max_operations: u64,
    /// How deep functions may call each other.
    pub max_call_levels: usize,
    /// Bytes of one text.
    pub max_string_size: usize,
    /// Elements of one list, nested ones included.
    pub max_array_size: usize,
    /// Entries of one map, nested ones included.
    pub max_map_size: usize,
    /// Time of one call on a processor, with everything it instantiates. While it does not run, as on a machine that is
    /// halted or has too much to do, it uses none: else a message would count as one that cannot be parsed.
    pub max_time: Duration,
    /// Bytes that the process may grow by during one call: what the sizes above cannot see.
    pub max_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_operations: 1_000_000,
            max_call_levels: 64,
            max_string_size: 1 << 20,
            max_array_size: 100_000,
            max_map_size: 100_000,
            max_time: Duration::from_secs(2),
            max_memory: 256 << 20,
        }
    }
}

impl From<&ScriptSettings> for Limits {
    fn from(settings: &ScriptSettings) -> Self {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            max_operations: wide(settings.max_operations),
            max_call_levels: settings.max_call_levels,
            max_string_size: settings.max_string_size,
            max_array_size: settings.max_array_size,
            max_map_size: settings.max_map_size,
            max_time: settings.max_time,
            max_memory: wide(settings.max_memory),
        }
    }
}

impl Limits {
    /// How much of what one call may use so many operations are, in thousandths.
    pub(crate) fn share(&self, operations: u64) -> u16 {
        // One that was stopped used all of it, although the last few were not counted.
        if self.max_operations <= operations.saturating_add(CLOCK_CHECK) {
            return WHOLE_BUDGET;
        }
        let share = operations.saturating_mul(u64::from(WHOLE_BUDGET)) / self.max_operations;
        u16::try_from(share).unwrap_or(WHOLE_BUDGET)
    }

    /// Those of a script that takes a page of events apart, of up to 16 MiB: as much as sixteen events have. Its sizes are
    /// those of a collector, which runs on the same engine.
    #[must_use]
    pub(crate) fn of_a_page(&self) -> Self {
        Self {
            max_time: self.max_time.saturating_mul(16),
            ..self.of_a_collector()
        }
    }

    /// Those of an inventory collector, which goes through all that a manager has. The time that it waits for the
    /// manager does not count.
    #[must_use]
    pub(crate) fn of_a_collector(&self) -> Self {
        Self {
            max_operations: self.max_operations.saturating_mul(1_000),
            max_array_size: self.max_array_size.saturating_mul(100),
            max_map_size: self.max_map_size.saturating_mul(100),
            // An answer of 16 MiB, with what is told of it besides.
            max_string_size: self.max_string_size.saturating_mul(17),
            max_time: self.max_time.saturating_mul(300),
            max_memory: self.max_memory.saturating_mul(8),
            ..*self
        }
    }
}

/// Why a script was stopped from outside; travels through rhai as its termination token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It ran longer than [`Limits::max_time`].
    Time,
    /// It used more than [`Limits::max_memory`].
    Memory,
    /// It printed, logged and asked for more than [`MAX_OUTPUTS`] things.
    Outputs,
}

/// How many lines one call may print or log, refreshes and outside effects counted with them.
pub(crate) const MAX_OUTPUTS: u32 = 1_000;

/// How much stack a call must find, and what it is given where it finds less. Values within values, as deep as a
/// script comes within its time, are walked and dropped by recursion; nothing can be caught once a stack has
/// overflowed. A thread made with [`THREAD_STACK`] has it, so that no call has to allocate one.
pub(crate) const STACK_NEEDED: usize = 6 << 20;
/// See [`STACK_NEEDED`].
pub(crate) const STACK_GIVEN: usize = 64 << 20;

/// The stack of a thread that runs scripts, in bytes; memory is taken for as much of it as is used.
pub const THREAD_STACK: usize = 16 << 20;

/// How often, in operations, the clock is looked at.
const CLOCK_CHECK: u64 = 16;

/// How often the memory is looked at. One operation makes at most one text of the largest size, so that between
/// two looks a script cannot take much; and a script that is done sooner never pays for a look.
const MEMORY_CHECK: Duration = Duration::from_millis(1);

thread_local! {
    static BUDGET: Cell<Option<Budget>> = const { Cell::new(None) };
    /// Operations of the innermost call, as of the last look at the clock.
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Makes a call, and tells how many operations it used, to within [`CLOCK_CHECK`]. Those of calls within it are
/// their own.
pub(crate) fn metered<T>(call: impl FnOnce() -> T) -> (T, u64) {
    let around = OPERATIONS.replace(0);
    let result = call();
    (result, OPERATIONS.replace(around))
}

#[derive(Clone, Copy)]
struct Budget {
    max_time: Duration,
    /// Before this it cannot have used up its time, so that nothing but the clock has to be looked at.
    deadline: Instant,
    /// The thread's time on a processor when this was first looked at, soon after the call began.
    at_first: Option<Duration>,
    next_memory_check: Instant,
    memory_ceiling: Option<u64>,
    outputs: u32,
}

impl Budget {
    /// Of a call that was never looked at before, all of it.
    fn time_left(&mut self) -> Duration {
        let now = processor_time();
        let used = now.saturating_sub(*self.at_first.get_or_insert(now));
        self.max_time.saturating_sub(used)
    }
}

/// The budget of the outermost call on this thread; what it instantiates lives on the same one.
pub(crate) struct BudgetGuard {
    is_outermost: bool,
}

impl BudgetGuard {
    pub(crate) fn start(limits: &Limits) -> Self {
        let is_outermost = BUDGET.get().is_none();
        if is_outermost {
            let now = Instant::now();
            BUDGET.set(Some(Budget {
                max_time: limits.max_time,
                deadline: now + limits.max_time,
                at_first: None,
                next_memory_check: now + MEMORY_CHECK,
                memory_ceiling: None,
                outputs: 0,
            }));
        }
        Self { is_outermost }
    }
}

impl Drop for BudgetGuard {
    fn drop(&mut self) {
        if self.is_outermost {
            BUDGET.set(None);
        }
    }
}

/// Sets every limit on an engine.
pub(crate) fn apply(engine: &mut Engine, limits: &Limits) {
    engine.set_max_operations(limits.max_operations);
    engine.set_max_call_levels(limits.max_call_levels);
    engine.set_max_expr_depths(64, 64);
    engine.set_max_string_size(limits.max_string_size);
    engine.set_max_array_size(limits.max_array_size);
    engine.set_max_map_size(limits.max_map_size);
    engine.set_max_functions(1_000);
    engine.set_max_modules(100);
    engine.set_max_variables(1_000);
    let max_memory = limits.max_memory;
    engine.on_progress(move |operations| check(operations, max_memory).map(Dynamic::from));
}

fn check(operations: u64, max_memory: u64) -> Option<Stopped> {
    if !operations.is_multiple_of(CLOCK_CHECK) {
        return None;
    }
    OPERATIONS.set(operations);
    let mut budget = BUDGET.get()?;
    let now = Instant::now();
    if budget.deadline < now {
        let left = budget.time_left();
        if left.is_zero() {
            return Some(Stopped::Time);
        }
        budget.deadline = now + left;
        BUDGET.set(Some(budget));
    }
    if MAX_OUTPUTS < budget.outputs {
        return Some(Stopped::Outputs);
    }
    if budget.next_memory_check <= now {
        let resident = resident_bytes()?;
        // The first look sets the ceiling: whatever the process held before is not the script's.
        let ceiling = *budget
            .memory_ceiling
            .get_or_insert(resident.saturating_add(max_memory));
        budget.next_memory_check = now + MEMORY_CHECK;
        budget.at_first.get_or_insert_with(processor_time);
        BUDGET.set(Some(budget));
        if ceiling < resident {
            return Some(Stopped::Memory);
        }
    }
    None
}

/// Counts a line or a request of the running script. False beyond the limit: the script is stopped soon, and
/// nothing more of it shall come out.
pub(crate) fn may_put_out() -> bool {
    let Some(mut budget) = BUDGET.get() else {
        return true;
    };
    budget.outputs = budget.outputs.saturating_add(1);
    BUDGET.set(Some(budget));
    budget.outputs <= MAX_OUTPUTS
}

/// Gives the running script back the time that it waited for somebody else.
pub(crate) fn waited(time: Duration) {
    if let Some(mut budget) = BUDGET.get() {
        budget.deadline += time;
        BUDGET.set(Some(budget));
    }
}

/// How long this thread has been on a processor until now.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Bytes of memory that the process holds; none where the system does not say.
fn resident_bytes() -> Option<u64> {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm
        .split(' ')
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|pages| pages * PAGE)
}

#[cfg(test)]
mod tests {
    use std::thread::park_timeout;
    use std::time::Duration;

    use super::BudgetGuard;
    use super::Limits;
    use super::Stopped;
    use super::check;
    use super::processor_time;

    #[test]
    fn time_off_the_processor_is_not_used_and_time_on_it_is() {
        let limits = Limits {
            max_time: Duration::from_millis(20),
            ..Limits::default()
        };
        let look = || check(0, limits.max_memory);
        let _budget = BudgetGuard::start(&limits);
        for _halt in 0..3 {
            park_timeout(limits.max_time * 2);
            assert_eq!(look(), None);
        }
        let began = processor_time();
        let stopped = std::iter::repeat_with(look).find_map(|stopped| stopped);
        assert_eq!(stopped, Some(Stopped::Time));
        let used = processor_time() - began;
        let spare = limits.max_time / 2;
        assert!(limits.max_time - spare < used, "{used:?}");
        assert!(used < limits.max_time + spare, "{used:?}");
    }
}
