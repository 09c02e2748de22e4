//! Classes of event sources that have no answer to a type of event that nobody named.

use crate::automate::datastore::Datastore;
use crate::automate::datastore::MISSING;
use crate::source::Diagnostic;

/// Where the class of each event source stands, without domain.
const EMS_EVENT: &str = "system/event/emsevent";

pub(crate) fn check(store: &Datastore, found: &mut Vec<Diagnostic>) {
    for (key, classes) in store.class_paths() {
        let is_source = key
            .rsplit_once('/')
            .is_some_and(|(namespace, _)| namespace == EMS_EVENT);
        let is_answered = || classes.iter().any(|class| class.instance(MISSING).is_some());
        let Some(class) = classes.first().filter(|_| is_source && !is_answered()) else {
            continue;
        };
        let message = format!(
            "`{}` has no instance `.missing`: an event of a type that has no instance here is kept and triggers nothing, \
             with the error ClassNotFound",
            class.full_name()
        );
        found.push(
            Diagnostic::warning("MissingInstance", &class.file.path, message)
                .at(class.line, 1)
                .help("add a _missing.yaml with `name: .missing`; without a relationship it says that such events need nothing"),
        );
    }
}
