//! Variables that nobody defines: rhai compiles them, and only the event that comes by finds out.
//!
//! Rhai's parser knows where each variable of its own scope is; what it did not find has to be given by whoever runs
//! the script, or is a mistake.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use rhai::AST;
use rhai::ASTFlags;
use rhai::ASTNode;
use rhai::Engine;
use rhai::Expr;
use rhai::Position;
use rhai::Stmt;

use crate::script::calls::Names;
use crate::script::calls::Offered;
use crate::script::calls::Unknown;
use crate::script::calls::is_given_evm;
use crate::script::engine;
use crate::source::suggest;

/// What people write for a truth value out of habit.
const HABITS: [&str; 8] = ["t", "f", "yes", "no", "on", "off", "True", "False"];
/// What other languages call `()`.
const NOTHINGS: [&str; 4] = ["None", "NULL", "NIL", "undefined"];
/// The root of the constants of a script, as its functions see them.
const GLOBAL: &str = "global";
/// What methods and conditions see of their run.
const EVM: &str = "evm";

/// Finds the variables, imports and properties of `evm` that no run can have. `given` are the variables that whoever
/// runs the script gives its statements; `modules` are those that can be imported.
pub(crate) fn unknown(
    ast: &AST,
    given: &[&str],
    engine: &Engine,
    modules: &BTreeMap<String, Offered>,
) -> Vec<Unknown> {
    let names = Names::of(ast);
    let mut reader = Reader {
        given,
        functions: ast.iter_functions().map(|function| function.name).collect(),
        constants: constants(ast),
        names: &names,
        modules,
        engine,
        found: Vec::new(),
    };
    reader.walk(&ast.clone_statements_only(), &Inside::Statements);
    // A function that is called with `!` sees what its caller sees.
    if !sees_caller(ast) {
        for function in ast.iter_functions() {
            // Not `clone_functions_only_filtered`, which clones all of them.
            let mut only = ast.clone_functions_only();
            only.retain_functions(|_, _, name, count| {
                name == function.name && count == function.params.len()
            });
            let parameters = function.params.iter().map(|name| &**name).collect();
            reader.walk(&only, &Inside::Function(parameters));
        }
    }
    let mut found = reader.found;
    found.sort_by_key(|unknown| (unknown.at.line(), unknown.at.position()));
    // What is unknown once is unknown throughout: the first place is enough.
    let mut told = BTreeSet::new();
    found.retain(|unknown| told.insert(unknown.message.clone()));
    found
}

fn constants(ast: &AST) -> BTreeSet<&str> {
    let constant = |statement| match statement {
        &Stmt::Var(ref variable, flags, _) if flags.contains(ASTFlags::CONSTANT) => {
            Some(variable.0.name.as_str())
        }
        _other => None,
    };
    ast.statements().iter().filter_map(constant).collect()
}

fn sees_caller(ast: &AST) -> bool {
    let mut sees = false;
    ast.walk(&mut |path| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _))) => Some(call),
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => Some(call),
            _other => None,
        };
        sees |= call.is_some_and(|call| call.capture_parent_scope);
        true
    });
    sees
}

/// Which part of a script is looked at.
enum Inside<'a> {
    Statements,
    /// With the names of its parameters.
    Function(BTreeSet<&'a str>),
}

struct Reader<'a> {
    given: &'a [&'a str],
    functions: BTreeSet<&'a str>,
    constants: BTreeSet<&'a str>,
    names: &'a Names,
    modules: &'a BTreeMap<String, Offered>,
    engine: &'a Engine,
    found: Vec<Unknown>,
}

impl Reader<'_> {
    fn walk(&mut self, ast: &AST, inside: &Inside<'_>) {
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Variable(variable, _, at))) => {
                    let path: Vec<&str> = variable.2.path.iter().map(|part| part.name.as_str()).collect();
                    match path.as_slice() {
                        [] if variable.0.is_none() => self.variable(&variable.1, *at, inside),
                        [] => (),
                        [root] => self.of_module(root, &variable.1, *at),
                        _nested => (),
                    }
                }
                Some(ASTNode::Expr(Expr::Dot(dot, ..))) => self.property(&dot.lhs, &dot.rhs, inside),
                Some(ASTNode::Stmt(Stmt::Import(import, at))) => {
                    if let Expr::StringConstant(path, place) = &import.0 {
                        self.import(path, if place.is_none() { *at } else { *place });
                    }
                }
                _other => (),
            }
            true
        });
    }

    fn variable(&mut self, name: &str, at: Position, inside: &Inside<'_>) {
        let is_given = match inside {
            Inside::Statements => self.is_given(name),
            Inside::Function(parameters) => parameters.contains(name),
        };
        let is_asked_for = self.names.asks_for_variables && self.names.holders.contains(name);
        let is_global = engine::globals().contains(name);
        if is_given || is_asked_for || is_global || self.functions.contains(name) {
            return;
        }
        let help = match inside {
            Inside::Function(_) if self.constants.contains(name) => {
                format!("a function sees the constants of its script as `{GLOBAL}::{name}`")
            }
            Inside::Function(_) if self.is_given(name) || self.names.variables.contains(name) => format!(
                "a function sees its parameters and what it defines itself: let it take `{name}` as a parameter"
            ),
            _any if HABITS.contains(&name) => "write `true` or `false`".to_owned(),
            _any if NOTHINGS.contains(&name) => "write `()` for nothing".to_owned(),
            _any => {
                let own = self.names.variables.iter().map(String::as_str);
                let given = self.given.iter().copied().filter(|name| !name.starts_with("__"));
                suggest::did_you_mean(name, own.chain(given).filter(|known| *known != name))
            }
        };
        self.push(format!("there is no variable `{name}`"), help, at);
    }

    fn is_given(&self, name: &str) -> bool {
        self.given.contains(&name)
    }

    /// `root::name` for a constant.
    fn of_module(&mut self, root: &str, name: &str, at: Position) {
        if root == GLOBAL {
            if !self.constants.contains(name) {
                let help = suggest::did_you_mean(name, self.constants.iter().copied());
                self.push(format!("the script has no constant `{name}`"), help, at);
            }
            return;
        }
        let Some(path) = self.names.imports.get(root) else {
            let help = suggest::did_you_mean(root, self.names.imports.keys().map(String::as_str));
            return self.push(format!("nothing is imported as `{root}`"), help, at);
        };
        let Some(module) = self.modules.get(path) else {
            return;
        };
        if !module.variables.contains(name) {
            let help = suggest::did_you_mean(name, module.variables.iter().map(String::as_str));
            self.push(format!("the module `{path}` exports no `{name}`"), help, at);
        }
    }

    fn import(&mut self, path: &str, at: Position) {
        if !self.modules.contains_key(path) {
            let near = suggest::nearest(path, self.modules.keys().map(String::as_str));
            let help = near.map_or_else(
                || "a module is scripts/lib/NAME.rhai, imported as \"lib/NAME\"".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            self.push(format!("there is no module `{path}`"), help, at);
        }
    }

    /// `evm.name`, where `evm` is the one that was given.
    fn property(&mut self, of: &Expr, what: &Expr, inside: &Inside<'_>) {
        if !is_given_evm(of) || !self.is_given(EVM) || !matches!(inside, Inside::Statements) {
            return;
        }
        let (property, at) = match what {
            Expr::Property(property, at) => (property, *at),
            Expr::Dot(rest, ..) | Expr::Index(rest, ..) => match &rest.lhs {
                Expr::Property(property, at) => (property, *at),
                _call => return,
            },
            _call => return,
        };
        let known = properties_of_evm(self.engine);
        let name = property.2.as_str();
        if !known.contains(name) {
            let help = suggest::did_you_mean(name, known.iter().map(String::as_str));
            self.push(format!("`{EVM}` has no `{name}`"), help, at);
        }
    }

    fn push(&mut self, message: String, help: String, at: Position) {
        self.found.push(Unknown {
            code: "UnknownVariable",
            is_certain: true,
            message,
            help,
            at,
        });
    }
}

/// What can be read of `evm`, the same in every engine.
fn properties_of_evm(engine: &Engine) -> &'static BTreeSet<String> {
    static PROPERTIES: OnceLock<BTreeSet<String>> = OnceLock::new();
    PROPERTIES.get_or_init(|| {
        let getter = |function: rhai::FuncInfo<'_>| {
            let of = function.metadata.params_info.first()?;
            let name = function.metadata.name.strip_prefix("get$")?;
            of.ends_with("Evm").then(|| name.to_owned())
        };
        engine
            .collect_fn_metadata(None, getter, true)
            .into_iter()
            .collect()
    })
}
