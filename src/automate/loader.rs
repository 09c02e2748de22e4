//! SourceTree to datastore: finds domains, namespaces and classes by their files (reference 1.2), and has each
//! class compiled. A class whose files did not change is taken over from the previous datastore.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::HashMap;

use crate::automate::class_loader::ClassFiles;
use crate::automate::class_loader::ClassLoader;
use crate::automate::datastore::Class;
use crate::automate::datastore::Datastore;
use crate::automate::datastore::Domain;
use crate::automate::domain_loader;
use crate::automate::method_loader;
use crate::script::ScriptHost;
use crate::source::Diagnostic;
use crate::source::RootKind;
use crate::source::SourceFile;
use crate::source::SourceTree;

const DOMAIN: &str = "__domain__.yaml";
const NAMESPACE: &str = "__namespace__.yaml";
pub(crate) const CLASS: &str = "__class__.yaml";
pub(crate) const METHODS: &str = "__methods__";

/// Loads a tree. What cannot be used is left out, each with a diagnostic; the rest is whole.
pub(crate) fn load(
    tree: &SourceTree,
    host: &ScriptHost,
    previous: Option<&Datastore>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Datastore {
    let folders = Folders::new(tree);
    let domains = folders.domains(diagnostics);
    let mut loader = ClassLoader::new(host, previous);
    let mut classes: Vec<Arc<Class>> = Vec::new();
    for files in folders.classes(&domains, diagnostics) {
        if let Some(class) = loader.load(&files, diagnostics) {
            classes.push(class);
        }
    }
    let classes = refuse_doubled(classes, diagnostics);
    let classes = loader.inherit(classes, diagnostics);
    for class in &classes {
        diagnostics.extend(class.diagnostics.iter().cloned());
        diagnostics.extend(
            class
                .instances
                .iter()
                .flat_map(|instance| instance.diagnostics.iter().cloned()),
        );
    }
    let mut datastore = Datastore::new(domains.into_values().collect(), classes);
    datastore.object_methods = method_loader::object_methods();
    datastore.actions = method_loader::actions(tree, host, diagnostics);
    datastore.action_classes = method_loader::action_classes(&datastore.actions);
    datastore
}

/// A second class of the same path is skipped whole; nothing is merged (1.3).
fn refuse_doubled(classes: Vec<Arc<Class>>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<Class>> {
    let mut known: HashMap<String, Arc<str>> = HashMap::default();
    let is_first = |class: &Arc<Class>| {
        let first = known
            .entry(class.full_name().to_lowercase())
            .or_insert_with(|| class.file.path.clone());
        if *first == class.file.path {
            return true;
        }
        let message = format!(
            "the class `{}` stands in {first} already; this one is left out",
            class.full_name()
        );
        diagnostics.push(Diagnostic::error("DuplicateClass", &class.file.path, message).at(class.line, 1));
        false
    };
    classes.into_iter().filter(is_first).collect()
}

/// The files of the datastore by folder.
struct Folders<'a> {
    by_folder: BTreeMap<&'a str, Folder<'a>>,
    /// Those that make domains, namespaces and classes, by path.
    special: HashMap<&'a str, &'a Arc<SourceFile>>,
}

/// What stands in one folder besides the special files, in the order of the tree.
#[derive(Default)]
struct Folder<'a> {
    /// Instances, or methods.
    objects: Vec<&'a Arc<SourceFile>>,
    /// Scripts, and what nobody reads.
    others: Vec<&'a Arc<SourceFile>>,
}

impl<'a> Folders<'a> {
    /// Looks at each file once: a class may have a hundred thousand of them.
    fn new(tree: &'a SourceTree) -> Self {
        let mut folders = Self {
            by_folder: BTreeMap::new(),
            special: HashMap::default(),
        };
        let mut last = ("", Folder::default());
        // Files come sorted, so most of them belong to the folder of the one before.
        for file in tree.files().iter().filter(|file| file.kind == RootKind::Automate) {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            if folder != last.0 {
                let (known, done) = std::mem::replace(&mut last, (folder, Folder::default()));
                folders.add(known, done);
            }
            if [DOMAIN, NAMESPACE, CLASS].contains(&name) {
                folders.special.entry(&file.path).or_insert(file);
            } else if is_object(name) {
                last.1.objects.push(file);
            } else {
                last.1.others.push(file);
            }
        }
        folders.add(last.0, last.1);
        folders
    }

    fn add(&mut self, path: &'a str, done: Folder<'a>) {
        let folder = self.by_folder.entry(path).or_default();
        folder.objects.extend(done.objects);
        folder.others.extend(done.others);
    }

    fn file(&self, folder: &str, name: &str) -> Option<&'a Arc<SourceFile>> {
        self.special.get(format!("{folder}/{name}").as_str()).copied()
    }

    /// Domains by their folder.
    fn domains(&self, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<&'a str, Arc<Domain>> {
        let folders = self.by_folder.keys();
        let namespaces = folders.clone().filter_map(|folder| self.file(folder, NAMESPACE));
        namespaces.for_each(|file| domain_loader::check_namespace(file, diagnostics));
        let files = folders.filter_map(|folder| Some((*folder, self.file(folder, DOMAIN)?)));
        domain_loader::domains(files, diagnostics)
    }

    /// The files of every class that stands below a namespace of a domain.
    fn classes(
        &self,
        domains: &BTreeMap<&'a str, Arc<Domain>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<ClassFiles<'a>> {
        let mut classes = Vec::new();
        let mut hidden: BTreeSet<String> = BTreeSet::new();
        for (folder, files) in &self.by_folder {
            let Some(class_file) = self.file(folder, CLASS) else {
                continue;
            };
            let Some((domain_folder, domain)) = domains.iter().find(|(known, _)| is_below(folder, known))
            else {
                let parent = folder.split('/').take(2).collect::<Vec<_>>().join("/");
                if hidden.insert(parent.clone()) {
                    let message =
                        format!("`{parent}` has no usable {DOMAIN}, so everything below it is left out");
                    diagnostics.push(Diagnostic::error("DomainMissing", &class_file.path, message));
                }
                continue;
            };
            let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
            if parent == *domain_folder {
                let message = "a class directly below a domain is not loaded";
                diagnostics.push(
                    Diagnostic::warning("HiddenClass", &class_file.path, message)
                        .help("move it into a namespace"),
                );
                continue;
            }
            if let Some(gap) = self.namespace_gap(domain_folder, parent) {
                if hidden.insert(gap.to_owned()) {
                    let message = format!("`{gap}` has no {NAMESPACE}, so everything below it is left out");
                    diagnostics.push(
                        Diagnostic::warning("HiddenNamespace", &class_file.path, message)
                            .help(format!("add {gap}/{NAMESPACE}")),
                    );
                }
                continue;
            }
            let below = parent.get(domain_folder.len() + 1..).unwrap_or("");
            let methods = self.by_folder.get(format!("{folder}/{METHODS}").as_str());
            classes.push(ClassFiles {
                domain: domain.clone(),
                namespace: format!("{}/{below}", domain.name),
                class_file,
                instance_files: files.objects.clone(),
                method_files: methods.map_or_else(Vec::new, |methods| {
                    methods.objects.iter().chain(&methods.others).copied().collect()
                }),
            });
        }
        classes
    }

    /// The first folder between domain and class that is no namespace.
    fn namespace_gap(&self, domain: &str, parent: &'a str) -> Option<&'a str> {
        let ends = parent
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([parent.len()])
            .filter(|end| *end > domain.len());
        ends.filter_map(|end| parent.get(..end))
            .find(|folder| self.file(folder, NAMESPACE).is_none())
    }
}

fn is_below(folder: &str, domain: &str) -> bool {
    folder
        .strip_prefix(domain)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a file of this name describes an instance or a method.
fn is_object(name: &str) -> bool {
    name.ends_with(".yaml") && !name.starts_with('.') && !name.ends_with(".test.yaml")
}
