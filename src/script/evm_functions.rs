//! What a method may do with `evm`, its objects, records and inputs. The doc comments are the reference.

/// `evm` itself.
#[rhai::export_module]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "rhai offers what is `pub`, and unwraps `self`"
)]
pub(crate) mod evm {
    use std::borrow::Cow;

    use rhai::Dynamic;
    use rhai::ImmutableString;
    use rhai::Map;

    use crate::model::ae_path;
    use crate::script::convert;
    use crate::script::evm::EventHandle;
    use crate::script::evm::Evm;
    use crate::script::evm::Fallible;
    use crate::script::evm::Inputs;
    use crate::script::evm::Relation;
    use crate::script::json;
    use crate::script::limits;
    use crate::script::targets;

    /// The top ancestor of the object whose field calls.
    #[rhai_fn(get = "root", pure, return_raw)]
    pub fn root(evm: &mut Evm) -> Fallible<Dynamic> {
        evm.related(Relation::Root)
    }

    /// The object whose field calls.
    #[rhai_fn(get = "object", pure, return_raw)]
    pub fn object(evm: &mut Evm) -> Fallible<Dynamic> {
        evm.related(Relation::Current)
    }

    /// The object whose field calls; another name of `evm.object`.
    #[rhai_fn(get = "current", pure, return_raw)]
    pub fn current(evm: &mut Evm) -> Fallible<Dynamic> {
        evm.related(Relation::Current)
    }

    /// The parent of the object whose field calls; `()` for a root.
    #[rhai_fn(get = "parent", pure, return_raw)]
    pub fn parent(evm: &mut Evm) -> Fallible<Dynamic> {
        evm.related(Relation::Parent)
    }

    /// The object at a workspace path, such as `/` or `..` or `/Lab/Box`; `()` where there is none.
    #[rhai_fn(name = "object", pure, return_raw)]
    pub fn object_at(evm: &mut Evm, path: &str) -> Fallible<Dynamic> {
        evm.related(Relation::Path(path))
    }

    /// The method's inputs, with their defaults. Names ignore case; an absent one is `()`.
    #[rhai_fn(get = "inputs", pure)]
    pub fn inputs(evm: &mut Evm) -> Inputs {
        Inputs(convert::map_to_dynamic(&evm.0.inputs(), &evm.0))
    }

    /// The event; `()` in a run without one. It cannot be changed.
    #[rhai_fn(get = "event", pure)]
    pub fn event(evm: &mut Evm) -> Dynamic {
        let event = evm.0.event();
        event.map_or(Dynamic::UNIT, |event| Dynamic::from(EventHandle(event)))
    }

    /// Writes to the log. Levels are `debug`, `info`, `warn`, `error` and `fatal`; any other is `info`.
    #[rhai_fn(pure)]
    pub fn log(evm: &mut Evm, level: &str, text: Dynamic) {
        if limits::may_put_out() {
            evm.0.log(level, convert::clip(&convert::to_text(&text)));
        }
    }

    /// Instantiates a path below the current object, and returns the object; `()` where that fails, with the
    /// reason among the errors of the run.
    #[rhai_fn(pure)]
    pub fn instantiate(evm: &mut Evm, path: &str) -> Dynamic {
        evm.found(evm.0.instantiate(path))
    }

    /// A state variable; `()` where it is absent. State variables outlive a retry.
    #[rhai_fn(pure)]
    pub fn state_var(evm: &mut Evm, name: &str) -> Dynamic {
        convert::to_dynamic(&evm.0.state_var(name).unwrap_or_default(), &evm.0)
    }

    /// Sets a state variable.
    #[rhai_fn(pure)]
    pub fn set_state_var(evm: &mut Evm, name: &str, value: Dynamic) {
        evm.0
            .set_state_var(name, Some(convert::to_value(&value, Some(&evm.0))));
    }

    /// Whether there is a state variable of this name.
    #[rhai_fn(pure)]
    pub fn state_var_exists(evm: &mut Evm, name: &str) -> bool {
        evm.0.state_var(name).is_some()
    }

    /// Removes a state variable.
    #[rhai_fn(pure)]
    pub fn delete_state_var(evm: &mut Evm, name: &str) {
        evm.0.set_state_var(name, None);
    }

    /// A copy of all state variables.
    #[rhai_fn(pure)]
    pub fn state_vars(evm: &mut Evm) -> Map {
        convert::map_to_dynamic(&evm.0.state_vars(), &evm.0)
    }

    /// Asks for a refresh: a target collection, one target, or a list of targets.
    #[rhai_fn(pure, return_raw)]
    pub fn refresh(evm: &mut Evm, targets: Dynamic) -> Fallible<()> {
        let targets = targets::read(&targets)?;
        if limits::may_put_out() {
            evm.0.refresh(targets);
        }
        Ok(())
    }

    /// Asks for an outside effect, carried out after the event is committed, and retried:
    /// `#{ http: #{ url, method, headers, body, expect } }`, where `json` or `cloud_event` may stand in place of
    /// `body`, `#{ command: ["name", "argument"] }` with a name of the settings, `#{ email: #{ to, subject, body } }`
    /// or `#{ log: "text" }`. A description that is wrong is an error that names the key.
    #[rhai_fn(pure, return_raw)]
    pub fn deliver(evm: &mut Evm, action: Map) -> Fallible<()> {
        let action = Dynamic::from_map(action);
        if let Some(why) = convert::kept_in(&action) {
            return Err(format!("an outside effect cannot be {why}").into());
        }
        if limits::may_put_out() {
            evm.0.deliver(json::to_value(&action))?;
        }
        Ok(())
    }

    /// The namespace of the running object, its domain included.
    #[rhai_fn(get = "current_namespace", pure)]
    pub fn current_namespace(evm: &mut Evm) -> ImmutableString {
        (&*evm.0.frame().namespace).into()
    }

    /// The class of the running object, as the URI spelled it.
    #[rhai_fn(get = "current_class", pure)]
    pub fn current_class(evm: &mut Evm) -> ImmutableString {
        (&*evm.0.frame().class).into()
    }

    /// The instance of the running object, as the URI spelled it.
    #[rhai_fn(get = "current_instance", pure)]
    pub fn current_instance(evm: &mut Evm) -> ImmutableString {
        (&*evm.0.frame().instance).into()
    }

    /// The message that the object was sent, in lower case.
    #[rhai_fn(get = "current_message", pure)]
    pub fn current_message(evm: &mut Evm) -> ImmutableString {
        (&*evm.0.frame().message).into()
    }

    /// The running method, in lower case.
    #[rhai_fn(get = "current_method", pure)]
    pub fn current_method(evm: &mut Evm) -> ImmutableString {
        (&*evm.0.frame().method).into()
    }

    /// The records of a class, `"Vm"` for example.
    #[rhai_fn(name = "vmdb", pure, return_raw)]
    pub fn vmdb(evm: &mut Evm, class: &str) -> Fallible<Dynamic> {
        evm.records(class, None)
    }

    /// One record of a class. A record that does not exist is an error.
    #[rhai_fn(name = "vmdb", pure, return_raw)]
    pub fn vmdb_one(evm: &mut Evm, class: &str, id: i64) -> Fallible<Dynamic> {
        evm.records(class, Some(id))
    }

    /// Whether the datastore has this instance; the path begins with its domain.
    #[rhai_fn(pure)]
    pub fn instance_exists(evm: &mut Evm, path: &str) -> bool {
        evm.0.instance_get(path).is_some()
    }

    /// Every field of an instance as it is written, by name, `()` where it has no value of its own; `()` in place of them
    /// all where the instance does not exist.
    #[rhai_fn(pure)]
    pub fn instance_get(evm: &mut Evm, path: &str) -> Dynamic {
        let fields = evm.0.instance_get(path);
        fields.map_or(Dynamic::UNIT, |fields| {
            convert::map_to_dynamic(&fields, &evm.0).into()
        })
    }

    /// Instances whose name matches the last step of a path, with `*` and `?`: a map of name to fields.
    #[rhai_fn(pure)]
    pub fn instance_find(evm: &mut Evm, path: &str) -> Map {
        convert::map_to_dynamic(&evm.0.instance_find(path), &evm.0)
    }

    /// A map as the query of a URI, sorted and encoded; entries that are `()` are left out.
    #[rhai_fn(pure)]
    pub fn hash_to_query(_evm: &mut Evm, map: Map) -> String {
        let pairs = map.iter().filter(|(_, value)| !value.is_unit());
        ae_path::pairs_to_query(pairs.map(|(key, value)| (key.as_str(), Cow::Owned(value.to_string()))))
    }

    /// The query of a URI as a map.
    #[rhai_fn(pure)]
    pub fn query_to_hash(_evm: &mut Evm, query: &str) -> Map {
        let pairs = ae_path::query_to_pairs(query);
        Map::from_iter(pairs.into_iter().map(|(key, value)| (key.into(), value.into())))
    }
}

/// What `evm` gives: objects, records, the event, inputs, passwords.
#[rhai::export_module]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "rhai offers what is `pub`, and unwraps `self`"
)]
pub(crate) mod given {
    use rhai::Array;
    use rhai::Dynamic;
    use rhai::ImmutableString;
    use rhai::Map;

    use crate::model::value::MASKED;
    use crate::model::value::Value;
    use crate::script::convert;
    use crate::script::evm::AutomateObject;
    use crate::script::evm::EventHandle;
    use crate::script::evm::Evm;
    use crate::script::evm::Fallible;
    use crate::script::evm::Inputs;
    use crate::script::evm::RecordView;
    use crate::script::evm::SecretView;

    /// An attribute, as `object.name` or `object["name"]`. Names ignore case; an absent one is `()`, a password is
    /// masked.
    #[rhai_fn(index_get, pure)]
    pub fn attribute(object: &mut AutomateObject, name: &str) -> Dynamic {
        convert::to_dynamic(&object.host.attribute(&object.object, name), &object.host)
    }

    /// Sets an attribute, as `object.name = value`. It takes effect at once.
    #[rhai_fn(index_set)]
    pub fn set_attribute(object: &mut AutomateObject, name: &str, value: Dynamic) {
        object.host.set_attribute(
            &object.object,
            name,
            convert::to_value(&value, Some(&object.host)),
        );
    }

    /// A copy of all attributes, keys in lower case.
    #[rhai_fn(pure)]
    pub fn attributes(object: &mut AutomateObject) -> Map {
        convert::map_to_dynamic(&object.host.attributes(&object.object), &object.host)
    }

    /// The objects that this one instantiated.
    #[rhai_fn(name = "children", pure)]
    pub fn children(object: &mut AutomateObject) -> Dynamic {
        convert::to_dynamic(&object.host.children(&object.object, None), &object.host)
    }

    /// What one relationship of the object led to: `()`, an object, or a list of objects.
    #[rhai_fn(name = "children", pure)]
    pub fn children_of(object: &mut AutomateObject, relationship: &str) -> Dynamic {
        convert::to_dynamic(
            &object.host.children(&object.object, Some(relationship)),
            &object.host,
        )
    }

    /// The object that instantiated this one; `()` for a root.
    #[rhai_fn(pure)]
    pub fn parent(object: &mut AutomateObject) -> Dynamic {
        Evm(object.host.clone()).found(object.host.parent_of(&object.object))
    }

    /// The clear text of a password attribute.
    #[rhai_fn(pure, return_raw)]
    pub fn decrypt(object: &mut AutomateObject, name: &str) -> Fallible<String> {
        Ok(object.host.decrypt(&object.object, name)?)
    }

    /// Whether an attribute is a password.
    #[rhai_fn(pure)]
    pub fn is_encrypted(object: &mut AutomateObject, name: &str) -> bool {
        matches!(object.host.attribute(&object.object, name), Value::Password(_))
    }

    /// The object's path, its domain included; also what `to_string` gives.
    #[rhai_fn(name = "name", name = "to_string", pure)]
    pub fn name(object: &mut AutomateObject) -> ImmutableString {
        (&*object.object.name).into()
    }

    /// The object's namespace, its domain included.
    #[rhai_fn(pure)]
    pub fn namespace(object: &mut AutomateObject) -> ImmutableString {
        (&*object.host.names(&object.object).0).into()
    }

    /// The object's class.
    #[rhai_fn(pure)]
    pub fn class_name(object: &mut AutomateObject) -> ImmutableString {
        (&*object.host.names(&object.object).1).into()
    }

    /// The object's instance.
    #[rhai_fn(pure)]
    pub fn instance_name(object: &mut AutomateObject) -> ImmutableString {
        (&*object.host.names(&object.object).2).into()
    }

    /// Whether both are the same object of the workspace.
    #[rhai_fn(name = "==", pure)]
    pub fn is_same(object: &mut AutomateObject, other: AutomateObject) -> bool {
        object.object == other.object
    }

    /// Whether they are two objects of the workspace.
    #[rhai_fn(name = "!=", pure)]
    pub fn is_other(object: &mut AutomateObject, other: AutomateObject) -> bool {
        object.object != other.object
    }

    /// The native event as it came; see `at`. It cannot be changed.
    #[rhai_fn(get = "full_data", pure)]
    pub fn full_data(event: &mut EventHandle) -> Dynamic {
        event.0.full_data()
    }

    /// What stands at a JSON pointer of the native event, as `ems_event.at("/detail/eventName")`; quicker than
    /// `ems_event.full_data.at`, which rhai writes back.
    #[rhai_fn(name = "at", pure)]
    pub fn event_at(event: &mut EventHandle, pointer: &str) -> Dynamic {
        event.0.at(pointer)
    }

    /// A key of the event hash, a column of the saved event, or the record of an object that it is related to, as
    /// `event.event_type` and `event.vm?.name`; `()` where it is absent. Records are `ems`, `vm` or `src_vm`, `dest_vm`,
    /// `host` or `src_host`, `dest_host`, `ems_cluster`, `availability_zone`, `container_node`, `container_group`,
    /// `container_replicator`, `physical_server` and `physical_storage`.
    #[rhai_fn(index_get, pure)]
    pub fn column(event: &mut EventHandle, name: &str) -> Dynamic {
        event.column(name)
    }

    /// A column or association of a record, as `vm.name`; `id` and `object_class` are those of every record.
    /// `vm.normalized_name` is the name with `_` for whatever a path does not take.
    #[rhai_fn(index_get, pure)]
    pub fn record_column(record: &mut RecordView, name: &str) -> Dynamic {
        record.column(name)
    }

    /// An input, as `inputs.name`. Names ignore case; an absent one is `()`.
    #[rhai_fn(index_get, pure)]
    pub fn input(inputs: &mut Inputs, name: &str) -> Dynamic {
        let found = inputs.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or(Dynamic::UNIT, |(_, value)| value.clone())
    }

    /// The names of all inputs.
    #[rhai_fn(pure)]
    pub fn keys(inputs: &mut Inputs) -> Array {
        Array::from_iter(inputs.0.keys().map(|key| key.as_str().into()))
    }

    /// All inputs as a map.
    #[rhai_fn(pure)]
    pub fn to_map(inputs: &mut Inputs) -> Map {
        inputs.0.clone()
    }

    /// A password is `********`, whatever is done with it; `evm.object.decrypt(name)` gives its text.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn masked(_password: &mut SecretView) -> ImmutableString {
        MASKED.into()
    }
}
