//! Expression: a compiled condition with its bound variables.

use std::sync::Arc;

use rhai::ASTNode;
use rhai::Dynamic;
use rhai::Expr;
use rhai::Scope;

use crate::model::event::EVENT_COLUMNS;
use crate::model::value::Value;
use crate::script::Script;
use crate::script::ScriptError;
use crate::script::ScriptHost;
use crate::script::at_most;
use crate::script::convert;
use crate::script::evm::EventHandle;
use crate::script::evm::EventView;
use crate::script::evm::Evm;
use crate::script::evm::EvmHost;
use crate::source::Diagnostic;
use crate::source::suggest;

/// The variables that every condition finds.
const CONDITION_VARIABLES: [&str; 2] = ["event", "evm"];

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

    /// Names that no event can give a meaning to, at their places within the expression; as warnings columns of the
    /// event that are likely to be slips.
    pub(crate) fn check_names(&self, host: &ScriptHost) -> Vec<Diagnostic> {
        let references = self.typed.iter().chain(&self.texts).map(String::as_str);
        let given: Vec<&str> = CONDITION_VARIABLES.into_iter().chain(references).collect();
        let mut found = host.check_names(&self.script, &given);
        self.script.ast.walk(&mut |path| {
            if let Some(ASTNode::Expr(Expr::Dot(dot, ..))) = path.last()
                && let Expr::Variable(variable, ..) = &dot.lhs
                && variable.1 == "event"
            {
                found.extend(self.slip(&dot.rhs));
            }
            true
        });
        found
    }

    /// A column that no event is known to have, and that looks like one.
    fn slip(&self, read: &Expr) -> Option<Diagnostic> {
        let (property, at) = match read {
            Expr::Property(property, at) => (property, at),
            Expr::Dot(rest, ..) | Expr::Index(rest, ..) => match &rest.lhs {
                Expr::Property(property, at) => (property, at),
                _call => return None,
            },
            _call => return None,
        };
        let name = property.2.as_str();
        if EVENT_COLUMNS.contains(&name) {
            return None;
        }
        let near = suggest::nearest(name, EVENT_COLUMNS)?;
        let message = format!("an event has no `{name}`, unless a parser gives it one");
        let (line, column) = (at_most(at.line()), at_most(at.position()));
        let finding = Diagnostic::warning("UnknownColumn", &self.script.path, message);
        Some(finding.at(line, column).help(format!("did you mean `{near}`?")))
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
