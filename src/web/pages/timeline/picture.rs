//! What there is in a view: counted, and where it is little, each event.

use crate::model::event_group::EventGroup;
use crate::model::relation::RELATIONS;
use crate::vmdb::BucketStep;
use crate::vmdb::Buckets;
use crate::vmdb::CountedEvents;
use crate::vmdb::CountedLane;
use crate::vmdb::EventFilter;
use crate::vmdb::LanesBy;
use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::pages::links;
use crate::web::pages::timeline::axis::Axis;
use crate::web::pages::timeline::axis::precise;
use crate::web::pages::timeline::chart::Chart;
use crate::web::pages::timeline::chart::Flag;
use crate::web::pages::timeline::chart::Lane;
use crate::web::pages::timeline::chart::Scale;
use crate::web::pages::timeline::lane::Mark;
use crate::web::pages::timeline::rows::time_of;
use crate::web::pages::timeline::view::View;

/// Beyond so many events there are bars, on a wide screen and on a narrow one.
const MARKS: (u64, u64) = (260, 90);
/// So many bars at most.
const BARS: (i64, i64) = (124, 48);

/// The events of a view.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) counted: CountedEvents,
    pub(crate) lanes: Vec<Lane>,
    /// Names of groups that have nothing in this view.
    pub(crate) empty_groups: Vec<String>,
    has_marks: bool,
    is_narrow: bool,
}

impl Picture {
    /// Counts, and reads the events where they are few.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn take(
        vmdb: &Vmdb,
        view: &View,
        groups: &[EventGroup],
        is_narrow: bool,
    ) -> Result<Self, VmdbError> {
        let most = if is_narrow { BARS.1 } else { BARS.0 };
        let step = BucketStep::for_at_most(most, view.from, view.to);
        let buckets = Buckets::cover(view.from, view.to, step, view.zone.offset_at(view.to));
        let whole = EventFilter {
            before: None,
            ..view.filter.clone()
        };
        let counted = vmdb.events_counted(&whole, buckets, view.lanes)?;
        let most = if is_narrow { MARKS.1 } else { MARKS.0 };
        let has_marks = counted.total <= most;
        let events = match has_marks {
            // A limit, though there are no more: only a page is looked for where the counts say that there is something.
            true => vmdb.events_list(&EventFilter {
                limit: usize::try_from(most).ok(),
                ..whole
            })?,
            false => Vec::new(),
        };
        let (lanes, empty_groups) = match view.lanes {
            LanesBy::Group => by_group(view, &counted, groups, &events),
            LanesBy::Resource => (by_resource(view, &counted, &events), Vec::new()),
        };
        Ok(Self {
            counted,
            lanes,
            empty_groups,
            has_marks,
            is_narrow,
        })
    }

    /// How it is drawn.
    pub(crate) fn chart<'a>(&'a self, view: &'a View, flags: &'a [Flag]) -> Chart<'a> {
        Chart {
            axis: Axis {
                from: view.from,
                to: view.to,
            },
            buckets: self.counted.buckets,
            lanes: &self.lanes,
            flags,
            zone: &view.zone,
            has_marks: self.has_marks,
            is_narrow: self.is_narrow,
            scale: Some(match view.has_one_scale {
                true => Scale::One {
                    link: view.link(&[("scale", None)]),
                },
                false => Scale::Each {
                    link: view.link(&[("scale", Some("one"))]),
                },
            }),
            lane_is: match view.lanes {
                LanesBy::Group => "Group",
                LanesBy::Resource => "Resource",
            },
        }
    }
}

/// In the order of the settings; groups that are no longer in them come last.
fn by_group(
    view: &View,
    counted: &CountedEvents,
    groups: &[EventGroup],
    events: &[StoredEvent],
) -> (Vec<Lane>, Vec<String>) {
    let named = groups.iter().map(|group| (&*group.key, group.name.clone()));
    let unnamed = counted
        .lanes
        .iter()
        .map(|lane| &*lane.key)
        .filter(|key| !groups.iter().any(|group| &*group.key == *key))
        .map(|key| {
            (
                key,
                if key == "other" {
                    "Other".to_owned()
                } else {
                    key.to_owned()
                },
            )
        });
    let (mut lanes, mut empty) = (Vec::new(), Vec::new());
    for (key, name) in named.chain(unnamed) {
        let Some(lane) = counted.lanes.iter().find(|lane| lane.key == key) else {
            empty.push(name);
            continue;
        };
        let marks = events.iter().filter(|stored| *stored.group.group == *key);
        let link = view.link(&[("group", Some(key))]);
        lanes.push(of_counted(lane, (name, false), link, marks));
    }
    (lanes, empty)
}

fn by_resource(view: &View, counted: &CountedEvents, events: &[StoredEvent]) -> Vec<Lane> {
    let lanes = counted.lanes.iter().filter_map(|lane| {
        let resource = lane.resource.as_ref()?;
        let about = |stored: &&StoredEvent| {
            RELATIONS.iter().any(|relation| {
                relation.associations.contains(&resource.association)
                    && stored.event.hash.text(relation.reference) == Some(&resource.reference)
            })
        };
        let name = resource.name.clone();
        let name = (name.unwrap_or_else(|| resource.reference.clone()), true);
        let link = links::resource(resource.association, &resource.reference, view.asked("ems"));
        Some(of_counted(lane, name, link, events.iter().filter(about)))
    });
    lanes.collect()
}

fn of_counted<'a>(
    lane: &CountedLane,
    (name, is_machine_name): (String, bool),
    link: String,
    events: impl Iterator<Item = &'a StoredEvent>,
) -> Lane {
    Lane {
        key: lane.key.clone(),
        name,
        link,
        is_machine_name,
        bars: lane.bars.clone(),
        total: lane.total,
        marks: events.filter_map(mark).collect(),
    }
}

fn mark(stored: &StoredEvent) -> Option<Mark> {
    Some(Mark {
        id: stored.event.id?,
        at: precise(time_of(stored).as_microsecond()) / 1e6,
        level: stored.group.level,
        outcome: stored.outcome,
    })
}
