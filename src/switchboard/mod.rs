//! One immutable set of rules: admit a message, deliver an event. Pure: no files, no clock, no database.

pub mod active;
mod collect;
mod poll;
mod rule_tree;
pub mod simulation;
mod source_class;

pub use active::ActiveSwitchboard;
pub use simulation::SimulatedEvent;
pub use simulation::Simulation;
pub use simulation::SimulationRequest;
pub use source_class::EVENT_SOURCES;
pub use source_class::SourceClass;

pub use crate::model::records::Records;
pub use crate::model::records::RefreshProgress;
pub use crate::provider::Admission;
pub use crate::provider::Collects;
pub use crate::provider::ParseError;
pub use crate::provider::PollAnswer;
pub use crate::provider::PollRequest;
pub use crate::provider::PollResponse;
pub use crate::script::Limits;
pub use crate::script::ScriptFunction;
pub use crate::script::THREAD_STACK;
pub use crate::script::all_functions;
pub use crate::script::own_functions;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::automate;
use crate::automate::Entry;
use crate::automate::check;
use crate::automate::datastore::Datastore;
use crate::automate::loader;
use crate::automate::records::GivenRecords;
use crate::automate::workspace::Env;
use crate::model::clock::Timestamp;
use crate::model::delivery::Delivery;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Retry;
use crate::model::delivery::RulesId;
use crate::model::ems::Ems;
use crate::model::event::EmsEvent;
use crate::model::event::NativeEvent;
use crate::provider::Provider;
use crate::script::ScriptHost;
use crate::script::evm::EventView;
use crate::settings::Blacklist;
use crate::source::Diagnostic;
use crate::source::RootKind;
use crate::source::SourceTree;
use crate::source::suggest;

/// What a load gives: a switchboard of everything that could be used, and what is wrong with the rest.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub switchboard: Switchboard,
    /// What is wrong, errors and warnings, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a decision may look at besides the rules and the event.
#[derive(Clone)]
pub struct Context {
    /// Where records are found.
    pub records: Arc<dyn Records>,
    /// The time of the decision.
    pub now: Timestamp,
    /// What an earlier run left that ended in `retry`.
    pub resume: Option<Retry>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context(now {}, resume {:?})", self.now, self.resume)
    }
}

impl Context {
    /// A context without records.
    pub fn at(now: Timestamp) -> Self {
        Self {
            records: Arc::new(GivenRecords::default()),
            now,
            resume: None,
        }
    }
}

/// One immutable set of rules.
#[derive(Debug)]
pub struct Switchboard {
    id: RulesId,
    host: Arc<ScriptHost>,
    providers: BTreeMap<Arc<str>, Provider>,
    datastore: Arc<Datastore>,
}

impl Switchboard {
    /// Loads a tree; classes of `previous` whose files did not change are shared, not compiled again.
    pub fn load(tree: &SourceTree, previous: Option<&Arc<Switchboard>>) -> Loaded {
        Self::load_within(tree, previous, &Limits::default())
    }

    /// As [`Switchboard::load`], with limits for scripts other than the default ones.
    pub fn load_within(tree: &SourceTree, previous: Option<&Arc<Switchboard>>, limits: &Limits) -> Loaded {
        let mut diagnostics: Vec<Diagnostic> = tree.diagnostics().to_vec();
        let mut host = ScriptHost::new(limits.clone());
        let scripts: Vec<_> = tree
            .files()
            .iter()
            .filter(|file| file.kind == RootKind::Scripts)
            .cloned()
            .collect();
        diagnostics.extend(host.add_modules(&scripts));
        let providers = Provider::load_all(&host, &scripts, &mut diagnostics);
        let datastore = loader::load(
            tree,
            &host,
            previous.map(|previous| &*previous.datastore),
            &mut diagnostics,
        );
        diagnostics.sort();
        diagnostics.dedup();
        let digest = tree
            .files()
            .iter()
            .fold(0_u128, |sum, file| sum.wrapping_add(file.digest));
        let switchboard = Self {
            id: RulesId(digest),
            host: Arc::new(host),
            providers,
            datastore: Arc::new(datastore),
        };
        Loaded {
            switchboard,
            diagnostics,
        }
    }

    /// What is wrong between the files of the tree that these rules were loaded from: relationships to nothing,
    /// calls of methods that are not there, circles. Too slow to be asked at every reload.
    pub fn check(&self, tree: &SourceTree) -> Vec<Diagnostic> {
        check::check(&self.datastore, tree)
    }

    /// Which generation this is.
    pub fn id(&self) -> RulesId {
        self.id
    }

    /// The names of the providers, sorted.
    pub fn providers(&self) -> Vec<Arc<str>> {
        self.providers.keys().cloned().collect()
    }

    fn provider(&self, name: &str) -> Result<&Provider, ParseError> {
        self.providers.get(name).ok_or_else(|| {
            let near = suggest::nearest(name, self.providers.keys().map(|name| &**name));
            let help = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            ParseError::UnknownProvider {
                name: Arc::from(name),
                help,
            }
        })
    }

    /// Parses a message as `ems`'s provider does, and says whether `blacklist` lets it in.
    ///
    /// # Errors
    /// When the provider is unknown, the message is no JSON, or the script fails or returns a wrong shape.
    pub fn admit(
        &self,
        ems: &Ems,
        native: &NativeEvent,
        blacklist: &Blacklist,
    ) -> Result<Admission, ParseError> {
        self.provider(&ems.provider)?
            .admit(&self.host, ems.id, native, blacklist)
    }

    /// Decides what to do about an event, without records. Pure, and never fails.
    pub fn deliver(&self, event: &Arc<EmsEvent>) -> Delivery {
        self.deliver_within(event, &Context::at(event.received_at))
    }

    /// Decides what to do about an event. Never fails: a fault, even a panic, is an error of the delivery.
    pub fn deliver_within(&self, event: &Arc<EmsEvent>, context: &Context) -> Delivery {
        let view = Arc::new(EventView::new(event.clone(), context.records.clone()));
        let env = Arc::new(self.env(Some(&view), context));
        let run = || automate::deliver(env, &Entry::Event(&view), context.resume.as_ref()).0;
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            let error = DeliveryError {
                path: "/System/Process/Event".to_owned(),
                kind: "EnginePanic".to_owned(),
                message: "the engine broke on this event; this is a defect, please report it with the event"
                    .to_owned(),
                fatal: true,
            };
            Delivery {
                errors: vec![error],
                ..Delivery::default()
            }
        })
    }

    fn env(&self, view: Option<&Arc<EventView>>, context: &Context) -> Env {
        let provider = view.and_then(|view| {
            let event = view.event();
            let named = event
                .ems
                .as_ref()
                .and_then(|ems| self.providers.get(&ems.provider));
            // Without a manager the source names the provider.
            named.or_else(|| self.providers.get(event.hash.source.to_lowercase().as_str()))
        });
        Env {
            datastore: self.datastore.clone(),
            host: self.host.clone(),
            records: context.records.clone(),
            provider: provider.cloned(),
            event: view.cloned(),
            now: context.now,
        }
    }
}
