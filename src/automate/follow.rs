//! Relationships as they run: followed, one by one or by wildcard, and collected from (reference 4.9, 4.10).

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::collect;
use crate::automate::collect::Sources;
use crate::automate::error::Ae;
use crate::automate::field::FieldText;
use crate::automate::field::PlanEntry;
use crate::automate::field::Prepared;
use crate::automate::field::SchemaField;
use crate::automate::fields::Todo;
use crate::automate::relationship::DatastorePath;
use crate::automate::relationship::PreparedUri;
use crate::automate::relationship::Scheme;
use crate::automate::relationship::UriText;
use crate::automate::relationship::Wildcard;
use crate::automate::steps::StepIndex;
use crate::automate::workspace::Related;
use crate::automate::workspace::Workspace;
use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::model::value::Value;

impl Workspace {
    pub(crate) fn run_relationship(
        &mut self,
        index: usize,
        field: &SchemaField,
        entry: &PlanEntry,
    ) -> Ae<()> {
        let step = self.begin_step(index, StepKind::Relationship, field, entry);
        let related = match self.follow(index, entry.text.as_deref(), step) {
            Ok(Todo::Do(related)) => related,
            Ok(Todo::Nothing) => {
                self.end_step(step, Outcome::Skipped, None, Some("blank or a comment".into()));
                return Ok(());
            }
            Err(error) => return self.failed(step, error),
        };
        self.tell_followed(step, &related);
        if let Err(error) = self.collect_related(index, field, entry, &related) {
            return self.failed(step, error);
        }
        if let Some(object) = self.object_mut(index) {
            object.relate(&field.name, related);
        }
        Ok(())
    }

    /// Follows the relationship of a state; none where it is a comment.
    pub(crate) fn follow_state(
        &mut self,
        index: usize,
        text: &FieldText,
        step: StepIndex,
    ) -> Ae<Option<Related>> {
        Ok(match self.follow(index, Some(text), step)? {
            Todo::Do(related) => {
                self.tell_followed(step, &related);
                Some(related)
            }
            Todo::Nothing => None,
        })
    }

    fn tell_followed(&mut self, step: StepIndex, related: &Related) {
        let deleted =
            |workspace: &Self, index: usize| workspace.object(index).is_some_and(|object| object.is_deleted);
        let (outcome, why): (_, Option<Cow<'static, str>>) = match related {
            Related::Nothing => (
                Outcome::Missing,
                self.state.errors.last().map(|error| error.message.clone().into()),
            ),
            Related::Object(target) if deleted(self, *target) => {
                (Outcome::Followed, Some("it was taken out again".into()))
            }
            Related::Many(targets) if targets.is_empty() => {
                (Outcome::Followed, Some("nothing matches the wildcard".into()))
            }
            Related::Object(_) | Related::Many(_) | Related::Value(_) => (Outcome::Followed, None),
        };
        self.end_step(step, outcome, None, why);
    }

    fn follow(&mut self, index: usize, text: Option<&FieldText>, step: StepIndex) -> Ae<Todo<Related>> {
        let Some(text) = text else {
            return Ok(Todo::Nothing);
        };
        let message = self.message();
        match &text.prepared {
            Prepared::Comment => Ok(Todo::Nothing),
            Prepared::Relationship(prepared) => {
                let prepared = prepared.as_ref().map_err(Clone::clone)?;
                self.set_step_value(step, Value::Text(prepared.text.clone()));
                self.follow_uri(index, prepared, &message).map(Todo::Do)
            }
            Prepared::Template(_) | Prepared::Coalescing(_) => {
                let uri = self.uri_text(text)?;
                let resolved: Arc<str> = Arc::from(uri.resolved());
                self.set_step_value(step, Value::Text(resolved.clone()));
                let bare = resolved.trim();
                if bare.is_empty() || bare.starts_with('#') {
                    return Ok(Todo::Nothing);
                }
                let prepared = uri.prepare_as(resolved)?;
                self.follow_uri(index, &prepared, &message).map(Todo::Do)
            }
            Prepared::Literal => {
                let prepared = UriText::plain(&text.written).prepare()?;
                self.follow_uri(index, &prepared, &message).map(Todo::Do)
            }
            Prepared::Assertion(_) | Prepared::Call(_) => Ok(Todo::Nothing),
        }
    }

    fn follow_uri(&mut self, index: usize, uri: &PreparedUri, message: &Arc<str>) -> Ae<Related> {
        match uri.wildcard {
            Wildcard::None => self.instantiate(uri, message, Some(index)),
            Wildcard::Elsewhere => Ok(match self.instantiate(uri, message, Some(index))? {
                Related::Object(target) => Related::Many(vec![target]),
                Related::Nothing => Related::Many(Vec::new()),
                other => other,
            }),
            Wildcard::AtEnd => {
                let Scheme::Datastore(pattern) = &uri.scheme else {
                    return self.instantiate(uri, message, Some(index));
                };
                let mut targets = Vec::new();
                for (class, name) in self.env.datastore.clone().search_wildcard(pattern) {
                    let path =
                        DatastorePath::new(class.namespace.clone(), Some(class.name.clone()), Some(name));
                    let target = PreparedUri {
                        scheme: Scheme::Datastore(Arc::new(path)),
                        ..uri.clone()
                    };
                    if let Related::Object(target) = self.instantiate(&target, message, Some(index))? {
                        targets.push(target);
                    }
                }
                Ok(Related::Many(targets))
            }
        }
    }

    /// Runs the `collect` of a relationship (4.10); not where it led to nothing.
    pub(crate) fn collect_related(
        &mut self,
        index: usize,
        field: &SchemaField,
        entry: &PlanEntry,
        related: &Related,
    ) -> Ae<()> {
        let Some(collects) = entry.collect.as_ref().filter(|_| *related != Related::Nothing) else {
            return Ok(());
        };
        let expressions = collects.expressions.as_ref().map_err(Clone::clone)?;
        let mut gathered = Vec::new();
        for expression in expressions {
            let workspace: &Self = self;
            let sources = match related {
                Related::Object(target) => Sources::One(workspace.reader(*target)),
                Related::Many(targets) => {
                    Sources::Many(targets.iter().map(|target| workspace.reader(*target)).collect())
                }
                Related::Nothing | Related::Value(_) => return Ok(()),
            };
            let target = match (&expression.target, &expression.what) {
                (None, collect::What::Name(name)) => Some(name.clone()),
                (target, _) => target.clone(),
            };
            gathered.push((target, collect::gather(&expression.what, &sources)?));
        }
        self.store_collected(index, field, gathered);
        Ok(())
    }

    fn reader(&self, index: usize) -> collect::Read<'_> {
        Box::new(move |name: &str| {
            self.object(index)
                .and_then(|object| object.attribute(name))
                .cloned()
                .unwrap_or_default()
        })
    }

    pub(crate) fn store_collected(
        &mut self,
        index: usize,
        field: &SchemaField,
        gathered: Vec<(Option<Arc<str>>, Option<Value>)>,
    ) {
        for (target, value) in gathered {
            let Some(value) = value else { continue };
            let target = target.unwrap_or_else(|| field.key.clone());
            let (object, key) = match target.rsplit_once('/') {
                // Whatever begins with a slash means the root; what stands between is ignored (G26).
                Some((path, key)) if target.starts_with('/') || path.is_empty() => (self.current_root(), key),
                Some((path, key)) => (self.lookup(path).ok().flatten(), key),
                None => (Some(index), &*target),
            };
            if let Some(object) = object.and_then(|object| self.object_mut(object)) {
                object.set(&key.trim().to_lowercase(), value);
            }
        }
    }
}
