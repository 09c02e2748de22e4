//! The floor of a decision: the same scripts on a bare rhai engine, with only the functions that they call.
//!
//! Nothing is checked, recorded or limited here; the functions do the same work as those of the program.

use std::sync::Arc;
use std::sync::Mutex;

use rhai::AST;
use rhai::CallFnOptions;
use rhai::Dynamic;
use rhai::Engine;
use rhai::Map;
use rhai::Scope;
use rhai::packages::Package;
use rhai::packages::StandardPackage;

/// Association, name of the key, and key.
type Target = (String, String, String);

/// The event as the target parser gets it.
#[derive(Clone)]
struct Event(Dynamic);

#[derive(Clone, Default)]
struct Targets(Arc<Mutex<Vec<Target>>>);

/// A bare engine and two compiled scripts.
pub(crate) struct Floor {
    engine: Engine,
    parser: AST,
    target_parser: AST,
}

impl Floor {
    /// Compiles both scripts.
    pub(crate) fn new(parser: &str, target_parser: &str) -> Self {
        let engine = engine();
        Self {
            parser: engine.compile(parser).unwrap(),
            target_parser: engine.compile(target_parser).unwrap(),
            engine,
        }
    }

    /// Parses the message once, straight into rhai's form, and calls `event_to_hash` and `parse` with it.
    pub(crate) fn decide(&self, message: &str) -> usize {
        self.decide_where(message, |_event_type| true)
    }

    /// The same, where there is a rule for events of this type.
    pub(crate) fn decide_where(&self, message: &str, has_rule: impl FnOnce(&str) -> bool) -> usize {
        let document = json(message);
        let hash = self.call(&self.parser, "event_to_hash", (document.clone(), 1_i64));
        {
            let hash = hash.as_map_ref().unwrap();
            if !has_rule(&hash["event_type"].as_immutable_string_ref().unwrap()) {
                return 0;
            }
        }
        let found = self.call(&self.target_parser, "parse", (Event(document),));
        assert!(hash.is_map());
        found.cast::<Targets>().0.lock().unwrap().len()
    }

    /// Calls the target parser alone, for an event without data.
    pub(crate) fn targets_of_nothing(&self) -> usize {
        let found = self.call(&self.target_parser, "parse", (Event(Dynamic::UNIT),));
        found.cast::<Targets>().0.lock().unwrap().len()
    }

    fn call(&self, script: &AST, function: &str, arguments: impl rhai::FuncArgs) -> Dynamic {
        let options = CallFnOptions::new().eval_ast(false).rewind_scope(true);
        self.engine
            .call_fn_with_options(options, &mut Scope::new(), script, function, arguments)
            .unwrap()
    }
}

/// The message in rhai's form.
pub(crate) fn json(message: &str) -> Dynamic {
    serde_json::from_str::<Dynamic>(message).unwrap().into_shared()
}

fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_max_expr_depths(64, 64);
    engine.register_fn("at", |value: &mut Dynamic, pointer: &str| {
        follow(value, pointer, &Dynamic::clone).unwrap_or(Dynamic::UNIT)
    });
    engine.register_fn("at", |event: &mut Event, pointer: &str| {
        follow(&event.0, pointer, &Dynamic::clone).unwrap_or(Dynamic::UNIT)
    });
    engine.register_fn("text_at", |value: &mut Dynamic, pointer: &str| {
        let found = follow(value, pointer, &Dynamic::clone).filter(Dynamic::is_string);
        found.unwrap_or(Dynamic::UNIT)
    });
    engine.register_fn("to_json", |value: &mut Dynamic, pointer: &str| {
        let to_json = |found: &Dynamic| serde_json::to_string(found).unwrap();
        follow(value, pointer, &to_json).unwrap_or_else(|| "null".to_owned())
    });
    engine.register_fn("ignore", |reason: &str| {
        Map::from([("ignored".into(), reason.into())])
    });
    engine.register_fn("targets", Targets::default);
    engine.register_fn(
        "add",
        |targets: &mut Targets, association: &str, reference: Dynamic| {
            push(targets, association, &reference);
        },
    );
    engine.register_fn("collect", |targets: &mut Targets, event: Event, rules: Map| {
        for place in &*rules["within"].as_array_ref().unwrap() {
            let place = place.as_immutable_string_ref().unwrap();
            at_place(&event.0, &place, &mut |found| collect(targets, found, &rules));
        }
    });
    engine
}

fn follow<T>(value: &Dynamic, pointer: &str, read: &dyn Fn(&Dynamic) -> T) -> Option<T> {
    let Some((_, steps)) = pointer.split_once('/') else {
        return Some(read(value));
    };
    let (step, rest) = steps.split_at(steps.find('/').unwrap_or(steps.len()));
    if let Ok(map) = value.as_map_ref() {
        return follow(map.get(step)?, rest, read);
    }
    let items = value.as_array_ref().ok()?;
    follow(items.get(step.parse::<usize>().ok()?)?, rest, read)
}

fn push(targets: &Targets, association: &str, reference: &Dynamic) {
    let (association, key) = association.split_once('.').unwrap_or((association, "ems_ref"));
    if let Ok(text) = reference.as_immutable_string_ref() {
        let mut targets = targets.0.lock().unwrap();
        let is_same = |(a, b, c): &Target| a == association && b == key && **c == **text;
        if !targets.iter().any(is_same) {
            targets.push((association.to_owned(), key.to_owned(), text.to_string()));
        }
    }
}

fn collect(targets: &Targets, value: &Dynamic, rules: &Map) {
    if let Ok(items) = value.as_array_ref() {
        return items.iter().for_each(|item| collect(targets, item, rules));
    }
    for (place, association) in &*rules["keys"].as_map_ref().unwrap() {
        let association = association.as_immutable_string_ref().unwrap();
        at_place(value, place, &mut |found| push(targets, &association, found));
    }
    for place in &*rules["descend"].as_array_ref().unwrap() {
        let place = place.as_immutable_string_ref().unwrap();
        at_place(value, &place, &mut |found| collect(targets, found, rules));
    }
}

fn at_place(value: &Dynamic, place: &str, visit: &mut dyn FnMut(&Dynamic)) {
    let (first, rest) = place
        .split_once('.')
        .map_or((place, None), |(first, rest)| (first, Some(rest)));
    let Ok(map) = value.as_map_ref() else { return };
    match (map.get(first), rest) {
        (None, _) => (),
        (Some(found), None) => visit(found),
        (Some(found), Some(rest)) => at_place(found, rest, visit),
    }
}
