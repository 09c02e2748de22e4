//! The engine that scripts run on: the language and our own functions. Nothing in it reaches files, processes,
//! the environment or a clock.

use rhai::Engine;
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
use crate::script::limits;
use crate::script::limits::Limits;
use crate::script::targets;

/// An engine without files, `eval`, `sleep`, clock or modules.
pub(crate) fn new(limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    // All of rhai's standard package but its clock.
    CorePackage::new().register_into_engine(&mut engine);
    BitFieldPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicBlobPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
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
    api::register(&mut engine);
    evm::register(&mut engine);
    targets::register(&mut engine);
    engine
}
