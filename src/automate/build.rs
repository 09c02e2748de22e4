//! Objects as they come to be: domain chosen, instance found, its plan taken (reference 4.3).

use std::sync::Arc;

use smallvec::SmallVec;

use crate::automate::datastore::Class;
use crate::automate::datastore::DEFAULT;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::MISSING;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::relationship::DatastorePath;
use crate::automate::workspace::Object;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Outcome;
use crate::model::delivery::Step;
use crate::model::delivery::StepKind;
use crate::model::event_outcome::MISSING_STANDS_IN;
use crate::model::value::Value;

impl Workspace {
    /// Builds an object (4.3), and tells it in the trace.
    pub(crate) fn build(&mut self, path: &DatastorePath, parent: Option<usize>) -> Ae<usize> {
        let depth = parent
            .and_then(|parent| self.object(parent))
            .map_or(0, |parent| parent.depth + 1);
        let store = self.env.datastore.clone();
        let wanted = path.instance_key.as_deref();
        let class_name = path.class.clone().unwrap_or_else(|| Arc::from(""));
        if let Some(index) = self.action_object(path, parent, depth) {
            return Ok(index);
        }
        let Some(found) = store.search_instance(&path.key, wanted) else {
            let message = class_not_found(&store, path);
            let parts = [
                &*path.namespace,
                &*class_name,
                path.instance.as_deref().unwrap_or(""),
            ];
            let name = parts
                .map(|part| {
                    if part.is_empty() {
                        String::new()
                    } else {
                        format!("/{part}")
                    }
                })
                .concat();
            return Err(self.missing("ClassNotFound", message, name));
        };
        let class = found.class.clone();
        let exact = wanted.map(|wanted| class.instance(wanted));
        let requested = path.instance.as_deref().unwrap_or("");
        let name: Arc<str> = match exact {
            Some(Some(instance)) if *instance.name == *requested && class_name == class.name => {
                instance.full_name.clone()
            }
            _other => Arc::from(["/", &class.namespace, "/", &class_name, "/", requested].concat()),
        };
        let mut attributes = Vec::new();
        let mut why = None;
        let (instance, plan, file, line, rule) = match exact {
            None => (
                Arc::from(DEFAULT),
                class.default_plan.clone(),
                None,
                class.line,
                None,
            ),
            Some(Some(instance)) => (
                instance.name.clone(),
                instance.plan.clone(),
                Some(instance.file.path.clone()),
                instance.line,
                Some(instance.full_name.clone()),
            ),
            Some(None) => {
                let requested = path.instance.clone().unwrap_or_else(|| Arc::from(""));
                let Some(instance) = class.instance(MISSING) else {
                    let message = format!(
                        "the class `{}` has no instance `{requested}` and no `.missing`{}",
                        class.full_name(),
                        nearest_instance(&class, &requested)
                    );
                    return Err(self.missing("InstanceNotFound", message, name.to_string()));
                };
                why = Some(format!("{MISSING_STANDS_IN} `{requested}`").into());
                attributes.push((Arc::from("_missing_instance"), Value::Text(requested)));
                (
                    instance.name.clone(),
                    instance.plan.clone(),
                    Some(instance.file.path.clone()),
                    instance.line,
                    Some(instance.full_name.clone()),
                )
            }
        };
        self.state.trace.steps.push(Step {
            kind: StepKind::Instance,
            path: name.clone(),
            depth,
            file: file.clone().or_else(|| Some(class.file.path.clone())),
            line: Some(line),
            field: None,
            written: None,
            value: None,
            outcome: Outcome::Ok,
            why,
        });
        let namespace = class.namespace.clone();
        self.state.objects.push(Object {
            name,
            namespace,
            class_name,
            instance,
            class,
            plan,
            attributes,
            parent,
            file,
            rule,
            budget: 0,
            depth,
            children: SmallVec::new(),
            relationships: SmallVec::new(),
            is_deleted: false,
            is_node: false,
        });
        Ok(self.state.objects.len() - 1)
    }

    /// `/System/event_handlers/<name>` without such an instance: the action script of that name (contracts 1).
    fn action_object(&mut self, path: &DatastorePath, parent: Option<usize>, depth: u32) -> Option<usize> {
        let store = self.env.datastore.clone();
        let name = path
            .instance_key
            .as_deref()
            .filter(|_| is_event_handlers(&path.key))?;
        let class = store.action_classes.get(name)?.clone();
        if store.has_instance(&path.key, name) {
            return None;
        }
        let object_name: Arc<str> = Arc::from(format!(
            "/{}/{}/{}",
            class.namespace,
            class.name,
            path.instance.as_deref().unwrap_or(name)
        ));
        self.state.trace.steps.push(Step {
            kind: StepKind::Instance,
            path: object_name.clone(),
            depth,
            file: Some(class.file.path.clone()),
            line: Some(1),
            field: None,
            written: None,
            value: None,
            outcome: Outcome::Ok,
            why: Some("an action script".into()),
        });
        self.state.objects.push(Object {
            name: object_name,
            namespace: class.namespace.clone(),
            class_name: class.name.clone(),
            instance: Arc::from(name),
            plan: class.default_plan.clone(),
            file: Some(class.file.path.clone()),
            class,
            rule: None,
            budget: 0,
            parent,
            depth,
            attributes: Vec::new(),
            children: SmallVec::new(),
            relationships: SmallVec::new(),
            is_deleted: false,
            is_node: false,
        });
        Some(self.state.objects.len() - 1)
    }

    fn missing(&self, kind: &'static str, message: String, path: String) -> Box<AeError> {
        let mut error = AeError::datastore(kind, message);
        error.path = path;
        error
    }
}

pub(crate) fn is_event_handlers(key: &str) -> bool {
    key.strip_suffix("system/event_handlers")
        .is_some_and(|domain| domain.is_empty() || domain.ends_with('/'))
}

fn class_not_found(store: &Datastore, path: &DatastorePath) -> String {
    let class = format!("/{}/{}", path.namespace, path.class.as_deref().unwrap_or(""));
    if let [first, ..] = store.candidates(&path.key) {
        let what = match &path.instance {
            Some(instance) => format!("has neither an instance `{instance}` nor a `.missing`"),
            None => "has no `.missing`".to_owned(),
        };
        let near = path
            .instance
            .as_deref()
            .map(|instance| nearest_instance(first, instance));
        return format!(
            "`{class}` {what} in any enabled domain, so no domain is chosen; `{}` would be found with its domain{}",
            first.full_name(),
            near.unwrap_or_default()
        );
    }
    let near = nearest_class(store, path);
    format!("there is no class `{class}` in an enabled domain{near}")
}

/// A class of the same namespace whose name is near.
fn nearest_class(store: &Datastore, path: &DatastorePath) -> String {
    let Some((namespace, wanted)) = path.key.rsplit_once('/') else {
        return String::new();
    };
    let beside = store
        .class_paths()
        .filter(|(key, _)| key.rsplit_once('/').is_some_and(|(other, _)| other == namespace));
    let names: Vec<&str> = beside
        .filter_map(|(_, classes)| Some(&*classes.first()?.name))
        .collect();
    let near = crate::source::suggest::nearest(wanted, names);
    near.map(|near| format!("; did you mean `/{}/{near}`?", path.namespace))
        .unwrap_or_default()
}

fn nearest_instance(class: &Class, requested: &str) -> String {
    let near =
        crate::source::suggest::nearest(requested, class.instances.iter().map(|instance| &*instance.name));
    near.map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}
