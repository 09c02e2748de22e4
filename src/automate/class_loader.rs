//! One class: its schema, then every instance as a plan (reference 1.5 to 1.7).

use std::sync::Arc;

use ahash::HashMap;

use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::Domain;
use crate::automate::datastore::Instance;
use crate::automate::field::Aetype;
use crate::automate::field::PlanEntry;
use crate::automate::field::SchemaField;
use crate::automate::field_loader::FieldLoader;
use crate::automate::instances::set_instances;
use crate::automate::instances::take_over;
use crate::automate::method_loader;
use crate::automate::yaml::Locator;
use crate::automate::yaml::Node;
use crate::script::ScriptHost;
use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::suggest;

/// The files of one class.
pub(crate) struct ClassFiles<'a> {
    pub(crate) domain: Arc<Domain>,
    /// With the domain.
    pub(crate) namespace: String,
    pub(crate) class_file: &'a Arc<SourceFile>,
    pub(crate) instance_files: Vec<&'a Arc<SourceFile>>,
    pub(crate) method_files: Vec<&'a Arc<SourceFile>>,
}

impl ClassFiles<'_> {
    fn all(&self) -> impl Iterator<Item = &Arc<SourceFile>> {
        std::iter::once(self.class_file)
            .chain(self.method_files.iter().copied())
            .chain(self.instance_files.iter().copied())
    }
}

/// Parses a file, or says where it is no YAML.
pub(crate) fn parse(file: &SourceFile) -> Result<Node, Diagnostic> {
    let node = Node::parse(&file.text).map_err(|error| {
        Diagnostic::error("YamlSyntax", &file.path, error.message).at(error.line, error.column)
    })?;
    match node.get("object") {
        Some(Node::Map(_)) => Ok(node),
        _other => Err(Diagnostic::error(
            "ObjectMissing",
            &file.path,
            format!("the file holds {} without an `object`", node.kind()),
        )
        .help("every file of the datastore begins with `object_type:`, `version: 1.0` and `object:`")),
    }
}

/// The parts of an instance that inheritance needs once more.
pub(crate) struct Loose {
    pub(crate) base: Option<String>,
    pub(crate) fields: Vec<(u16, Node, u32)>,
}

/// Compiles classes; equal texts of one load are compiled once.
pub(crate) struct ClassLoader<'a> {
    pub(crate) fields: FieldLoader<'a>,
    previous: HashMap<&'a str, &'a Arc<Class>>,
}

impl<'a> ClassLoader<'a> {
    pub(crate) fn new(host: &'a ScriptHost, previous: Option<&'a Datastore>) -> Self {
        let previous = previous
            .into_iter()
            .flat_map(|store| &store.classes)
            .map(|class| (&*class.file.path, class));
        Self {
            fields: FieldLoader::new(host),
            previous: previous.collect(),
        }
    }

    /// Compiles a class, or takes it over. None where its own file cannot be used.
    pub(crate) fn load(
        &mut self,
        files: &ClassFiles<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Class>> {
        let previous = self.previous.get(&*files.class_file.path).copied();
        let previous = previous.filter(|class| class.inherits.is_none() && class.domain == files.domain);
        if let Some(class) = previous.filter(|class| {
            class
                .files
                .iter()
                .map(Arc::as_ptr)
                .eq(files.all().map(Arc::as_ptr))
        }) {
            return Some(class.clone());
        }
        match self.compile(files, previous) {
            Ok(class) => Some(Arc::new(class)),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                for file in &files.instance_files {
                    diagnostics.extend(parse(file).err());
                }
                None
            }
        }
    }

    fn compile(
        &mut self,
        files: &ClassFiles<'_>,
        previous: Option<&Arc<Class>>,
    ) -> Result<Class, Diagnostic> {
        let file = files.class_file;
        let mut found = Vec::new();
        let node = parse(file)?;
        let object = node.get("object").unwrap_or(&Node::Null);
        let attributes = object.get("attributes").unwrap_or(&Node::Null);
        check_keys(attributes, &CLASS_KEYS, file, &mut found);
        let mut locator = Locator::new(&file.text);
        let (line, _) = locator.key("name");
        let name = attributes
            .get("name")
            .and_then(Node::text)
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| name_missing(file, "class"))?;
        let inherits = attributes
            .get("inherits")
            .and_then(Node::text)
            .map(str::trim)
            .filter(|base| !base.is_empty());
        let same_schema = previous.filter(|class| Arc::ptr_eq(&class.file, file));
        let fields: Arc<[SchemaField]> = match same_schema {
            Some(class) => class.fields.clone(),
            None => self
                .fields
                .schema(object.get("schema"), file, &mut locator, &mut found)
                .into(),
        };
        if same_schema.is_some() {
            let of_class_file = |diagnostic: &&Diagnostic| diagnostic.file == file.path;
            found.extend(
                previous
                    .into_iter()
                    .flat_map(|class| class.diagnostics.iter().filter(of_class_file))
                    .cloned(),
            );
        }
        let methods = method_loader::methods(
            self.fields.host,
            &files.method_files,
            &mut self.fields,
            &mut found,
        );
        let mut class = Class {
            domain: files.domain.clone(),
            namespace: Arc::from(files.namespace.as_str()),
            name: Arc::from(name),
            file: file.clone(),
            line,
            inherits: inherits.map(Arc::from),
            is_state_machine: fields.iter().any(|field| field.aetype == Some(Aetype::State)),
            default_plan: plan(&fields, &[]).into(),
            fields,
            instances: Vec::new(),
            instance_index: Arc::default(),
            methods,
            bases: Vec::new(),
            files: files.all().cloned().collect(),
            diagnostics: found,
        };
        let full_name = class.full_name();
        let mut instances = Vec::with_capacity(files.instance_files.len());
        let mut known = same_schema.map(|class| class.instances.iter().peekable());
        for file in &files.instance_files {
            match known.as_mut().and_then(|known| take_over(known, file)) {
                Some(instance) => instances.push(instance),
                None => match self.instance(&full_name, &class.fields, file) {
                    Ok((instance, _)) => instances.push(Arc::new(instance)),
                    Err(diagnostic) => class.diagnostics.push(diagnostic),
                },
            }
        }
        set_instances(&mut class, instances, same_schema);
        Ok(class)
    }

    /// Compiles an instance. `class` is the full name of its class.
    pub(crate) fn instance(
        &mut self,
        class: &str,
        schema: &[SchemaField],
        file: &Arc<SourceFile>,
    ) -> Result<(Instance, Loose), Diagnostic> {
        let node = parse(file)?;
        let mut found = Vec::new();
        let object = node.get("object").unwrap_or(&Node::Null);
        let attributes = object.get("attributes").unwrap_or(&Node::Null);
        check_keys(attributes, &INSTANCE_KEYS, file, &mut found);
        let name = attributes
            .get("name")
            .and_then(Node::text)
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| name_missing(file, "instance"))?;
        let mut locator = Locator::new(&file.text);
        let (line, _) = locator.key("name");
        let base = attributes
            .get("inherits")
            .and_then(Node::text)
            .map(str::trim)
            .filter(|base| !base.is_empty());
        let mut loose = Loose {
            base: base.map(str::to_owned),
            fields: Vec::new(),
        };
        locator.key("fields");
        for (key, value) in entries(object.get("fields"), file, &mut found) {
            let (line, column) = locator.key(key);
            let index = schema.iter().position(|field| *field.key == *key.to_lowercase());
            match index.and_then(|index| u16::try_from(index).ok()) {
                // The first of two values for one field wins.
                Some(index) if loose.fields.iter().any(|(known, _, _)| *known == index) => (),
                Some(index) => loose.fields.push((index, value.clone(), line)),
                None => {
                    let help = suggest::did_you_mean(key, schema.iter().map(|field| &*field.name));
                    let message = format!("the class has no field `{key}`; the value is left out");
                    found.push(
                        Diagnostic::error("FieldNotFound", &file.path, message)
                            .at(line, column)
                            .help(help),
                    );
                }
            }
        }
        let own = self.fields.values(schema, &loose.fields, file, &mut found);
        let plan = plan(schema, &own).into();
        let instance = Instance {
            name: Arc::from(name),
            full_name: Arc::from([class, "/", name].concat()),
            file: file.clone(),
            line,
            description: description(attributes),
            plan,
            is_inheriting: loose.base.is_some(),
            diagnostics: found.into(),
        };
        Ok((instance, loose))
    }
}

/// What runs, in order: assertions first, then the rest by priority, nulls last, ties in the order of the file.
/// `own` are the values of an instance, by field. What can do nothing is dropped.
pub(crate) fn plan(schema: &[SchemaField], own: &[PlanEntry]) -> Vec<PlanEntry> {
    let mut order: Vec<(usize, &SchemaField)> = schema
        .iter()
        .enumerate()
        .filter(|(_, field)| field.aetype.is_some())
        .collect();
    let is_assertion = |field: &SchemaField| field.aetype == Some(Aetype::Assertion);
    order.sort_by_key(|(_, field)| (!is_assertion(field), field.priority.is_none(), field.priority));
    order
        .into_iter()
        .filter_map(|(index, field)| FieldLoader::effective(index, field, own))
        .collect()
}

/// What an author says of an instance: its description, or the name that people are to see.
fn description(attributes: &Node) -> Option<Arc<str>> {
    let texts = ["description", "display_name"].into_iter();
    let mut texts = texts.filter_map(|key| Some(attributes.get(key)?.text()?.trim()));
    texts.find(|text| !text.is_empty()).map(Arc::from)
}

/// The one-key maps of a list: `- name: {…}`.
fn entries<'n>(
    node: Option<&'n Node>,
    file: &Arc<SourceFile>,
    found: &mut Vec<Diagnostic>,
) -> Vec<(&'n str, &'n Node)> {
    let mut wrong = |kind: &str| {
        let message =
            format!("a list of `- field: {{value: …}}` was expected under `fields`, this is {kind}");
        found.push(Diagnostic::error("FieldsShape", &file.path, message));
    };
    let Some(Node::List(items)) = node else {
        if let Some(Node::Text(_) | Node::Map(_)) = node {
            wrong(node.map_or("nothing", Node::kind));
        }
        return Vec::new();
    };
    let mut read = Vec::new();
    for item in items {
        match item {
            Node::Map(entries) => read.extend(entries.iter().map(|(key, value)| (key.as_str(), value))),
            Node::Null => (),
            other => wrong(other.kind()),
        }
    }
    read
}

const CLASS_KEYS: [&str; 9] = [
    "name",
    "display_name",
    "description",
    "type",
    "inherits",
    "visibility",
    "owner",
    "relative_path",
    "fqname",
];
const INSTANCE_KEYS: [&str; 6] = [
    "name",
    "display_name",
    "description",
    "inherits",
    "relative_path",
    "fqname",
];

/// Keys that nobody reads are worth a warning: they are typing errors mostly.
pub(crate) fn check_keys(node: &Node, known: &[&str], file: &Arc<SourceFile>, found: &mut Vec<Diagnostic>) {
    let Node::Map(entries) = node else { return };
    for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let (line, column) = Locator::new(&file.text).key(key);
        let help = suggest::did_you_mean(key, known.iter().copied());
        found.push(
            Diagnostic::warning("UnknownKey", &file.path, format!("`{key}` is not read"))
                .at(line, column)
                .help(help),
        );
    }
}

pub(crate) fn name_missing(file: &SourceFile, what: &str) -> Diagnostic {
    Diagnostic::error(
        "NameMissing",
        &file.path,
        format!("the {what} has no name; it is left out"),
    )
    .help("write it under object: attributes: name:")
}
