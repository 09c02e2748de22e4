//! What an inventory collector returns: objects by association, references between them, and what is not there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::Dynamic;
use rhai::Map;
use rhai::Module;

use crate::model::inventory::Collected;
use crate::model::inventory::CollectedObject;
use crate::model::inventory::ObjectKey;
use crate::model::json::Value as Json;
use crate::model::json::from_value;
use crate::script::convert;
use crate::script::json;
use crate::script::targets;

/// Where `lazy_find` keeps the object that it stands for.
const REFERENCE: &str = "$ref";
/// The key under which a collector says what is not there.
const NOT_FOUND: &str = "not_found";

/// Makes the functions known.
pub(crate) fn register(module: &mut Module) {
    module.combine_flatten(rhai::exported_module!(functions));
}

#[rhai::export_module]
#[expect(unreachable_pub, reason = "rhai offers what is `pub`")]
mod functions {
    use rhai::Dynamic;

    use crate::script::inventory;

    /// A reference from one object of the inventory to another, by association and `ems_ref` (or a map of keys),
    /// whether or not that one is there yet; `()` where the reference is blank. For attributes and `parent` of what
    /// an inventory collector returns.
    #[rhai_fn(return_raw)]
    pub fn lazy_find(association: &str, reference: Dynamic) -> Result<Dynamic, Box<rhai::EvalAltResult>> {
        inventory::lazy_find(association, &reference)
    }
}

fn lazy_find(association: &str, reference: &Dynamic) -> Result<Dynamic, Box<rhai::EvalAltResult>> {
    let Some(manager_ref) = targets::manager_ref(reference)? else {
        return Ok(Dynamic::UNIT);
    };
    let key = Map::from([
        ("association".into(), association.into()),
        ("manager_ref".into(), targets::keys_as_map(&manager_ref)),
    ]);
    Ok(Map::from([(REFERENCE.into(), key.into())]).into())
}

/// Reads what a collector returned. `known` are the associations that it says it has, where it says so.
///
/// # Errors
/// What is wrong, naming the place: nothing of the answer is used then.
pub(crate) fn read(returned: &Dynamic, known: Option<&BTreeSet<Arc<str>>>) -> Result<Collected, String> {
    let Ok(map) = returned.as_map_ref() else {
        let shape = "#{ vms: [#{ ems_ref: \"vm-1\", name: \"…\" }], not_found: [] }";
        return Err(format!(
            "a map such as {shape} was expected, it returned {}",
            returned.type_name()
        ));
    };
    let mut collected = Collected::default();
    for (association, objects) in map.iter() {
        if association == NOT_FOUND {
            let targets = targets::read(objects).map_err(|error| format!("`{NOT_FOUND}`: {error}"))?;
            let keys = targets.targets().iter().map(|target| ObjectKey {
                association: target.association.clone(),
                manager_ref: target.manager_ref.clone(),
            });
            collected.not_found.extend(keys);
            continue;
        }
        let association: Arc<str> = Arc::from(association.as_str());
        if let Some(known) = known.filter(|known| !known.contains(&association)) {
            return Err(unknown(&association, known));
        }
        let Ok(objects) = objects.as_array_ref() else {
            return Err(format!(
                "`{association}` has to be a list of maps, it is of type {}",
                objects.type_name()
            ));
        };
        collected
            .collections
            .insert(association.clone(), collection(&association, &objects)?);
    }
    if let Some(empty) = collected
        .not_found
        .iter()
        .find(|key| key.manager_ref.is_whole_association())
    {
        return Err(format!(
            "`{NOT_FOUND}` has a target of `{}` without a reference",
            empty.association
        ));
    }
    Ok(collected)
}

/// Complains about an association that a collector does not have.
pub(crate) fn unknown(association: &str, known: &BTreeSet<Arc<str>>) -> String {
    let near = crate::source::suggest::nearest(association, known.iter().map(|name| &**name));
    let help = near
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    format!("there is no association `{association}` among those that `associations()` names{help}")
}

fn collection(association: &str, objects: &[Dynamic]) -> Result<Vec<CollectedObject>, String> {
    let mut seen = BTreeSet::new();
    let mut collection = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter().enumerate() {
        let object = one(object).map_err(|why| format!("`{association}[{index}]` {why}"))?;
        if !seen.insert(object.manager_ref.clone()) {
            let reference = convert::clip(&format!("{:?}", object.manager_ref.0)).to_owned();
            return Err(format!(
                "`{association}[{index}]` is there twice, with the reference {reference}"
            ));
        }
        collection.push(object);
    }
    Ok(collection)
}

fn one(object: &Dynamic) -> Result<CollectedObject, String> {
    if let Some(why) = convert::kept_in(object) {
        return Err(format!("holds what is no data: {why}"));
    }
    let Ok(map) = object.as_map_ref() else {
        return Err(format!("has to be a map, it is of type {}", object.type_name()));
    };
    let given = map.get("manager_ref").filter(|given| !given.is_unit());
    let reference = given.or_else(|| map.get("ems_ref"));
    let blank =
        || "has no reference: `ems_ref`, or `manager_ref` with other keys, is missing or blank".to_owned();
    let manager_ref =
        targets::manager_ref(reference.ok_or_else(blank)?).map_err(|error| error.to_string())?;
    let manager_ref = manager_ref
        .filter(|key| !key.is_whole_association())
        .ok_or_else(blank)?;
    let mut attributes = BTreeMap::new();
    for (key, value) in map
        .iter()
        .filter(|(key, value)| *key != "manager_ref" && !value.is_unit())
    {
        attributes.insert(key.to_string(), json::to_value(value));
    }
    Ok(CollectedObject {
        parent: attributes.get("parent").map(parent).transpose()?,
        manager_ref,
        attributes,
    })
}

fn parent(value: &Json) -> Result<ObjectKey, String> {
    let key = value.get(REFERENCE).map(from_value);
    key.and_then(Result::ok).ok_or_else(|| {
        "has a `parent` that is no reference; `lazy_find(association, ems_ref)` makes one".to_owned()
    })
}

/// The keys that identify objects, for tests of what a script sees.
#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::target::ManagerRef;

    fn evaluate(text: &str) -> Dynamic {
        let engine = crate::script::engine::new(&crate::script::limits::Limits::default());
        engine.eval(text).unwrap()
    }

    #[test]
    fn an_answer_is_read_whole_or_refused_with_its_place() {
        let known = BTreeSet::from(["vms".into(), "disks".into()]);
        for (script, expected) in [
            (r#"#{ vms: [#{ ems_ref: "a" }, #{ ems_ref: "b" }] }"#, Ok(2)),
            (r#"#{ vms: [#{ ems_ref: 7 }] }"#, Ok(1)),
            (
                r#"#{ vms: [#{ manager_ref: #{ name: "x", region: "y" } }] }"#,
                Ok(1),
            ),
            (
                r#"#{ vms: [], not_found: [#{ association: "vms", manager_ref: "a" }] }"#,
                Ok(0),
            ),
            ("7", Err("a map such as")),
            ("[]", Err("a map such as")),
            (r#"#{ vms: #{} }"#, Err("`vms` has to be a list of maps")),
            (r#"#{ vms: [7] }"#, Err("`vms[0]` has to be a map")),
            (
                r#"#{ vms: [#{ ems_ref: "a" }, #{ name: "b" }] }"#,
                Err("`vms[1]` has no reference"),
            ),
            (
                r#"#{ vms: [#{ ems_ref: "  " }] }"#,
                Err("`vms[0]` has no reference"),
            ),
            (
                r#"#{ vms: [#{ ems_ref: "a" }, #{ ems_ref: "a" }] }"#,
                Err("`vms[1]` is there twice"),
            ),
            (
                r#"#{ vns: [] }"#,
                Err(
                    "there is no association `vns` among those that `associations()` names; did you mean `vms`?",
                ),
            ),
            (
                r#"#{ disks: [#{ ems_ref: "d", parent: "a" }] }"#,
                Err("`disks[0]` has a `parent` that is no reference"),
            ),
            (
                r#"#{ disks: [#{ ems_ref: "d", parent: lazy_find("vms", "a") }] }"#,
                Ok(1),
            ),
            (
                r#"#{ not_found: [#{ association: "vms", manager_ref: () }] }"#,
                Err("`not_found` has a target of `vms` without a reference"),
            ),
        ] {
            let read = read(&evaluate(script), Some(&known));
            match (&read, expected) {
                (Ok(collected), Ok(count)) => {
                    assert_eq!(
                        collected.collections.values().flatten().count(),
                        count,
                        "{script}"
                    );
                }
                (Err(error), Err(start)) => assert!(error.starts_with(start), "{script}: {error}"),
                other => panic!("{script}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_reference_to_nothing_is_nothing() {
        assert!(evaluate(r#"lazy_find("hosts", ())"#).is_unit());
        assert!(evaluate(r#"lazy_find("hosts", " ")"#).is_unit());
        let object =
            evaluate(r#"#{ ems_ref: "a", host: lazy_find("hosts", "h"), ghost: lazy_find("hosts", ()) }"#);
        let object = one(&object).unwrap();
        let expected = crate::model::json::json!({ "$ref": { "association": "hosts", "manager_ref": { "ems_ref": "h" } } });
        assert_eq!(object.attributes.get("host"), Some(&expected));
        assert!(!object.attributes.contains_key("ghost"));
    }

    #[test]
    fn a_key_is_a_text() {
        let key = ManagerRef::ems_ref("7");
        assert_eq!(one(&evaluate("#{ ems_ref: 7 }")).unwrap().manager_ref, key);
    }
}
