//! The engine that scripts run on: the language and our own functions. Nothing in it reaches files, processes,
//! the environment or a clock.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rhai::Engine;
use rhai::Module;
use rhai::def_package;
use rhai::module_resolvers::StaticModuleResolver;
use rhai::packages::BasicArrayPackage;
use rhai::packages::BasicBlobPackage;
use rhai::packages::BasicMapPackage;
use rhai::packages::BasicMathPackage;
use rhai::packages::BitFieldPackage;
use rhai::packages::CorePackage;
use rhai::packages::LogicPackage;
use rhai::packages::MoreStringPackage;
use rhai::packages::Package;

use crate::script::api;
use crate::script::convert;
use crate::script::evm;
use crate::script::http;
use crate::script::inventory;
use crate::script::limits;
use crate::script::limits::Limits;
use crate::script::number;
use crate::script::targets;
use crate::script::times;
use crate::script::unread;

def_package! {
    /// All of rhai's standard package but its clock.
    LanguagePackage(_module):
        CorePackage,
        BitFieldPackage,
        LogicPackage,
        BasicMathPackage,
        BasicArrayPackage,
        BasicBlobPackage,
        BasicMapPackage,
        MoreStringPackage {}
}

/// An engine without files, `eval`, `sleep`, clock or modules.
pub(crate) fn new(limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    LanguagePackage::new().register_into_engine(&mut engine);
    engine.disable_symbol("eval");
    limits::apply(&mut engine, limits);
    engine.set_module_resolver(StaticModuleResolver::new());
    engine.on_print(|text| {
        if limits::may_put_out() {
            tracing::info!(text = convert::clip(text), "A script printed.");
        }
    });
    engine.on_debug(|text, _, _| {
        if limits::may_put_out() {
            tracing::debug!(text = convert::clip(text), "A script printed.");
        }
    });
    let functions = functions(&mut engine);
    engine.register_global_module(functions.into());
    engine
}

/// Our own functions, and the variables that every script finds. One module for all of them: a call looks through every
/// module until it finds its function.
fn functions(engine: &mut Engine) -> Module {
    let mut functions = Module::new();
    api::register(&mut functions);
    times::register(&mut functions);
    evm::register(engine, &mut functions);
    targets::register(engine, &mut functions);
    http::register(engine, &mut functions);
    inventory::register(&mut functions);
    unread::register(engine, &mut functions);
    number::register(engine, &mut functions);
    // What is left to be looked up when it is called would be looked up in every call.
    functions.register_lazy_functions();
    functions
}

/// The names of the variables that every script finds, whoever runs it.
pub(crate) fn globals() -> &'static BTreeSet<String> {
    static GLOBALS: OnceLock<BTreeSet<String>> = OnceLock::new();
    GLOBALS.get_or_init(|| {
        let functions = functions(&mut Engine::new_raw());
        functions.iter_var().map(|(name, _)| name.to_owned()).collect()
    })
}
