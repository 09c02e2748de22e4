//! Rhai, fenced: compile and call scripts within limits. Nobody else names the crate.
//!
//! Knows nothing of rules or tables: what a script may reach of them comes in through [`evm::EvmHost`].

pub(crate) mod api;
mod calls;
pub(crate) mod convert;
mod document;
mod engine;
pub(crate) mod evm;
mod evm_functions;
mod explain;
pub(crate) mod expression;
mod functions;
mod http;
mod inventory;
pub(crate) mod json;
pub(crate) mod limits;
mod page;
mod lookers;
mod number;
mod places;
mod returned;
mod syntax;
mod targets;
mod times;
mod unread;
mod variables;

pub(crate) use document::Argument;
pub(crate) use document::Document;
pub(crate) use explain::ScriptError;
pub use functions::ScriptFunction;
pub use functions::all_functions;
pub use functions::own_functions;
pub(crate) use inventory::unknown as unknown_association;
pub use limits::Limits;
pub use limits::THREAD_STACK;
pub(crate) use limits::metered;
pub(crate) use page::AnswerError;
pub(crate) use page::PageEvent;
pub(crate) use returned::Returned;
pub(crate) use syntax::SyntaxError;
pub(crate) use unread::Reading;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::OnceLock;

use rhai::AST;
use rhai::CallFnOptions;
use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::Module;
use rhai::Position;
use rhai::Scope;
use rhai::module_resolvers::StaticModuleResolver;

use crate::model::api_call::ManagerApi;
use crate::model::target::TargetCollection;
use crate::script::calls::Offered;
use crate::script::calls::Unknown;
use crate::script::limits::BudgetGuard;
use crate::script::targets::TargetsHandle;
use crate::source::Diagnostic;
use crate::source::SourceFile;

/// The variables that the statements of a method find.
pub(crate) const METHOD_VARIABLES: [&str; 1] = ["evm"];

/// A compiled script, shared by every call and every thread.
#[derive(Clone)]
pub(crate) struct Script {
    path: Arc<str>,
    ast: Arc<AST>,
    functions: Arc<[(Box<str>, usize)]>,
    /// Those of them that do nothing with their first argument but look at places of it.
    lookers: Arc<[(Box<str>, usize)]>,
    has_statements: bool,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Script({})", self.path)
    }
}

impl Script {
    /// The file, for people.
    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Whether it defines a function of this name with that many parameters.
    pub(crate) fn defines(&self, function: &str, parameters: usize) -> bool {
        self.functions
            .iter()
            .any(|(name, count)| **name == *function && *count == parameters)
    }

    /// Whether this function of it does nothing with its first argument but look at places of it.
    pub(crate) fn looks_at_places(&self, function: &str, parameters: usize) -> bool {
        self.lookers
            .iter()
            .any(|(name, count)| **name == *function && *count == parameters)
    }

    /// This script with the functions and statements of `earlier` before its own (embedded methods, 6.5).
    #[must_use]
    pub(crate) fn after(&self, earlier: &Self) -> Self {
        let mut ast = earlier.ast.merge(&self.ast);
        ast.set_source(self.path.as_ref());
        Self {
            path: self.path.clone(),
            functions: functions_of(&ast),
            lookers: Arc::default(),
            ast: Arc::new(ast),
            has_statements: true,
        }
    }
}

/// Names and numbers of parameters of what a script defines.
fn functions_of(ast: &AST) -> Arc<[(Box<str>, usize)]> {
    ast.iter_functions()
        .map(|function| (Box::from(function.name), function.params.len()))
        .collect()
}

/// The engine with everything that scripts may call, for one generation of rules.
pub(crate) struct ScriptHost {
    engine: Engine,
    limits: Limits,
    /// For inventory collectors and for pages of events, which have limits of their own; made when one is called.
    collecting: OnceLock<(Engine, Limits)>,
    resolver: StaticModuleResolver,
    /// What each module that can be imported offers.
    modules: BTreeMap<String, Offered>,
}

impl std::fmt::Debug for ScriptHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScriptHost({:?})", self.limits)
    }
}

impl ScriptHost {
    /// A host without modules.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            engine: engine::new(&limits),
            limits,
            collecting: OnceLock::new(),
            resolver: StaticModuleResolver::new(),
            modules: BTreeMap::new(),
        }
    }

    /// Offers `scripts/lib/<name>.rhai` as `import "lib/<name>"`; a module may import those that need no other.
    /// Returns what is wrong with those that cannot be offered.
    pub(crate) fn add_modules(&mut self, files: &[Arc<SourceFile>]) -> Vec<Diagnostic> {
        let mut waiting: BTreeMap<&str, &Arc<SourceFile>> = BTreeMap::new();
        for file in files {
            if let Some(name) = file
                .relative
                .strip_suffix(".rhai")
                .filter(|name| name.starts_with("lib/"))
            {
                waiting.insert(name, file);
            }
        }
        let mut resolver = StaticModuleResolver::new();
        let mut scripts = Vec::new();
        loop {
            let mut diagnostics = Vec::new();
            let before = waiting.len();
            waiting.retain(|name, file| match self.module(file) {
                Ok((script, module)) => {
                    let offered = Offered::of(&script.ast, &module);
                    self.modules.insert((*name).to_owned(), offered);
                    resolver.insert(*name, module);
                    scripts.push(script);
                    false
                }
                Err(diagnostic) => {
                    diagnostics.push(diagnostic);
                    true
                }
            });
            self.engine.set_module_resolver(resolver.clone());
            self.resolver = resolver.clone();
            if waiting.is_empty() || waiting.len() == before {
                diagnostics.extend(scripts.iter().flat_map(|script| self.check_names(script, &[])));
                return diagnostics;
            }
        }
    }

    /// Names that no run can find: functions that do not exist or take another number of arguments, and variables
    /// that are neither defined nor among those that whoever runs the script gives it. Errors, and warnings where a map
    /// may hold the function. Not for a script that others are put in front of, see [`Script::after`].
    pub(crate) fn check_names(&self, script: &Script, given: &[&str]) -> Vec<Diagnostic> {
        let functions = calls::unknown(&script.ast, calls::registered(&self.engine), &self.modules);
        let variables = variables::unknown(&script.ast, given, &self.engine, &self.modules);
        let finding = |unknown: Unknown| {
            let finding = match unknown.is_certain {
                true => Diagnostic::error,
                false => Diagnostic::warning,
            };
            finding(unknown.code, &script.path, unknown.message)
                .at(at_most(unknown.at.line()), at_most(unknown.at.position()))
                .help(unknown.help)
        };
        functions.into_iter().chain(variables).map(finding).collect()
    }

    fn module(&self, file: &Arc<SourceFile>) -> Result<(Script, Module), Diagnostic> {
        let script = self.compile(file)?;
        let _budget = BudgetGuard::start(&self.limits);
        let module = Module::eval_ast_as_new(Scope::new(), &script.ast, &self.engine);
        let module = module.map_err(|error| match &*error {
            EvalAltResult::ErrorModuleNotFound(name, at) => {
                let why = "it needs this one, or cannot be loaded itself";
                let message = format!("the module `{name}` cannot be imported: {why}");
                diagnostic("ScriptModule", file, &message, *at)
            }
            error => diagnostic("ScriptModule", file, &error.to_string(), error.position()),
        })?;
        Ok((script, module))
    }

    /// Compiles a file.
    ///
    /// # Errors
    /// A diagnostic at the place that rhai names.
    pub(crate) fn compile(&self, file: &SourceFile) -> Result<Script, Diagnostic> {
        self.compile_inline(&file.path, &file.text)
            .map_err(|error| syntax::finding(file, error))
    }

    /// Compiles a text that stands within another file, such as a method's `data`.
    ///
    /// # Errors
    /// What is wrong, with its place within the text.
    pub(crate) fn compile_inline(&self, path: &Arc<str>, text: &str) -> Result<Script, SyntaxError> {
        let ast = self.engine.compile(text);
        let mut ast = ast.map_err(|error| SyntaxError::new(text, &error))?;
        ast.set_source(path.as_ref());
        let has_statements = !ast.statements().is_empty();
        Ok(Script {
            path: path.clone(),
            functions: functions_of(&ast),
            lookers: lookers::lookers(&ast).into(),
            ast: Arc::new(ast),
            has_statements,
        })
    }

    /// Compiles an expression: no statements, no functions.
    ///
    /// # Errors
    /// What is wrong, with its place within the text.
    pub(crate) fn compile_expression(&self, path: &Arc<str>, text: &str) -> Result<Script, SyntaxError> {
        let ast = self.engine.compile_expression(text);
        let mut ast = ast.map_err(|error| SyntaxError::new(text, &error))?;
        ast.set_source(path.as_ref());
        Ok(Script {
            path: path.clone(),
            functions: functions_of(&ast),
            lookers: Arc::default(),
            ast: Arc::new(ast),
            has_statements: true,
        })
    }

    /// Calls a function of a script with what it takes; what it returns is rhai's, for [`convert`] to read.
    pub(crate) fn call(
        &self,
        script: &Script,
        function: &str,
        arguments: impl rhai::FuncArgs,
    ) -> Result<Dynamic, ScriptError> {
        self.guarded(script, |engine| {
            call_function(engine, script, function, arguments)
        })
    }

    /// Calls `function(document, …)` with what else there is, the shape of `event_to_hash` and `native_event`.
    ///
    /// # Errors
    /// When the script fails or is stopped.
    pub(crate) fn call_with_document(
        &self,
        script: &Script,
        function: &'static str,
        document: &Document,
        more: [Option<Argument<'_>>; 2],
    ) -> Result<Returned, ScriptError> {
        let mut more = more.into_iter().flatten().map(Argument::into_dynamic);
        let (second, third) = (more.next(), more.next());
        let parameters = 1 + usize::from(second.is_some()) + usize::from(third.is_some());
        let document = match script.looks_at_places(function, parameters) {
            true => document.places(),
            false => document.whole(),
        };
        let value = match (second, third) {
            (Some(second), Some(third)) => self.call(script, function, (document, second, third)),
            (Some(second), None) => self.call(script, function, (document, second)),
            (None, _) => self.call(script, function, (document,)),
        };
        Ok(Returned::new(value?, script, function))
    }

    /// Calls a function that takes documents, the shape of `poll_request` and `events`.
    ///
    /// # Errors
    /// When the script fails or is stopped.
    pub(crate) fn call_with_documents(
        &self,
        script: &Script,
        function: &'static str,
        documents: &[Document],
    ) -> Result<Returned, ScriptError> {
        let arguments: Vec<Dynamic> = documents.iter().map(Document::whole).collect();
        let value = self.call(script, function, arguments)?;
        Ok(Returned::new(value, script, function))
    }

    /// Calls `function(ems_event)`, the shape of `parse` in an event target parser.
    ///
    /// # Errors
    /// When the script fails or is stopped.
    pub(crate) fn call_with_event(
        &self,
        script: &Script,
        function: &'static str,
        event: &Arc<evm::EventView>,
    ) -> Result<Returned, ScriptError> {
        let value = self.call(script, function, (evm::EventHandle(event.clone()),))?;
        Ok(Returned::new(value, script, function))
    }

    /// Calls `collect(ems, targets)` or, without targets, `collect_all(ems)`, with `http` in reach.
    ///
    /// # Errors
    /// When the script fails or is stopped; a call of the manager's API that fails is thrown within it.
    pub(crate) fn call_collector(
        &self,
        script: &Script,
        function: &'static str,
        ems: &Document,
        targets: Option<TargetCollection>,
        api: &Arc<dyn ManagerApi>,
    ) -> Result<Returned, ScriptError> {
        let (engine, limits) = self.collecting();
        let mut arguments = vec![ems.whole()];
        arguments.extend(targets.map(|targets| Dynamic::from(TargetsHandle::new(targets))));
        let _api = http::lend(api);
        let value = self.guarded_by(engine, limits, script, |engine| {
            call_function(engine, script, function, arguments)
        });
        Ok(Returned::new(value?, script, function))
    }

    /// The engine of those that go through much of a manager at once.
    fn collecting(&self) -> &(Engine, Limits) {
        self.collecting.get_or_init(|| {
            let limits = self.limits.of_a_collector();
            let mut engine = engine::new(&limits);
            engine.set_module_resolver(self.resolver.clone());
            (engine, limits)
        })
    }

    /// How much of what one call may use so many operations are, in thousandths.
    pub(crate) fn share_of_budget(&self, operations: u64) -> u16 {
        self.limits.share(operations)
    }

    /// Runs a method: its statements, with `evm` in reach. Whatever its last value is, its end is a good one.
    ///
    /// # Errors
    /// When it fails, is stopped, or calls `exit`.
    pub(crate) fn run_method(
        &self,
        script: &Script,
        host: &Arc<dyn evm::EvmHost>,
    ) -> Result<(), ScriptError> {
        let mut scope = Scope::new();
        scope.push("evm", evm::Evm(host.clone()));
        self.run(script, scope).map(|_| ())
    }

    /// Runs the statements of a script with these variables.
    pub(crate) fn run(&self, script: &Script, mut scope: Scope<'static>) -> Result<Dynamic, ScriptError> {
        // The variables are dropped within, where there is stack for whatever the script put into them.
        self.guarded(script, move |engine| {
            engine.eval_ast_with_scope::<Dynamic>(&mut scope, &script.ast)
        })
    }

    fn guarded(
        &self,
        script: &Script,
        work: impl FnOnce(&Engine) -> Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Dynamic, ScriptError> {
        self.guarded_by(&self.engine, &self.limits, script, work)
    }

    fn guarded_by(
        &self,
        engine: &Engine,
        limits: &Limits,
        script: &Script,
        work: impl FnOnce(&Engine) -> Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Dynamic, ScriptError> {
        let _budget = BudgetGuard::start(limits);
        // All of it on a stack with room, the dropping of what the script made included.
        stacker::maybe_grow(limits::STACK_NEEDED, limits::STACK_GIVEN, || {
            guarded_here(engine, limits, script, work)
        })
    }
}

fn call_function(
    engine: &Engine,
    script: &Script,
    function: &str,
    arguments: impl rhai::FuncArgs,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let options = CallFnOptions::new()
        .eval_ast(script.has_statements)
        .rewind_scope(true);
    engine.call_fn_with_options(options, &mut Scope::new(), &script.ast, function, arguments)
}

/// Calls into rhai; a panic on the way is an error of this call.
fn guarded_here(
    engine: &Engine,
    limits: &Limits,
    script: &Script,
    work: impl FnOnce(&Engine) -> Result<Dynamic, Box<EvalAltResult>>,
) -> Result<Dynamic, ScriptError> {
    match catch_unwind(AssertUnwindSafe(|| work(engine))) {
        Ok(Ok(result)) => match convert::kept_in(&result) {
            None => Ok(result),
            Some(why) => {
                let message = format!("it returned what cannot leave a script: {why}");
                Err(explain::failed(&script.path, Position::NONE, message))
            }
        },
        Ok(Err(error)) => Err(explain::explain(&script.path, limits, &error)),
        Err(panic) => Err(explain::panicked(&script.path, &*panic)),
    }
}

fn at_most(place: Option<usize>) -> u32 {
    place.and_then(|place| u32::try_from(place).ok()).unwrap_or(1)
}

fn diagnostic(code: &'static str, file: &SourceFile, message: &str, at: Position) -> Diagnostic {
    Diagnostic::error(code, &file.path, message).at(at_most(at.line()), at_most(at.position()))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::source::RootKind;

    #[test]
    fn a_function_of_ours_that_panics_ends_the_call_and_nothing_else() {
        let mut host = ScriptHost::new(Limits::default());
        host.engine.register_fn("breaks", || -> i64 { panic!("boom") });
        let file = |text: &str| SourceFile::new(RootKind::Scripts, "scripts/x/a.rhai", "x/a.rhai", text);
        let broken = host.compile(&file("try { breaks() } catch { 1 }")).unwrap();
        let error = host.run(&broken, Scope::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "scripts/x/a.rhai: a function it called broke: boom"
        );
        let next = host.compile(&file("1 + 1")).unwrap();
        assert_eq!(host.run(&next, Scope::new()).unwrap().as_int(), Ok(2));
    }
}
