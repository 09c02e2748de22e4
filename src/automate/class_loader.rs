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
use crate::automate::field_loader::VALUE_KEYS;
use crate::automate::instances::set_instances;
use crate::automate::instances::take_over;
use crate::automate::method_loader;
use crate::automate::object_file::ObjectFile;
use crate::automate::object_file::Shape;
use crate::script::ScriptHost;
use crate::source::Diagnostic;
use crate::source::SourceFile;
use crate::source::suggest;
use crate::source::yaml::Content;
use crate::source::yaml::Entry;
use crate::source::yaml::Node;
use crate::source::yaml::Position;

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

/// The parts of an instance that inheritance needs once more.
pub(crate) struct Loose {
    pub(crate) base: Option<String>,
    pub(crate) fields: Vec<(u16, Node, Position)>,
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
                    diagnostics.extend(ObjectFile::read(file).err());
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
        let object = ObjectFile::read(file)?;
        object.check(&CLASS, &mut found);
        let name = object.name(&CLASS)?;
        let line = object.key_place("name").line;
        let inherits = object.text("inherits");
        let same_schema = previous.filter(|class| Arc::ptr_eq(&class.file, file));
        let fields: Arc<[SchemaField]> = match same_schema {
            Some(class) => class.fields.clone(),
            None => self.fields.schema(object.part("schema"), file, &mut found).into(),
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
        let object = ObjectFile::read(file)?;
        let mut found = Vec::new();
        object.check(&INSTANCE, &mut found);
        let name = object.name(&INSTANCE)?;
        let line = object.key_place("name").line;
        let mut loose = Loose {
            base: object.text("inherits").map(str::to_owned),
            fields: Vec::new(),
        };
        for Entry { key, at, value } in entries(object.part("fields"), file, &mut found) {
            let index = schema.iter().position(|field| *field.key == *key.to_lowercase());
            let Some(index) = index.and_then(|index| u16::try_from(index).ok()) else {
                found.push(field_not_found(key, schema, file).at(at.line, at.column));
                continue;
            };
            match loose.fields.iter().find(|(known, ..)| *known == index) {
                None => loose.fields.push((index, value.clone(), *at)),
                Some((_, _, first)) => {
                    let message = format!(
                        "there is a value for `{key}` already, in line {}; this one is left out",
                        first.line
                    );
                    let finding = Diagnostic::error("DuplicateField", &file.path, message);
                    found.push(finding.at(at.line, at.column).help("one of the two has to go"));
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
            description: description(&object),
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
fn description(object: &ObjectFile<'_>) -> Option<Arc<str>> {
    let mut texts = ["description", "display_name"].into_iter();
    texts.find_map(|key| object.text(key)).map(Arc::from)
}

fn field_not_found(key: &str, schema: &[SchemaField], file: &Arc<SourceFile>) -> Diagnostic {
    let message = format!("the class has no field `{key}`; the value is left out");
    let help = match VALUE_KEYS.contains(&key) {
        true => format!("`{key}` belongs to the field above it: indent it below the name of the field"),
        false => suggest::did_you_mean(key, schema.iter().map(|field| &*field.name)),
    };
    Diagnostic::error("FieldNotFound", &file.path, message).help(help)
}

/// The one-key maps of a list: `- name: {…}`.
fn entries<'n>(
    node: Option<&'n Node>,
    file: &Arc<SourceFile>,
    found: &mut Vec<Diagnostic>,
) -> impl Iterator<Item = &'n Entry> + use<'n> {
    let mut wrong = |node: &Node| {
        let kind = node.kind();
        let message =
            format!("a list of `- field: {{value: …}}` was expected under `fields`, this is {kind}");
        let finding = Diagnostic::error("FieldsShape", &file.path, message);
        found.push(finding.at(node.at.line, node.at.column));
    };
    if let Some(node) = node.filter(|node| matches!(node.content, Content::Text { .. } | Content::Map(_))) {
        wrong(node);
    }
    let items = node.map_or(&[][..], Node::items);
    let is_entry = |item: &&Node| matches!(item.content, Content::Map(_) | Content::Nothing { .. });
    items.iter().filter(|item| !is_entry(item)).for_each(wrong);
    items.iter().flat_map(Node::entries)
}

const CLASS: Shape = Shape {
    what: "class",
    part: "schema",
    attributes: &[
        "name",
        "display_name",
        "description",
        "type",
        "inherits",
        "visibility",
        "owner",
        "relative_path",
        "fqname",
    ],
};
const INSTANCE: Shape = Shape {
    what: "instance",
    part: "fields",
    attributes: &[
        "name",
        "display_name",
        "description",
        "inherits",
        "relative_path",
        "fqname",
    ],
};
