//! Expression: a compiled condition with its bound variables.

use std::sync::Arc;

use rhai::Dynamic;
use rhai::Scope;

use crate::model::value::Value;
use crate::script::Script;
use crate::script::ScriptError;
use crate::script::ScriptHost;
use crate::script::convert;
use crate::script::evm::EventHandle;
use crate::script::evm::EventView;
use crate::script::evm::Evm;
use crate::script::evm::EvmHost;
use crate::source::Diagnostic;

/// A condition, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    script: Script,
    typed: Box<[String]>,
    texts: Box<[String]>,
    uses_event: bool,
    uses_evm: bool,
}

impl Expression {
    /// Looks once at what the script names, so that only that is bound when it runs.
    pub(crate) fn new(script: Script, references: usize) -> Self {
        let mut names = std::collections::BTreeSet::new();
        script.ast.walk(&mut |path| {
            if let Some(rhai::ASTNode::Expr(rhai::Expr::Variable(variable, _, _))) = path.last() {
                names.insert(variable.1.to_string());
            }
            true
        });
        let numbered = |prefix: &str| (0..references).map(|index| format!("{prefix}{index}")).collect();
        let (uses_event, uses_evm) = (names.contains("event"), names.contains("evm"));
        Self {
            script,
            typed: numbered("__v"),
            texts: numbered("__t"),
            uses_event,
            uses_evm,
        }
    }

    /// Whether it looks at `evm`, so that the run has to be reachable.
    pub(crate) fn uses_evm(&self) -> bool {
        self.uses_evm
    }

    /// Calls of functions that do not exist, at their places within the expression.
    pub(crate) fn check_calls(&self, host: &ScriptHost) -> Vec<Diagnostic> {
        host.check_calls(&self.script)
    }

    /// Asks the condition. `values` are the texts of its references, each with its typed form.
    ///
    /// # Errors
    /// When it cannot be evaluated.
    pub(crate) fn ask(
        &self,
        host: &ScriptHost,
        values: &[(Value, Arc<str>)],
        event: Option<&Arc<EventView>>,
        evm: Option<&Arc<dyn EvmHost>>,
    ) -> Result<bool, ScriptError> {
        let mut scope = Scope::new();
        scope.push_constant("nil", ());
        for (((value, text), typed_name), text_name) in values.iter().zip(&self.typed).zip(&self.texts) {
            scope.push_constant_dynamic(typed_name.as_str(), convert::plain(value));
            scope.push_constant(text_name.as_str(), text.to_string());
        }
        if self.uses_event {
            scope.push_constant_dynamic(
                "event",
                event.map_or(Dynamic::UNIT, |event| Dynamic::from(EventHandle(event.clone()))),
            );
        }
        if let Some(evm) = evm {
            scope.push("evm", Evm(evm.clone()));
        }
        let result = host.run(&self.script, scope)?;
        Ok(!(result.is_unit() || matches!(result.as_bool(), Ok(false))))
    }

    /// The value of an expression that looks at the event alone, for the trace; nothing where it has none.
    pub(crate) fn seen(&self, host: &ScriptHost, event: &Arc<EventView>) -> Option<Value> {
        let mut scope = Scope::new();
        scope.push_constant_dynamic("event", Dynamic::from(EventHandle(event.clone())));
        host.run(&self.script, scope)
            .ok()
            .map(|value| convert::to_value(&value, None))
    }
}
