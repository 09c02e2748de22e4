//! Methods: of a class, of `scripts/actions`, and those that every object has (reference 1.8 and 1.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::automate::builtin;
use crate::automate::call::MethodCall;
use crate::automate::class_loader::plan;
use crate::automate::datastore::Body;
use crate::automate::datastore::Class;
use crate::automate::datastore::Domain;
use crate::automate::datastore::Method;
use crate::automate::field::Aetype;
use crate::automate::field::FieldText;
use crate::automate::field::Messages;
use crate::automate::field::Prepared;
use crate::automate::field::SchemaField;
use crate::automate::field_loader::FieldLoader;
use crate::automate::object_file::ObjectFile;
use crate::automate::object_file::Shape;
use crate::model::delivery::Location;
use crate::script::METHOD_VARIABLES;
use crate::script::ScriptHost;
use crate::source::Diagnostic;
use crate::source::RootKind;
use crate::source::SourceFile;
use crate::source::SourceTree;
use crate::source::suggest;
use crate::source::yaml::Node;
use crate::source::yaml::Position;

const METHOD: Shape = Shape {
    what: "method",
    part: "inputs",
    attributes: &[
        "name",
        "display_name",
        "description",
        "scope",
        "language",
        "location",
        "data",
        "options",
        "embedded_methods",
        "relative_path",
        "fqname",
    ],
};

/// Where methods run that do not run here.
const ELSEWHERE: [&str; 4] = [
    "playbook",
    "ansible_job_template",
    "ansible_workflow_template",
    "uri",
];

/// The methods of a class, by lower-case name.
pub(crate) fn methods(
    host: &ScriptHost,
    files: &[&Arc<SourceFile>],
    fields: &mut FieldLoader<'_>,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<Arc<str>, Arc<Method>> {
    let mut methods: BTreeMap<Arc<str>, Arc<Method>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.ends_with(".yaml")) {
        let script_path = file.path.replace(".yaml", ".rhai");
        let script = files.iter().copied().find(|other| *other.path == *script_path);
        match method(host, file, script, fields, found) {
            Ok(method) => {
                let key: Arc<str> = Arc::from(method.name.to_lowercase());
                if let std::collections::btree_map::Entry::Vacant(e) = methods.entry(key) {
                    e.insert(Arc::new(method));
                } else {
                    let message = format!(
                        "the class has a method `{}` already; this one is left out",
                        method.name
                    );
                    found.push(Diagnostic::error("DuplicateMethod", &file.path, message).at(method.line, 1));
                }
            }
            Err(diagnostic) => found.push(diagnostic),
        }
    }
    methods
}

fn method(
    host: &ScriptHost,
    file: &Arc<SourceFile>,
    script: Option<&Arc<SourceFile>>,
    fields: &mut FieldLoader<'_>,
    found: &mut Vec<Diagnostic>,
) -> Result<Method, Diagnostic> {
    let object = ObjectFile::read(file)?;
    object.check(&METHOD, found);
    let name = object.name(&METHOD)?;
    let line = object.key_place("name").line;
    let (location, body) = body(host, &object, name, script, found);
    let embedded = object.attribute("embedded_methods").map_or(&[][..], Node::items);
    let embedded: Vec<Arc<str>> = embedded.iter().filter_map(Node::text).map(Arc::from).collect();
    let inputs = fields.schema(object.part("inputs"), file, found).into();
    // What others are put in front of can only be judged with them.
    if let Body::Script(script) = &body
        && embedded.is_empty()
    {
        found.extend(host.check_names(script, &METHOD_VARIABLES));
    }
    let class_scope = object.text("scope") == Some("class");
    Ok(Method {
        name: Arc::from(name),
        class_scope,
        location,
        body,
        inputs,
        embedded,
        file: Some(file.clone()),
        line,
    })
}

/// Where a method runs, and what.
fn body(
    host: &ScriptHost,
    object: &ObjectFile<'_>,
    name: &str,
    script: Option<&Arc<SourceFile>>,
    found: &mut Vec<Diagnostic>,
) -> (Location, Body) {
    let path = &object.file.path;
    let location = object.text("location").unwrap_or("inline").to_lowercase();
    match location.as_str() {
        "inline" => (Location::Inline, inline(host, object, script, found)),
        "builtin" => {
            let builtin = object.text("data").unwrap_or(name).to_lowercase();
            if !builtin::is_known(&builtin) {
                let key = if object.text("data").is_some() {
                    "data"
                } else {
                    "name"
                };
                let message = format!("there is no builtin `{builtin}`; a call of `{name}` fails");
                let finding = Diagnostic::error("MethodNotFound", path, message);
                let help = suggest::did_you_mean(&builtin, builtin::names());
                found.push(at(finding, object.place(key)).help(help));
            }
            (Location::Builtin, Body::Builtin(Arc::from(builtin)))
        }
        "expression" => {
            let data = object.attribute("data").and_then(Node::text).unwrap_or("");
            (Location::Expression, Body::Expression(Arc::from(data)))
        }
        other => {
            let runs_elsewhere = ELSEWHERE.contains(&other);
            let what = if runs_elsewhere {
                "fails"
            } else {
                "returns nothing"
            };
            let message =
                format!("a method with the location `{other}` does not run here; a call of `{name}` {what}");
            let finding = Diagnostic::warning("MethodLocation", path, message.clone());
            let help = suggest::did_you_mean(other, ["inline", "builtin", "expression"]);
            found.push(at(finding, object.place("location")).help(help));
            let body = match runs_elsewhere {
                true => Body::Unusable(message),
                false => Body::Empty,
            };
            (Location::Inline, body)
        }
    }
}

fn at(finding: Diagnostic, place: Position) -> Diagnostic {
    finding.at(place.line, place.column)
}

fn inline(
    host: &ScriptHost,
    object: &ObjectFile<'_>,
    script: Option<&Arc<SourceFile>>,
    found: &mut Vec<Diagnostic>,
) -> Body {
    let path = &object.file.path;
    let language = object.text("language").unwrap_or("rhai").to_lowercase();
    if language != "rhai" {
        let help = "write it in Rhai here, or in a domain of higher priority";
        let message = format!("the method is written in {language}; a call of it fails with InvalidMethod");
        let finding = Diagnostic::warning("MethodLanguage", path, message);
        found.push(at(finding, object.place("language")).help(help));
        return Body::Unusable(format!("it is written in {language}; {help}"));
    }
    let data = object.attribute("data").filter(|_| object.text("data").is_some());
    let compiled = match (script, data.and_then(|data| Some((data, data.text()?)))) {
        (Some(script), _) if script.text.trim().is_empty() => return Body::Empty,
        (Some(script), _) => host.compile(script),
        (None, Some((data, text))) => host.compile_inline(path, text).map_err(|error| {
            let (line, column) = error.place();
            let message = format!("line {line} of `data`: {}", error.message);
            let finding = Diagnostic::error("ScriptSyntax", path, message).help(error.help);
            at(finding, data.within(line, column))
        }),
        (None, None) => {
            let script = path.replace(".yaml", ".rhai");
            let message =
                format!("the method has no body: neither {script} nor `data`; a call of it does nothing");
            let finding = Diagnostic::warning("MethodWithoutBody", path, message);
            found.push(at(finding, object.key_place("name")));
            return Body::Empty;
        }
    };
    match compiled {
        Ok(script) => Body::Script(script),
        Err(diagnostic) => {
            let message = format!("its script does not compile: {diagnostic}");
            found.push(diagnostic);
            Body::Unusable(message)
        }
    }
}

/// `scripts/actions/<name>.rhai`, by lower-case name: methods that every class can call.
pub(crate) fn actions(
    tree: &SourceTree,
    host: &ScriptHost,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<Arc<str>, Arc<Method>> {
    let mut actions = BTreeMap::new();
    for file in tree.files().iter().filter(|file| file.kind == RootKind::Scripts) {
        let name = file
            .relative
            .strip_prefix("actions/")
            .and_then(|name| name.strip_suffix(".rhai"));
        let Some(name) = name.filter(|name| !name.contains('/')) else {
            continue;
        };
        let body = match host.compile(file) {
            Ok(script) => {
                diagnostics.extend(host.check_names(&script, &METHOD_VARIABLES));
                Body::Script(script)
            }
            Err(diagnostic) => {
                let message = format!("its script does not compile: {diagnostic}");
                diagnostics.push(diagnostic);
                Body::Unusable(message)
            }
        };
        let method = Method {
            body,
            file: Some(file.clone()),
            ..plain(name, Location::Inline)
        };
        actions.insert(Arc::from(name.to_lowercase()), Arc::new(method));
    }
    actions
}

/// For each action a class whose only field calls it: what `/System/event_handlers/<action>` leads to.
pub(crate) fn action_classes(actions: &BTreeMap<Arc<str>, Arc<Method>>) -> BTreeMap<Arc<str>, Arc<Class>> {
    let class = |(name, method): (&Arc<str>, &Arc<Method>)| {
        let call = MethodCall {
            class: None,
            name: name.clone(),
            arguments: Vec::new(),
        };
        let text = FieldText {
            written: method.name.clone(),
            prepared: Prepared::Call(Ok(call)),
        };
        let field = SchemaField {
            name: Arc::from("method"),
            key: Arc::from("method"),
            aetype: Some(Aetype::Method),
            datatype: None,
            is_coalescing: false,
            priority: None,
            substitute: false,
            messages: Messages::All,
            default: Some(Arc::new(text)),
            collect: None,
            steps: None,
            line: 1,
            inherited_from: None,
        };
        let file = method.file.clone()?;
        let fields: Arc<[SchemaField]> = Arc::new([field]);
        let class = Class {
            domain: Arc::new(Domain {
                name: Arc::from("$"),
                priority: 0,
                enabled: true,
                file: file.path.clone(),
            }),
            namespace: Arc::from("$/System"),
            name: Arc::from("event_handlers"),
            files: vec![file.clone()],
            file,
            line: 1,
            is_state_machine: false,
            default_plan: plan(&fields, &[]).into(),
            fields,
            instances: Vec::new(),
            instance_index: Arc::default(),
            methods: BTreeMap::new(),
            inherits: None,
            bases: Vec::new(),
            diagnostics: Vec::new(),
        };
        Some((name.clone(), Arc::new(class)))
    };
    actions.iter().filter_map(class).collect()
}

/// The methods of the built-in `$/Object`, which every object has.
pub(crate) fn object_methods() -> BTreeMap<Arc<str>, Arc<Method>> {
    let method = |name: &'static str| (Arc::from(name), Arc::new(plain(name, Location::Builtin)));
    ["log_object", "log_workspace", "send_email"]
        .into_iter()
        .map(method)
        .collect()
}

fn plain(name: &str, location: Location) -> Method {
    Method {
        name: Arc::from(name),
        class_scope: false,
        location,
        body: Body::Builtin(Arc::from(name)),
        inputs: builtin::object_inputs(name),
        embedded: Vec::new(),
        file: None,
        line: 0,
    }
}
