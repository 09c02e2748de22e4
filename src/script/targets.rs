//! `targets()`: the target collection that target parsers fill, with the walk over an event done on our side.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::Array;
use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::Map;
use rhai::Module;

use crate::model::json::Value as Json;
use crate::model::target::ManagerRef;
use crate::model::target::Target;
use crate::model::target::TargetCollection;
use crate::script::convert;
use crate::script::json;

/// How deep [`TargetsHandle::collect`] follows nested places; deeper is an error (C108).
const MAX_DEPTH: usize = 20;

/// How many places one call of it visits: places that overlap could otherwise lead anywhere 2^20 times.
const MAX_VISITS: usize = 100_000;

/// The collection a script holds: one collection, however often the script hands it on.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetsHandle(Arc<Mutex<TargetCollection>>);

impl TargetsHandle {
    /// A collection for a script to read.
    pub(crate) fn new(targets: TargetCollection) -> Self {
        Self(Arc::new(Mutex::new(targets)))
    }

    pub(crate) fn take(&self) -> TargetCollection {
        std::mem::take(&mut self.0.lock())
    }
}

impl TargetsHandle {
    fn values(&self, association: &str, key: &str) -> Array {
        let targets = self.0.lock();
        let of_association = targets
            .targets()
            .iter()
            .filter(|target| *target.association == *association);
        let value = |target: &Target| {
            Some(Dynamic::from(ImmutableString::from(
                &**target.manager_ref.0.get(key)?,
            )))
        };
        of_association.filter_map(value).collect()
    }

    fn maps(&self, is_wanted: impl Fn(&Target) -> bool) -> Array {
        let targets = self.0.lock();
        let wanted = targets.targets().iter().filter(|target| is_wanted(target));
        wanted.map(as_map).collect()
    }
}

/// A target as a script sees it.
fn as_map(target: &Target) -> Dynamic {
    let text = |text: &str| Dynamic::from(ImmutableString::from(text));
    let options = target.options.as_ref().map_or(Dynamic::UNIT, json::of);
    Map::from([
        ("association".into(), text(&target.association)),
        ("manager_ref".into(), keys_as_map(&target.manager_ref)),
        ("options".into(), options),
    ])
    .into()
}

/// The keys of a reference as a script sees them.
pub(crate) fn keys_as_map(manager_ref: &ManagerRef) -> Dynamic {
    let text = |text: &str| Dynamic::from(ImmutableString::from(text));
    let keys = manager_ref.0.iter();
    Dynamic::from_map(keys.map(|(key, value)| ((&**key).into(), text(value))).collect())
}

/// Makes the type and its functions known.
pub(crate) fn register(engine: &mut Engine, module: &mut Module) {
    engine.register_type_with_name::<TargetsHandle>("TargetCollection");
    module.combine_flatten(rhai::exported_module!(functions));
}

#[rhai::export_module]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "rhai offers what is `pub`, and unwraps `self`"
)]
mod functions {
    use rhai::Array;
    use rhai::Dynamic;
    use rhai::Map;

    use crate::model::target::ManagerRef;
    use crate::model::target::Target;
    use crate::script::evm::EventHandle;
    use crate::script::targets;
    use crate::script::targets::Result;
    use crate::script::targets::Rules;
    use crate::script::targets::TargetsHandle;

    /// An empty target collection. Handing it on does not copy it.
    #[rhai_fn(name = "targets")]
    pub fn new_collection() -> TargetsHandle {
        TargetsHandle::default()
    }

    /// Adds a target: an association such as `"vms"`, and its reference, a map such as `#{ ems_ref: id }` or the
    /// `ems_ref` alone. A blank reference adds nothing, and so does a target that is there already.
    #[rhai_fn(name = "add", pure, return_raw)]
    pub fn add(targets: &mut TargetsHandle, association: &str, reference: Dynamic) -> Result<()> {
        targets::add(targets, association, &reference, None)
    }

    /// Adds a target with options, which the inventory collector gets to see.
    #[rhai_fn(name = "add", pure, return_raw)]
    pub fn add_with_options(
        targets: &mut TargetsHandle,
        association: &str,
        reference: Dynamic,
        options: Map,
    ) -> Result<()> {
        targets::add(targets, association, &reference, Some(options))
    }

    /// Adds a whole association.
    #[rhai_fn(pure)]
    pub fn add_all(targets: &mut TargetsHandle, association: &str) {
        let target = Target::new(association, ManagerRef::default());
        targets.0.lock().add(target);
    }

    /// Looks in `value` for dotted keys and adds a target for each one found, then does the same in dotted places
    /// below, which hold a map or a list of maps, at most 20 deep:
    /// `#{ keys: #{ "instanceId": "vms", "keyName": "key_pairs.name" }, descend: ["groupSet.items"] }`.
    /// An association may name the key of its reference after a dot; without one it is `ems_ref`. Where there is
    /// `within: ["detail.request"]`, it begins in these places and not in `value` itself. An `ems_event` as `value`
    /// stands for its `full_data`, and is not copied.
    #[rhai_fn(pure, return_raw)]
    pub fn collect(targets: &mut TargetsHandle, value: Dynamic, rules: Map) -> Result<()> {
        let rules = Rules::read(&rules)?;
        let full_data = value.read_lock::<EventHandle>().map(|event| event.0.full_data());
        rules.start(&mut targets.0.lock(), full_data.as_ref().unwrap_or(&value))
    }

    /// The `ems_ref`s of an association's targets (C100).
    #[rhai_fn(pure)]
    pub fn references(targets: &mut TargetsHandle, association: &str) -> Array {
        targets.values(association, "ems_ref")
    }

    /// The `name`s of an association's targets (C100).
    #[rhai_fn(pure)]
    pub fn name_references(targets: &mut TargetsHandle, association: &str) -> Array {
        targets.values(association, "name")
    }

    /// Every target of an association as `#{ association, manager_ref, options }`, composite references whole; a
    /// reference without keys stands for the whole association.
    #[rhai_fn(pure)]
    pub fn of(targets: &mut TargetsHandle, association: &str) -> Array {
        targets.maps(|target| *target.association == *association)
    }

    /// Every target as `#{ association, manager_ref, options }`.
    #[rhai_fn(pure)]
    pub fn all(targets: &mut TargetsHandle) -> Array {
        targets.maps(|_| true)
    }

    /// Whether an association is wanted whole.
    #[rhai_fn(pure)]
    pub fn wants_all(targets: &mut TargetsHandle, association: &str) -> bool {
        let collection = targets.0.lock();
        let mut all = collection.targets().iter();
        all.any(|target| *target.association == *association && target.manager_ref.is_whole_association())
    }

    /// How many targets there are.
    #[rhai_fn(pure)]
    pub fn len(targets: &mut TargetsHandle) -> i64 {
        i64::try_from(targets.0.lock().targets().len()).unwrap_or(i64::MAX)
    }
}

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

fn add(targets: &TargetsHandle, association: &str, reference: &Dynamic, options: Option<Map>) -> Result<()> {
    if let Some(manager_ref) = manager_ref(reference)? {
        let mut target = Target::new(association, manager_ref);
        target.options = options
            .map(|options| options_value(&options.into()))
            .transpose()?;
        targets.0.lock().add(target);
    } else if !reference.is_unit() {
        // What is absent is no mistake; what is there and says nothing is.
        targets.0.lock().leave_out();
    }
    Ok(())
}

/// A reference from a text, a number or a map; none where it is blank, so that no empty target is queued.
pub(crate) fn manager_ref(reference: &Dynamic) -> Result<Option<ManagerRef>> {
    if let Ok(map) = reference.as_map_ref() {
        let mut manager_ref = ManagerRef::default();
        for (key, value) in map.iter() {
            let Some(text) = reference_text(value)? else {
                return Ok(None);
            };
            manager_ref
                .0
                .insert(Arc::from(key.as_str()), Arc::from(text.as_str()));
        }
        return Ok(Some(manager_ref));
    }
    Ok(reference_text(reference)?.map(|text| ManagerRef::ems_ref(text.as_str())))
}

fn reference_text(value: &Dynamic) -> Result<Option<ImmutableString>> {
    if value.is_unit() {
        return Ok(None);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        let trimmed = text.trim();
        return Ok(match trimmed.len() {
            0 => None,
            whole if whole == text.len() => Some(text.clone()),
            _less => Some(trimmed.into()),
        });
    }
    if let Some(number) = json::to_number(value) {
        let name = number.name().map_err(|error| format!("a manager_ref: {error}"))?;
        return Ok(Some(name.into()));
    }
    Err(format!("a manager_ref holds texts, this is of type {}", value.type_name()).into())
}

/// What `collect` looks for: dotted keys to associations, and dotted places to descend into.
/// Borrowed from the script's map, so that nothing is copied before something is found.
struct Rules<'a> {
    keys: Option<&'a Dynamic>,
    descend: Option<&'a Dynamic>,
    within: Option<&'a Dynamic>,
}

const USAGE: &str = "collect takes #{ keys: #{ \"place.in.the.event\": \"association\" }, descend: [\"place\"], within: [\"place\"] }";

impl<'a> Rules<'a> {
    fn read(rules: &'a Map) -> Result<Self> {
        let mut read = Self {
            keys: None,
            descend: None,
            within: None,
        };
        for (key, value) in rules {
            match key.as_str() {
                "keys" if value.is_map() => read.keys = Some(value),
                "descend" if value.is_array() => read.descend = Some(value),
                "within" if value.is_array() => read.within = Some(value),
                _other => return Err(USAGE.into()),
            }
        }
        Ok(read)
    }

    /// Walks the value, or the places of it that are named.
    fn start(&self, targets: &mut TargetCollection, value: &Dynamic) -> Result<()> {
        let mut visits = 0;
        let Some(Ok(places)) = self.within.map(Dynamic::as_array_ref) else {
            return self.walk(targets, value, 0, &mut visits);
        };
        let Ok(map) = value.as_map_ref() else {
            return Ok(());
        };
        places.iter().try_for_each(|place| {
            let place = place.as_immutable_string_ref().map_err(|_| USAGE)?;
            at_place(&map, &place, &mut |found| {
                self.walk(targets, found, 0, &mut visits)
            })
        })
    }

    fn walk(
        &self,
        targets: &mut TargetCollection,
        value: &Dynamic,
        depth: usize,
        visits: &mut usize,
    ) -> Result<()> {
        *visits += 1;
        if *visits > MAX_VISITS {
            return Err(format!("`collect` came to more than {MAX_VISITS} places").into());
        }
        if depth > MAX_DEPTH {
            return Err(format!(
                "the event is nested more than {MAX_DEPTH} deep where targets are looked for"
            )
            .into());
        }
        if let Ok(items) = value.as_array_ref() {
            // A list of lists is a level of its own, so that lists cannot be nested without an end.
            return items.iter().try_for_each(|item| {
                let depth = depth + usize::from(item.is_array());
                self.walk(targets, item, depth, visits)
            });
        }
        let Ok(map) = value.as_map_ref() else {
            return Ok(());
        };
        if let Some(Ok(keys)) = self.keys.map(Dynamic::as_map_ref) {
            for (place, association) in keys.iter() {
                let association = association.as_immutable_string_ref().map_err(|_| USAGE)?;
                at_place(&map, place, &mut |found| {
                    if let Ok(Some(text)) = reference_text(found) {
                        let (association, field) =
                            association.split_once('.').unwrap_or((&association, "ems_ref"));
                        targets.add_keyed(association, field, &text);
                    }
                    Ok(())
                })?;
            }
        }
        if let Some(Ok(places)) = self.descend.map(Dynamic::as_array_ref) {
            for place in places.iter() {
                let place = place.as_immutable_string_ref().map_err(|_| USAGE)?;
                at_place(&map, &place, &mut |found| {
                    self.walk(targets, found, depth + 1, visits)
                })?;
            }
        }
        Ok(())
    }
}

/// Visits what stands at `a.b.c`, through maps only; nothing where a step is missing.
fn at_place(map: &Map, place: &str, visit: &mut dyn FnMut(&Dynamic) -> Result<()>) -> Result<()> {
    let (first, rest) = place
        .split_once('.')
        .map_or((place, None), |(first, rest)| (first, Some(rest)));
    let Some(found) = map.get(first) else {
        return Ok(());
    };
    match rest {
        None => visit(found),
        Some(rest) => found
            .as_map_ref()
            .map_or(Ok(()), |inner| at_place(&inner, rest, visit)),
    }
}

/// Targets as a script hands them over: a collection, one target, or a list of targets.
pub(crate) fn read(given: &Dynamic) -> Result<TargetCollection> {
    if given.is_unit() {
        return Ok(TargetCollection::default());
    }
    if let Some(handle) = given.clone().try_cast::<TargetsHandle>() {
        return Ok(handle.take());
    }
    if let Ok(items) = given.as_array_ref() {
        let mut collection = TargetCollection::default();
        for item in items.iter() {
            match one(item)? {
                Some(target) => {
                    collection.add(target);
                }
                None => collection.leave_out(),
            }
        }
        return Ok(collection);
    }
    let mut collection = TargetCollection::default();
    match one(given)? {
        Some(target) => {
            collection.add(target);
        }
        None => collection.leave_out(),
    }
    Ok(collection)
}

/// One target from `#{ association, manager_ref, ems, options }`; none where its reference is blank.
fn one(given: &Dynamic) -> Result<Option<Target>> {
    let shape = "#{ association: \"vms\", manager_ref: #{ ems_ref: \"…\" } }";
    let map = given
        .as_map_ref()
        .map_err(|found| format!("a target is {shape}, this is of type {found}"))?;
    let association = map
        .get("association")
        .and_then(|value| value.clone().into_immutable_string().ok());
    let association =
        association.ok_or_else(|| format!("a target has no `association`; expected {shape}"))?;
    if let Some(unknown) = map
        .keys()
        .find(|key| !["association", "manager_ref", "ems", "options"].contains(&key.as_str()))
    {
        return Err(format!(
            "a target has no `{unknown}`; expected {shape}, with `ems` and `options` where needed"
        )
        .into());
    }
    let reference = match map.get("manager_ref") {
        // "All of this association" has to be said openly, so that a missing id does not widen a refresh.
        Some(reference) if reference.is_unit() => Some(ManagerRef::default()),
        Some(reference) => manager_ref(reference)?,
        None => {
            return Err(format!(
                "a target has no `manager_ref`; expected {shape}, or `()` for the whole association"
            )
            .into());
        }
    };
    let text = |key: &str| {
        map.get(key)
            .and_then(|value| value.clone().into_immutable_string().ok())
    };
    let options = map.get("options").filter(|options| !options.is_unit());
    let options = options.map(options_value).transpose()?;
    Ok(reference.map(|manager_ref| {
        let mut target = Target::new(association.as_str(), manager_ref);
        target.ems = text("ems").map(|ems| Arc::from(ems.as_str()));
        target.options = options;
        target
    }))
}

fn options_value(options: &Dynamic) -> Result<Json> {
    if let Some(why) = convert::kept_in(options) {
        return Err(format!("the options of a target cannot be {why}").into());
    }
    Ok(json::to_value(options))
}
