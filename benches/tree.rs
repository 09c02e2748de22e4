//! Trees of rules to measure with: what is shipped, and as many instances more as wanted.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use tempfile::TempDir;

/// The folder of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with a domain of its own, whose class `AMAZON` has as many instances as wanted.
pub struct Generated {
    folder: TempDir,
    class: PathBuf,
}

impl Generated {
    /// Writes the domain `Bench`.
    pub fn new(instances: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let class = folder.path().join("Bench/System/Event/EmsEvent/AMAZON.class");
        fs::create_dir_all(&class).unwrap();
        let head = |kind: &str, name: &str, more: &str| {
            format!("object_type: {kind}\nversion: 1.0\nobject:\n  attributes:\n    name: {name}\n{more}")
        };
        let domain = folder.path().join("Bench");
        fs::write(
            domain.join("__domain__.yaml"),
            head("domain", "Bench", "    priority: 10\n    enabled: true\n"),
        )
        .unwrap();
        for (path, name) in [
            ("System", "System"),
            ("System/Event", "Event"),
            ("System/Event/EmsEvent", "EmsEvent"),
        ] {
            fs::write(
                domain.join(path).join("__namespace__.yaml"),
                head("namespace", name, ""),
            )
            .unwrap();
        }
        let shipped = "automate/ManageIQ/System/Event/EmsEvent/AMAZON.class/__class__.yaml";
        fs::copy(project().join(shipped), class.join("__class__.yaml")).unwrap();
        let generated = Self { folder, class };
        for number in 0..instances {
            generated.write(number, "refresh");
        }
        generated
    }

    /// Writes one instance, and says where.
    pub fn write(&self, number: usize, handler: &str) -> PathBuf {
        let name = event_type(number);
        let path = self.class.join(format!("{name}.yaml"));
        let text = format!(
            "---\nobject_type: instance\nversion: 1.0\nobject:\n  attributes:\n    name: {name}\n  fields:\n  \
             - rel4:\n      value: /System/event_handlers/{handler}\n"
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// Reads it, with what is shipped.
    pub fn read(&self) -> SourceTree {
        let root = |kind, folder: &Path| Root {
            kind,
            folder: folder.to_owned(),
            required: true,
        };
        SourceTree::from_disk(&[
            root(RootKind::Automate, &project().join("automate")),
            root(RootKind::Automate, self.folder.path()),
            root(RootKind::Scripts, &project().join("scripts")),
        ])
        .unwrap()
    }
}

/// The name of an API call of Amazon, one for each number.
pub fn call(number: usize) -> String {
    format!("StartInstances{number}")
}

/// The type of the event of such a call.
pub fn event_type(number: usize) -> String {
    format!("AWS_API_CALL_{}", call(number))
}
