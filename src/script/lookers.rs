//! Functions of scripts that do nothing with a document but look at places of it.

use std::collections::BTreeMap;

use rhai::AST;
use rhai::ASTNode;
use rhai::Expr;
use rhai::FnCallExpr;

/// What may be asked of a document, each with its number of arguments.
const FUNCTIONS: [(&str, usize); 3] = [("at", 1), ("text_at", 1), ("to_json", 1)];

/// The functions of a script, each with its number of parameters, that do nothing with their first parameter but look
/// at places of it.
pub(crate) fn lookers(ast: &AST) -> Vec<(Box<str>, usize)> {
    let mut functions = Functions {
        ast,
        of_this: BTreeMap::new(),
    };
    // Functions that stand in for those that are looked for, and calls that see the variables of their caller.
    let own = ast.iter_fn_def().any(|function| {
        let name = function.name.as_str();
        function.this_type.is_some() || FUNCTIONS.iter().any(|(known, _)| *known == name)
    });
    let mut sees_all = false;
    ast.walk(&mut |path| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => Some(call),
            Some(ASTNode::Stmt(rhai::Stmt::FnCall(call, _))) => Some(call),
            _other => None,
        };
        sees_all |= call.is_some_and(|call| call.capture_parent_scope);
        true
    });
    if own || sees_all {
        return Vec::new();
    }
    let defined = ast.iter_functions().filter_map(|function| {
        let subject = Subject::Variable(function.params.first()?);
        let found = (function.name, function.params.len());
        functions
            .look_only(found, subject)
            .then(|| (Box::from(found.0), found.1))
    });
    defined.collect()
}

/// What holds the document within a function.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Variable(&'a str),
    This,
}

impl Subject<'_> {
    fn is(self, expression: &Expr) -> bool {
        match (self, expression) {
            (Self::Variable(name), Expr::Variable(variable, ..)) => variable.1.as_str() == name,
            (Self::This, Expr::ThisPtr(_)) => true,
            _other => false,
        }
    }
}

struct Functions<'a> {
    ast: &'a AST,
    /// What is known of those that are called as methods of the document; of one that calls itself what it is if the
    /// rest of it is.
    of_this: BTreeMap<(String, usize), bool>,
}

impl Functions<'_> {
    fn look_only(&mut self, (name, parameters): (&str, usize), subject: Subject<'_>) -> bool {
        let only = self
            .ast
            .clone_functions_only_filtered(|_, _, _, known, count| known == name && count == parameters);
        let (mut mentions, mut looks) = (0, 0);
        let mut called = Vec::new();
        only.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Dot(dot, ..))) if subject.is(&dot.lhs) => {
                    let call = match &dot.rhs {
                        Expr::MethodCall(call, _) => Some(call),
                        Expr::Dot(rest, ..) | Expr::Index(rest, ..) => match &rest.lhs {
                            Expr::MethodCall(call, _) => Some(call),
                            _property => None,
                        },
                        _property => None,
                    };
                    if let Some(call) = call.filter(|call| call.namespace.is_empty()) {
                        looks += 1;
                        called.push(called_as(call));
                    }
                }
                Some(ASTNode::Expr(expression)) => mentions += usize::from(subject.is(expression)),
                _other => (),
            }
            true
        });
        mentions == looks && called.into_iter().all(|call| self.looks_at_this(call))
    }

    fn looks_at_this(&mut self, call: (String, usize)) -> bool {
        if FUNCTIONS
            .iter()
            .any(|(name, count)| *name == call.0 && *count == call.1)
        {
            return true;
        }
        if let Some(known) = self.of_this.get(&call) {
            return *known;
        }
        let is_defined = self
            .ast
            .iter_functions()
            .any(|function| function.name == call.0 && function.params.len() == call.1);
        self.of_this.insert(call.clone(), true);
        let looks = is_defined && self.look_only((&call.0, call.1), Subject::This);
        self.of_this.insert(call, looks);
        looks
    }
}

fn called_as(call: &FnCallExpr) -> (String, usize) {
    (call.name.to_string(), call.args.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_does_more_than_look_is_given_the_whole_document() {
        for (script, looks) in [
            (r#"fn f(event) { event.at("/a") }"#, true),
            (
                r#"fn f(event, id) { #{ a: event.at("/a"), b: event.text_at("/b").len() } }"#,
                true,
            ),
            (r#"fn f(event) { event?.at("/a") ?? id }"#, true),
            (
                r#"fn f(event) { event.at("/a").b.c(1) + event.at("/d")[0] }"#,
                true,
            ),
            (
                r#"fn f(event) { if event.at("/a") == 1 { return event.kind(2); } } fn kind(x) { this.to_json("/b") + x }"#,
                true,
            ),
            (r#"fn f(event) { event.kind() } fn kind() { this.kind() }"#, true),
            (r#"fn f() { 1 }"#, false),
            (r#"fn f(event) { event.a }"#, false),
            (r#"fn f(event) { event["a"] }"#, false),
            (r#"fn f(event) { event.to_json() }"#, false),
            (r#"fn f(event) { at(event, "/a") }"#, false),
            (
                r#"fn f(event) { g(event.at("/a"), event) } fn g(a, b) { a }"#,
                false,
            ),
            (r#"fn f(event) { let copy = event; copy.at("/a") }"#, false),
            (r#"fn f(event) { event = 1; event.at("/a") }"#, false),
            (r#"fn f(event) { `${event}` + event.at("/a") }"#, false),
            (r#"fn f(event) { for key in event.keys() { key } }"#, false),
            (r#"fn f(event) { for part in event { part } }"#, false),
            (
                r#"fn f(event) { switch event { 1 => 2, _ => event.at("/a") } }"#,
                false,
            ),
            (r#"fn f(event) { "a" in event }"#, false),
            (r#"fn f(event) { return event; }"#, false),
            (r#"fn f(event) { event }"#, false),
            (r#"fn f(event) { throw event; }"#, false),
            (r#"fn f(event) { #{ full: event } }"#, false),
            (r#"fn f(event) { ["/a"].map(|place| event.at(place)) }"#, false),
            (r#"fn f(event) { event.kind() } fn kind() { this.a }"#, false),
            (
                r#"fn f(event) { event.kind() } fn kind() { other(this) } fn other(x) { x }"#,
                false,
            ),
            (r#"fn f(event) { event.unknown() }"#, false),
            (
                r#"fn f(event) { event.at("/a") } fn at(pointer) { this.b }"#,
                false,
            ),
            (
                r#"fn f(event) { event.at("/a"); g!() } fn g() { event.b }"#,
                false,
            ),
            (r#"fn f(event) { while event.a { event.at("/a"); } }"#, false),
            (
                r#"fn f(event) { try { throw event.at("/a"); } catch { return event; } }"#,
                false,
            ),
        ] {
            let ast = rhai::Engine::new_raw().compile(script).unwrap();
            let found = lookers(&ast);
            assert_eq!(found.iter().any(|(name, _)| &**name == "f"), looks, "{script}");
        }
    }
}
