//! Limits: everything that bounds a script, set explicitly, the same in debug and release builds.

use std::cell::Cell;
use std::time::Duration;
use std::time::Instant;

use rhai::Dynamic;
use rhai::Engine;

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
    /// Wall-clock time of one call, with everything it instantiates.
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

/// Why a script was stopped from outside; travels through rhai as its termination token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It ran longer than [`Limits::max_time`].
    Time,
    /// It used more than [`Limits::max_memory`].
    Memory,
}

/// How often, in operations, time and memory are looked at.
const TIME_CHECK: u64 = 64;
const MEMORY_CHECK: u64 = 512;

thread_local! {
    static BUDGET: Cell<Option<Budget>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Budget {
    deadline: Instant,
    memory_ceiling: Option<u64>,
}

/// The budget of the outermost call on this thread; what it instantiates lives on the same one.
pub(crate) struct BudgetGuard {
    is_outermost: bool,
}

impl BudgetGuard {
    pub(crate) fn start(limits: &Limits) -> Self {
        let is_outermost = BUDGET.get().is_none();
        if is_outermost {
            let deadline = Instant::now() + limits.max_time;
            BUDGET.set(Some(Budget {
                deadline,
                memory_ceiling: None,
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
    if !operations.is_multiple_of(TIME_CHECK) {
        return None;
    }
    let mut budget = BUDGET.get()?;
    if budget.deadline < Instant::now() {
        return Some(Stopped::Time);
    }
    if operations.is_multiple_of(MEMORY_CHECK) {
        let resident = resident_bytes()?;
        // The first look sets the ceiling: whatever the process held before is not the script's.
        let ceiling = *budget
            .memory_ceiling
            .get_or_insert(resident.saturating_add(max_memory));
        BUDGET.set(Some(budget));
        if ceiling < resident {
            return Some(Stopped::Memory);
        }
    }
    None
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
