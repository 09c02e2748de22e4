//! What scripts may call, as data: for the reference, for editors, and for the list that says nothing crept in.

use rhai::Engine;
use rhai::FuncMetadata;

use crate::script::engine;
use crate::script::limits::Limits;

/// A function, property or operator that scripts can use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScriptFunction {
    /// The type it belongs to (`Evm`, `string`), empty where it has no first parameter.
    pub receiver: String,
    /// How it is written: `evm.log(level: string, text: any)`, `targets() -> TargetCollection`.
    pub signature: String,
    /// What it does; empty for functions of the language's own library.
    pub doc: String,
    /// Whether it is ours and not the language's.
    pub is_ours: bool,
}

/// Every function that a script can reach, sorted.
pub fn functions() -> Vec<ScriptFunction> {
    let engine = engine::new(&Limits::default());
    let ours: std::collections::BTreeSet<u64> = engine::ours()
        .iter()
        .flat_map(|module| module.iter_script_and_native_hashes())
        .collect();
    let mut found = engine.collect_fn_metadata(
        None,
        |function| Some(describe(function.metadata, &ours)),
        true,
    );
    found.sort();
    found.dedup();
    found
}
