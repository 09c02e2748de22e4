//! Which part of the tree is shown: the busiest of each folder, so that a page stays small whatever the number.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::rule_tree::RuleDomain;
use crate::model::rule_tree::RuleInstance;
use crate::vmdb::RuleFigures;
use crate::web::automate::is_named;
use crate::web::pages::rules::Seen;

/// Instances of a folder, folders of a domain and domains that are shown.
const INSTANCES: usize = 6;
const FOLDERS: usize = 12;
const DOMAINS: usize = 12;
/// Instances of all folders that are shown where something is looked for, and of one folder that is opened.
const FOUND: usize = 200;
const OPENED: usize = 400;

/// What is looked for.
pub(crate) struct TreeQuery<'a> {
    /// In the path or the description; lower case.
    pub(crate) text: String,
    /// Of this domain only.
    pub(crate) domain: &'a str,
    /// Of this folder only, with room for more of its instances.
    pub(crate) folder: &'a str,
    /// The file that is open: what is written in it is shown in any case.
    pub(crate) file: Option<&'a str>,
}

/// The part that is shown.
pub(crate) struct ShownTree<'a> {
    pub(crate) domains: Vec<ShownDomain<'a>>,
    /// Instances that are found, and that are shown.
    pub(crate) found: u64,
    pub(crate) shown: u64,
    /// Those shown that did not fire.
    pub(crate) silent: u64,
    /// Whether the tree is narrowed.
    pub(crate) is_narrowed: bool,
}

pub(crate) struct ShownDomain<'a> {
    pub(crate) domain: &'a RuleDomain,
    /// Whether one of its instances covers another.
    pub(crate) covers: bool,
    pub(crate) folders: Vec<ShownFolder<'a>>,
    /// How many more folders there are.
    pub(crate) more: u64,
}

pub(crate) struct ShownFolder<'a> {
    pub(crate) name: String,
    /// All of its instances that are found.
    pub(crate) count: u64,
    pub(crate) rows: Vec<ShownRow<'a>>,
}

pub(crate) struct ShownRow<'a> {
    pub(crate) instance: &'a RuleInstance,
    pub(crate) figures: Option<&'a RuleFigures>,
    pub(crate) is_open: bool,
    /// The type of events that it may have been meant for.
    pub(crate) meant: Option<Arc<str>>,
}

/// What a folder has, before it is known what of it is shown.
#[derive(Default)]
struct Folder<'a> {
    fired: u64,
    has_open: bool,
    instances: Vec<(&'a RuleInstance, u64)>,
}

impl<'a> ShownTree<'a> {
    pub(crate) fn new(seen: &'a Seen, query: &TreeQuery<'_>) -> Self {
        let is_narrowed = !query.text.is_empty() || !query.domain.is_empty() || !query.folder.is_empty();
        let mut by_domain: BTreeMap<&str, BTreeMap<(&str, &str), Folder<'a>>> = BTreeMap::new();
        let mut found = 0;
        for instance in &seen.tree.instances {
            let is_open = query.file == Some(&*instance.file);
            if !is_open && !is_found(instance, query) {
                continue;
            }
            found += 1;
            let fired = seen
                .figures
                .get(&instance.path)
                .map_or(0, |figures| figures.fired);
            let folders = by_domain.entry(&instance.domain).or_default();
            let folder = folders.entry((&instance.namespace, &instance.class)).or_default();
            folder.fired += fired;
            folder.has_open |= is_open;
            folder.instances.push((instance, fired));
        }
        let mut room = if query.folder.is_empty() { FOUND } else { OPENED };
        let mut domains = Vec::new();
        for domain in seen.tree.domains.iter().take(DOMAINS) {
            let folders = by_domain.remove(&*domain.name).unwrap_or_default();
            if folders.is_empty() {
                continue;
            }
            let mut folders: Vec<_> = folders.into_iter().collect();
            folders.sort_by_key(|(_, folder)| Reverse((folder.has_open, folder.fired)));
            let more = folders.len().saturating_sub(FOLDERS) as u64;
            folders.truncate(FOLDERS);
            let covers = |(instance, _): &(&RuleInstance, u64)| instance.covers.is_some();
            let covers = folders
                .iter()
                .any(|(_, folder)| folder.instances.iter().any(covers));
            let each = if is_narrowed { room } else { INSTANCES };
            let folders = folders.into_iter().map(|((namespace, class), folder)| {
                let shown = folder.show(seen, query, each.min(room));
                room -= shown.len().min(room);
                ShownFolder {
                    name: format!("{namespace}/{class}"),
                    count: folder.instances.len() as u64,
                    rows: shown,
                }
            });
            domains.push(ShownDomain {
                domain,
                covers,
                folders: folders.collect(),
                more,
            });
        }
        let rows = || {
            let folders = domains.iter().flat_map(|domain| &domain.folders);
            folders.flat_map(|folder| &folder.rows)
        };
        Self {
            found,
            shown: rows().count() as u64,
            silent: rows().filter(|row| row.figures.is_none()).count() as u64,
            is_narrowed,
            domains,
        }
    }
}

impl<'a> Folder<'a> {
    /// The open one and the busiest; those that cover or are covered before others that never fired.
    fn show(&self, seen: &'a Seen, query: &TreeQuery<'_>, most: usize) -> Vec<ShownRow<'a>> {
        let mut order: Vec<&(&RuleInstance, u64)> = self.instances.iter().collect();
        let is_open = |instance: &RuleInstance| query.file == Some(&*instance.file);
        let rank = |(instance, fired): &(&RuleInstance, u64)| {
            let overlay = instance.covers.is_some() || instance.covered_by.is_some();
            Reverse((is_open(instance), *fired, overlay))
        };
        // Only what is shown has to be in order.
        let most = most.max(usize::from(self.has_open));
        if most < order.len() {
            order.select_nth_unstable_by_key(most, |one| rank(one));
            order.truncate(most);
        }
        order.sort_by(|a, b| {
            let busiest = b.1.cmp(&a.1);
            busiest.then_with(|| a.0.name.cmp(&b.0.name))
        });
        let row = |(instance, _): &&(&'a RuleInstance, u64)| {
            let figures = seen.figures.get(&instance.path);
            ShownRow {
                instance,
                figures,
                is_open: is_open(instance),
                meant: figures.map_or_else(|| seen.unknown.meant_by(instance), |_fired| None),
            }
        };
        order.iter().map(row).collect()
    }
}

fn is_found(instance: &RuleInstance, query: &TreeQuery<'_>) -> bool {
    (query.domain.is_empty() || query.domain.eq_ignore_ascii_case(&instance.domain))
        && (query.folder.is_empty() || query.folder == instance.folder())
        && (query.text.is_empty() || is_named(instance, &query.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::clock::Timestamp;
    use crate::model::delivery::RulesId;
    use crate::model::rule_tree::RuleTree;
    use crate::reload::ReloadState;
    use crate::web::pages::rules::unknown::UnknownTypes;

    /// A tree of a hundred classes with a thousand instances each; every hundredth fired, as often as its number.
    fn large() -> Seen {
        let mut instances = Vec::new();
        let mut figures = BTreeMap::new();
        for number in 0..100_000_u64 {
            let class = number / 1_000;
            let path: Arc<str> = format!("/Site/Events/Class{class:02}/type_{number:06}").into();
            if number % 100 == 0 {
                let fired = RuleFigures {
                    fired: number,
                    failed: 0,
                    stopped: 0,
                    budget: 0,
                    last: Timestamp::UNIX_EPOCH,
                    days: vec![(0, number, 0)],
                };
                figures.insert(path.clone(), fired);
            }
            instances.push(RuleInstance {
                path,
                domain: "Site".into(),
                namespace: "Events".into(),
                class: format!("Class{class:02}").into(),
                name: format!("type_{number:06}").into(),
                file: format!("automate/{number}.yaml").into(),
                line: 1,
                description: None,
                covers: None,
                covered_by: None,
            });
        }
        let domain = RuleDomain {
            name: "Site".into(),
            priority: 10,
            enabled: true,
            instances: instances.len(),
            file: "automate/Site/__domain__.yaml".into(),
        };
        Seen {
            since: 0,
            tree: Arc::new(RuleTree {
                domains: vec![domain],
                instances,
            }),
            figures,
            findings: Arc::default(),
            reload: ReloadState::new(RulesId(1), Timestamp::UNIX_EPOCH),
            last: None,
            unknown: UnknownTypes::default(),
        }
    }

    fn shown(seen: &Seen, text: &str, folder: &str, file: Option<&str>) -> (u64, u64, Vec<String>) {
        let query = TreeQuery {
            text: text.to_owned(),
            domain: "",
            folder,
            file,
        };
        let tree = ShownTree::new(seen, &query);
        let folders = tree.domains.iter().flat_map(|domain| &domain.folders);
        let rows = folders.flat_map(|folder| &folder.rows);
        let names = rows.map(|row| row.instance.name.to_string()).collect();
        (tree.found, tree.shown, names)
    }

    #[test]
    fn of_a_hundred_thousand_instances_the_busiest_are_shown_and_a_page_stays_small() {
        let seen = large();
        let (found, count, names) = shown(&seen, "", "", None);
        assert_eq!((found, count), (100_000, (FOLDERS * INSTANCES) as u64));
        let first: Vec<&str> = names.iter().take(2).map(String::as_str).collect();
        assert_eq!(first, ["type_099900", "type_099800"]);
        // What is looked for is found wherever it is.
        let (found, count, names) = shown(&seen, "type_000007", "", None);
        assert_eq!((found, count, names), (1, 1, vec!["type_000007".to_owned()]));
        let (found, count, _names) = shown(&seen, "type_", "", None);
        assert_eq!((found, count), (100_000, FOUND as u64));
        let (found, count, _names) = shown(&seen, "", "Events/Class03", None);
        assert_eq!((found, count), (1_000, OPENED as u64));
        assert_eq!(shown(&seen, "nothing like that", "", None).0, 0);
        // The open one is shown although it never fired.
        let (_found, _count, names) = shown(&seen, "", "", Some("automate/4711.yaml"));
        assert!(names.contains(&"type_004711".to_owned()), "{names:?}");
    }
}
