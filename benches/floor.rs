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

#[derive(Clone, Default)]
struct Targets(Arc<Mutex<Vec<Target>>>);

/// A bare engine and two compiled scripts.
pub struct Floor {
    engine: Engine,
    parser: AST,
    target_parser: AST,
}

impl Floor {
    /// Compiles both scripts.
    pub fn new(parser: &str, target_parser: &str) -> Self {
        let engine = engine();
        Self {
            parser: engine.compile(parser).unwrap(),
            target_parser: engine.compile(target_parser).unwrap(),
            engine,
        }
    }

    /// Parses the message once, straight into rhai's form, and calls `event_to_hash` and `parse` with it.
    pub fn decide(&self, message: &str) -> usize {
        let document = serde_json::from_str::<Dynamic>(message).unwrap().into_shared();
        let hash = self.call(&self.parser, "event_to_hash", (document.clone(), 1_i64));
        let event = Map::from([("full_data".into(), document)]);
        let found = self.call(
            &self.target_parser,
            "parse",
            (Dynamic::from_map(event).into_shared(),),
        );
        assert!(hash.is_map());
        found.cast::<Targets>().0.lock().unwrap().len()
    }

    /// Calls the target parser alone, for an event without data.
    pub fn targets_of_nothing(&self) -> usize {
        let event = Map::from([("full_data".into(), Dynamic::UNIT)]);
        let found = self.call(
            &self.target_parser,
            "parse",
            (Dynamic::from_map(event).into_shared(),),
        );
        found.cast::<Targets>().0.lock().unwrap().len()
    }

    fn call(&self, script: &AST, function: &str, arguments: impl rhai::FuncArgs) -> Dynamic {
        let options = CallFnOptions::new().eval_ast(false).rewind_scope(true);
        self.engine
            .call_fn_with_options(options, &mut Scope::new(), script, function, arguments)
            .unwrap()
    }
}

fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_max_expr_depths(64, 64);
    engine.register_fn("at", |value: &mut Dynamic, pointer: &str| {
        follow(value, pointer.split('/').skip(1))
    });
    engine.register_fn("to_json", |value: Dynamic| {
        serde_json::to_string(&value).unwrap_or_default()
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
    engine.register_fn("collect", |targets: &mut Targets, value: Dynamic, rules: Map| {
        collect(targets, &value, &rules);
    });
    engine
}

fn follow<'a>(value: &Dynamic, mut steps: impl Iterator<Item = &'a str>) -> Dynamic {
    let Some(step) = steps.next() else {
        return value.clone();
    };
    if let Ok(map) = value.as_map_ref() {
        return map.get(step).map_or(Dynamic::UNIT, |found| follow(found, steps));
    }
    let items = value.as_array_ref().ok();
    let found = items
        .as_ref()
        .and_then(|items| items.get(step.parse::<usize>().ok()?));
    found.map_or(Dynamic::UNIT, |found| follow(found, steps))
}

fn push(targets: &Targets, association: &str, reference: &Dynamic) {
    let (association, key) = association.split_once('.').unwrap_or((association, "ems_ref"));
    if let Ok(text) = reference.as_immutable_string_ref() {
        let target = (association.to_owned(), key.to_owned(), text.to_string());
        let mut targets = targets.0.lock().unwrap();
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
}

fn collect(targets: &Targets, value: &Dynamic, rules: &Map) {
    if let Ok(items) = value.as_array_ref() {
        return items.iter().for_each(|item| collect(targets, item, rules));
    }
    let Ok(map) = value.as_map_ref() else { return };
    for (place, association) in &*rules["keys"].as_map_ref().unwrap() {
        if let Some(found) = at_place(&map, place) {
            push(targets, &association.as_immutable_string_ref().unwrap(), &found);
        }
    }
    for place in &*rules["descend"].as_array_ref().unwrap() {
        if let Some(found) = at_place(&map, &place.as_immutable_string_ref().unwrap()) {
            collect(targets, &found, rules);
        }
    }
}

fn at_place(map: &Map, place: &str) -> Option<Dynamic> {
    match place.split_once('.') {
        None => map.get(place).cloned(),
        Some((first, rest)) => at_place(&*map.get(first)?.as_map_ref().ok()?, rest),
    }
}
