//! Objects of a run as the JSON of the contract: `root` and `workspace`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::automate::workspace::Object;
use crate::automate::workspace::Related;
use crate::automate::workspace::Workspace;
use crate::model::json::Value as Json;
use crate::model::json::json;
use crate::model::value::Value;

/// Attributes of identity, which we do not have.
const IDENTITY: [&str; 3] = ["user", "tenant", "miq_group"];

/// The root, if there is one.
pub(crate) fn root(workspace: &Workspace) -> Option<Json> {
    let root = workspace.object(workspace.root()?)?;
    Some(json!({ "object": root.name, "instance": root.instance, "attributes": attributes(root) }))
}

/// Every object without parent with what it instantiated, those taken out again included.
pub(crate) fn workspace(workspace: &Workspace) -> Json {
    let tops = workspace
        .state
        .objects
        .iter()
        .filter(|object| object.parent.is_none() && object.is_node);
    tops.map(|object| tree(workspace, object)).collect()
}

fn tree(workspace: &Workspace, object: &Object) -> Json {
    let name = |index: &usize| {
        workspace
            .object(*index)
            .map_or(Json::Null, |object| json!(object.name))
    };
    let related = |related: &Related| match related {
        Related::Nothing => Json::Null,
        Related::Object(index) => name(index),
        Related::Many(all) => all.iter().map(name).collect(),
        Related::Value(value) => json!(value),
    };
    let relationships: BTreeMap<&str, Json> = object
        .relationships
        .iter()
        .map(|(field, result)| (&**field, related(result)))
        .collect();
    let children: Vec<Json> = object
        .children
        .iter()
        .filter_map(|index| Some(tree(workspace, workspace.object(*index)?)))
        .collect();
    let mut document = json!({
        "object": object.name,
        "instance": object.instance,
        "attributes": attributes(object),
        "relationships": relationships,
        "children": children,
    });
    if let (true, Some(map)) = (object.is_deleted, document.as_object_mut()) {
        map.insert("deleted".to_owned(), Json::Bool(true));
    }
    document
}

fn attributes(object: &Object) -> BTreeMap<&str, Json> {
    shown(object).map(|(key, value)| (&**key, json!(value))).collect()
}

/// The attributes that a document shows: those with a value, without identity.
pub(crate) fn shown(object: &Object) -> impl Iterator<Item = &(Arc<str>, Value)> {
    let attributes = object.attributes.iter();
    attributes.filter(|(key, value)| !value.is_null() && !IDENTITY.contains(&&**key))
}
