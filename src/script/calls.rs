//! Calls of functions that do not exist: rhai compiles them, and only the event that comes by finds out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use rhai::AST;
use rhai::ASTNode;
use rhai::Dynamic;
use rhai::Engine;
use rhai::Expr;
use rhai::FnCallExpr;
use rhai::Module;
use rhai::Position;
use rhai::Stmt;

use crate::source::suggest;

/// Functions by name, each with the numbers of parameters that it takes.
pub(crate) type Arities = BTreeMap<String, BTreeSet<usize>>;

const UNKNOWN_FUNCTION: &str = "UnknownFunction";
/// What the language itself understands as a call; how many arguments it takes is its own affair.
const KEYWORDS: [&str; 9] = [
    "print",
    "debug",
    "type_of",
    "Fn",
    "call",
    "curry",
    "is_shared",
    "is_def_fn",
    "is_def_var",
];

/// What a module offers to those who import it.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) functions: Arities,
    /// The variables that it exports.
    pub(crate) variables: BTreeSet<String>,
}

impl Offered {
    /// What a module offers that was made of this script.
    pub(crate) fn of(ast: &AST, module: &Module) -> Self {
        Self {
            functions: defined(ast),
            variables: module.iter_var().map(|(name, _)| name.to_owned()).collect(),
        }
    }
}

/// A use of a name that cannot succeed.
#[derive(Debug)]
pub(crate) struct Unknown {
    /// The kind of finding.
    pub(crate) code: &'static str,
    /// Whether nothing but an error can come of it; else it may be a function that a map holds.
    pub(crate) is_certain: bool,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) at: Position,
}

/// The functions that every engine of ours has, our own and the language's.
pub(crate) fn registered(engine: &Engine) -> &'static Arities {
    static REGISTERED: OnceLock<Arities> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        let mut known = Arities::new();
        let functions = engine.collect_fn_metadata(
            None,
            |function| Some((function.metadata.name.to_string(), function.metadata.num_params)),
            true,
        );
        for (name, parameters) in functions {
            known.entry(name).or_default().insert(parameters);
        }
        known
    })
}

/// The functions that a script defines and that others may call through a module.
pub(crate) fn defined(ast: &AST) -> Arities {
    let mut known = Arities::new();
    for function in ast.iter_functions() {
        let name = known.entry(function.name.to_owned()).or_default();
        name.insert(function.params.len());
    }
    known
}

/// Finds the calls of a script that cannot succeed. `modules` are those that can be imported.
pub(crate) fn unknown(ast: &AST, registered: &Arities, modules: &BTreeMap<String, Offered>) -> Vec<Unknown> {
    let own = defined(ast);
    let names = Names::of(ast);
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at))) => Some((call, *at, Receiver::None)),
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => Some((call, *at, Receiver::of(path))),
            Some(ASTNode::Stmt(Stmt::FnCall(call, at))) => Some((call, *at, Receiver::None)),
            _other => None,
        };
        if let Some((call, at, receiver)) = call {
            let scope = Scope {
                own: &own,
                names: &names,
                registered,
                modules,
            };
            found.extend(scope.check(call, at, receiver));
        }
        true
    });
    found.sort_by_key(|call| (call.at.line(), call.at.position()));
    found.dedup_by_key(|call| call.at);
    found
}

/// What a function is called on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Receiver {
    /// Nothing: `name(…)`.
    None,
    /// `evm`, of which all functions are known.
    Evm,
    /// Anything else, which may be a map that holds a function of any name.
    Any,
}

impl Receiver {
    /// What the method call at the end of a path is called on: in `evm.root.x(…)` that is not `evm`.
    fn of(path: &[ASTNode<'_>]) -> Self {
        let mut above = path.iter().rev().skip(1);
        let mut holder = above.next();
        if let Some(ASTNode::Expr(Expr::Dot(rest, ..) | Expr::Index(rest, ..))) = holder
            && let Expr::MethodCall(..) = &rest.lhs
        {
            holder = above.next();
        }
        match holder {
            Some(ASTNode::Expr(Expr::Dot(dot, ..))) if is_given_evm(&dot.lhs) => Self::Evm,
            _other => Self::Any,
        }
    }
}

/// Whether this is the `evm` that was given, not a variable of the script.
pub(crate) fn is_given_evm(expression: &Expr) -> bool {
    matches!(expression, Expr::Variable(variable, ..) if variable.0.is_none() && variable.1 == "evm")
}

/// Names in a script, by what they may stand for.
#[derive(Default)]
pub(crate) struct Names {
    /// Variables and parameters.
    pub(crate) variables: BTreeSet<String>,
    /// Variables, keys of maps, properties, texts: a function pointer may be kept in each.
    pub(crate) holders: BTreeSet<String>,
    /// `import "path" as alias`.
    pub(crate) imports: BTreeMap<String, String>,
    /// Whether it asks for functions before it calls them.
    asks: bool,
    /// Whether it asks for variables before it reads them.
    pub(crate) asks_for_variables: bool,
}

impl Names {
    pub(crate) fn of(ast: &AST) -> Self {
        let mut names = Self::default();
        for function in ast.iter_functions() {
            let parameters = function.params.iter().map(ToString::to_string);
            names.variables.extend(parameters);
        }
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                    names.variables.insert(variable.0.name.to_string());
                }
                Some(ASTNode::Stmt(Stmt::For(each, _))) => {
                    names.variables.insert(each.0.name.to_string());
                }
                Some(ASTNode::Stmt(Stmt::Import(import, _))) => {
                    if let Expr::StringConstant(path, _) = &import.0 {
                        names.imports.insert(import.1.name.to_string(), path.to_string());
                    }
                }
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    names
                        .holders
                        .extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                // A map of constants was put together when it was compiled.
                Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => names.hold_keys(value),
                Some(ASTNode::Expr(Expr::Property(property, _))) => {
                    names.holders.insert(property.2.to_string());
                }
                Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                    names.holders.insert(text.to_string());
                }
                Some(ASTNode::Expr(Expr::FnCall(call, _))) => {
                    names.asks |= call.name == "is_def_fn";
                    names.asks_for_variables |= call.name == "is_def_var";
                }
                _other => (),
            }
            true
        });
        names.holders.extend(names.variables.iter().cloned());
        names
    }

    fn hold_keys(&mut self, value: &Dynamic) {
        if let Ok(items) = value.as_array_ref() {
            items.iter().for_each(|item| self.hold_keys(item));
        }
        if let Ok(map) = value.as_map_ref() {
            for (key, value) in map.iter() {
                self.holders.insert(key.to_string());
                self.hold_keys(value);
            }
        }
    }
}

struct Scope<'a> {
    own: &'a Arities,
    names: &'a Names,
    registered: &'a Arities,
    modules: &'a BTreeMap<String, Offered>,
}

impl Scope<'_> {
    fn check(&self, call: &FnCallExpr, at: Position, receiver: Receiver) -> Option<Unknown> {
        let is_method = receiver != Receiver::None;
        let name = call.name.as_str();
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if call.op_token.is_some() || !is_name || KEYWORDS.contains(&name) || name.contains('$') {
            return None;
        }
        if !call.namespace.is_empty() {
            return self.check_in_module(call, at);
        }
        if self.names.asks || self.names.holders.contains(name) {
            return None;
        }
        let arguments = call.args.len();
        let own = self.own.get(name);
        // A function of the script takes the object as `this`, one of ours as its first parameter.
        let takes = |arities: Option<&BTreeSet<usize>>, count: usize| {
            arities.is_some_and(|known| known.contains(&count))
        };
        let registered = self.registered.get(name);
        if takes(own, arguments) || takes(registered, arguments + usize::from(is_method)) {
            return None;
        }
        let shown = if is_method {
            format!(".{name}(…)")
        } else {
            format!("{name}(…)")
        };
        let mut counts: BTreeSet<usize> = own.into_iter().flatten().copied().collect();
        let less = usize::from(is_method);
        counts.extend(
            registered
                .into_iter()
                .flatten()
                .filter_map(|count| count.checked_sub(less)),
        );
        // Maps that other scripts made may hold a function of any name.
        let is_certain = receiver != Receiver::Any;
        if counts.is_empty() {
            let known = self.own.keys().chain(self.registered.keys());
            return Some(Unknown {
                code: UNKNOWN_FUNCTION,
                is_certain,
                message: format!("there is no function `{shown}`"),
                help: suggest::did_you_mean(name, known.map(String::as_str).chain(KEYWORDS)),
                at,
            });
        }
        Some(Unknown {
            code: UNKNOWN_FUNCTION,
            is_certain,
            message: format!("`{shown}` is called with {}", arguments_text(arguments)),
            help: takes_text(&counts),
            at,
        })
    }

    fn check_in_module(&self, call: &FnCallExpr, at: Position) -> Option<Unknown> {
        let mut aliases = call.namespace.path.iter().map(|part| part.name.as_str());
        let (alias, None) = (aliases.next()?, aliases.next()) else {
            return None;
        };
        let Some(path) = self.names.imports.get(alias) else {
            return (alias != "global").then(|| Unknown {
                code: UNKNOWN_FUNCTION,
                is_certain: true,
                message: format!("nothing is imported as `{alias}`"),
                help: suggest::did_you_mean(alias, self.names.imports.keys().map(String::as_str)),
                at,
            });
        };
        let functions = &self.modules.get(path)?.functions;
        let (name, arguments) = (call.name.as_str(), call.args.len());
        match functions.get(name) {
            Some(counts) if counts.contains(&arguments) => None,
            Some(counts) => Some(Unknown {
                code: UNKNOWN_FUNCTION,
                is_certain: true,
                message: format!(
                    "`{alias}::{name}(…)` is called with {}",
                    arguments_text(arguments)
                ),
                help: takes_text(counts),
                at,
            }),
            None => Some(Unknown {
                code: UNKNOWN_FUNCTION,
                is_certain: true,
                message: format!("the module `{path}` has no function `{name}`"),
                help: suggest::did_you_mean(name, functions.keys().map(String::as_str)),
                at,
            }),
        }
    }
}

fn arguments_text(count: usize) -> String {
    match count {
        0 => "no argument".to_owned(),
        1 => "1 argument".to_owned(),
        many => format!("{many} arguments"),
    }
}

fn takes_text(counts: &BTreeSet<usize>) -> String {
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    format!("it takes {}", counts.join(" or "))
}
