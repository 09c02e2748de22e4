//! What a visitor wants to see of the timeline: all of it is in the address, so every view is a link.

use jiff::civil;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::event_outcome::EventOutcome;
use crate::model::written_time;
use crate::vmdb::EventFilter;
use crate::vmdb::LanesBy;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::api::ems_id;
use crate::web::api::level;
use crate::web::api::searched_for;
use crate::web::api::unknown_manager;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words::Zone;
use crate::web::problem::Problem;

/// Spans that are offered: their word, their name, their hours.
pub(crate) const RANGES: [(&str, &str, i64); 5] = [
    ("1h", "1 h", 1),
    ("6h", "6 h", 6),
    ("24h", "24 h", 24),
    ("7d", "7 d", 7 * 24),
    ("30d", "30 d", 30 * 24),
];
/// The one that is shown unless asked otherwise.
pub(crate) const RANGE: &str = "30d";

/// The address, as it came.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    ems: Option<String>,
    event_type: Option<String>,
    group: Option<String>,
    level: Option<String>,
    outcome: Option<String>,
    target: Option<String>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    range: Option<String>,
    lanes: Option<String>,
    scale: Option<String>,
    tz: Option<String>,
    cursor: Option<String>,
}

/// What is to be seen.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The keys of the address, for links to views that differ by one of them.
    asked: Asked,
    /// Which events.
    pub(crate) filter: EventFilter,
    /// From when.
    pub(crate) from: Timestamp,
    /// Until when.
    pub(crate) to: Timestamp,
    /// How it is divided.
    pub(crate) lanes: LanesBy,
    /// Whether all lanes have one scale.
    pub(crate) has_one_scale: bool,
    /// The zone of its times.
    pub(crate) zone: Zone,
    /// Where links of it lead.
    path: String,
}

impl View {
    /// Reads an address.
    ///
    /// # Errors
    /// When a word of it means nothing here, with what is expected.
    pub(crate) fn read(
        path: String,
        mut asked: Asked,
        visitor: &Visitor,
        vmdb: &Vmdb,
        now: Timestamp,
    ) -> Result<Result<Self, Problem>, VmdbError> {
        asked.forget_blanks();
        let Some(ems_id) = ems_id(vmdb, asked.ems.as_deref())? else {
            return Ok(Err(unknown_manager(asked.ems)));
        };
        Ok(Self::of(path, asked, visitor, now).map(|mut view| {
            view.filter.ems_id = ems_id;
            view
        }))
    }

    /// The view of one thing on its own page: what it is about stands in the path.
    ///
    /// # Errors
    /// As [`View::read`].
    pub(crate) fn about(
        path: String,
        mut asked: Asked,
        visitor: &Visitor,
        now: Timestamp,
        narrow: impl FnOnce(&mut EventFilter),
    ) -> Result<Self, Problem> {
        asked.forget_blanks();
        let mut view = Self::of(path, asked, visitor, now)?;
        narrow(&mut view.filter);
        Ok(view)
    }

    fn of(path: String, asked: Asked, visitor: &Visitor, now: Timestamp) -> Result<Self, Problem> {
        let zone = match asked.tz.as_deref() {
            None => visitor.zone.clone(),
            Some(name) => Zone::named(name).ok_or_else(|| {
                Problem::unreadable(
                    "`tz` is no zone; a name such as Europe/Berlin or an offset such as +02:00 is expected",
                )
            })?,
        };
        let hours = match asked.range.as_deref() {
            None => RANGES.iter().find(|(word, _, _)| *word == RANGE),
            Some(range) => RANGES.iter().find(|(word, _, _)| *word == range),
        };
        let &(_, _, hours) = hours.ok_or_else(|| {
            let words = RANGES.map(|(word, _, _)| word).join(", ");
            Problem::unreadable(format!("`range` is one of {words}"))
        })?;
        // The moment that is just under way belongs to it.
        let to = match &asked.to {
            Some(text) => moment("to", text, &zone)?,
            None => now.saturating_add(SignedDuration::from_micros(1)).unwrap_or(now),
        };
        let from = match &asked.from {
            Some(text) => moment("from", text, &zone)?,
            None => to.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(to),
        };
        if to <= from {
            let help = format!("from {}, to {}", zone.full(from), zone.full(to));
            return Err(Problem::unreadable("the end lies before the start").help(help));
        }
        let unreadable = |error: String| Problem::unreadable(error);
        searched_for(asked.q.as_deref())?;
        let filter = EventFilter {
            ems_id: None,
            event_type: asked.event_type.clone(),
            group: asked.group.clone(),
            level: asked.level.as_deref().map(level).transpose()?,
            outcome: asked
                .outcome
                .as_deref()
                .map(str::parse::<EventOutcome>)
                .transpose()
                .map_err(unreadable)?,
            q: asked.q.clone(),
            target: asked
                .target
                .as_deref()
                .map(EventFilter::target_of)
                .transpose()
                .map_err(unreadable)?,
            before: asked
                .cursor
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(unreadable)?,
            from: Some(from),
            to: Some(to),
            limit: None,
        };
        if !filter.before.is_none_or(|cursor| filter.goes_on_from(&cursor)) {
            return Err(Problem::unreadable("the cursor is of another list"));
        }
        let lanes = match asked.lanes.as_deref() {
            None | Some("group") => LanesBy::Group,
            Some("resource") => LanesBy::Resource,
            Some(_) => return Err(Problem::unreadable("`lanes` is group or resource")),
        };
        let has_one_scale = match asked.scale.as_deref() {
            None => false,
            Some("one") => true,
            Some(_) => return Err(Problem::unreadable("`scale` is one, or left out")),
        };
        Ok(Self {
            asked,
            filter,
            from,
            to,
            lanes,
            has_one_scale,
            zone,
            path,
        })
    }

    /// The value of a key of the address.
    pub(crate) fn asked(&self, key: &str) -> Option<&str> {
        self.asked
            .pairs()
            .into_iter()
            .find_map(|(one, value)| (one == key).then_some(value)?)
    }

    /// The keys of the address that narrow what is shown.
    pub(crate) fn narrowed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = ["ems", "event_type", "group", "level", "outcome", "target", "q"];
        keys.into_iter().filter_map(|key| Some((key, self.asked(key)?)))
    }

    /// Whether the span was chosen by hand.
    pub(crate) fn is_zoomed(&self) -> bool {
        self.asked.from.is_some() || self.asked.to.is_some()
    }

    /// A link to this view with other values; it begins at the newest page unless it names another one.
    pub(crate) fn link(&self, other: &[(&str, Option<&str>)]) -> String {
        let mut address = String::new();
        for (key, value) in self.asked.pairs() {
            let replaced = other.iter().find(|(one, _)| *one == key).map(|(_, value)| *value);
            let value = replaced.unwrap_or(if key == "cursor" { None } else { value });
            if let Some(value) = value {
                let between = if address.is_empty() { '?' } else { '&' };
                address.push(between);
                address.push_str(key);
                address.push('=');
                address.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
            }
        }
        format!("{}{address}", self.path)
    }
}

impl Asked {
    /// In the order of links.
    fn pairs(&self) -> [(&'static str, Option<&str>); 14] {
        [
            ("range", self.range.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("ems", self.ems.as_deref()),
            ("event_type", self.event_type.as_deref()),
            ("group", self.group.as_deref()),
            ("level", self.level.as_deref()),
            ("outcome", self.outcome.as_deref()),
            ("target", self.target.as_deref()),
            ("q", self.q.as_deref()),
            ("lanes", self.lanes.as_deref()),
            ("scale", self.scale.as_deref()),
            ("tz", self.tz.as_deref()),
            ("cursor", self.cursor.as_deref()),
        ]
    }

    /// A form sends every field, also those that nobody filled in.
    fn forget_blanks(&mut self) {
        let all = [
            &mut self.ems,
            &mut self.event_type,
            &mut self.group,
            &mut self.level,
            &mut self.outcome,
            &mut self.target,
            &mut self.q,
            &mut self.from,
            &mut self.to,
            &mut self.range,
            &mut self.lanes,
            &mut self.scale,
            &mut self.tz,
            &mut self.cursor,
        ];
        for value in all {
            value.take_if(|value| value.trim().is_empty());
        }
    }
}

/// A time of the address: RFC 3339, or without an offset in the zone of the page.
fn moment(key: &str, text: &str, zone: &Zone) -> Result<Timestamp, Problem> {
    let local = || {
        text.parse::<civil::DateTime>()
            .ok()
            .and_then(|time| zone.moment_of(time))
    };
    written_time::rfc3339(text).or_else(local).ok_or_else(|| {
        Problem::unreadable(format!(
            "`{key}` is no time; one such as 2026-03-14T15:00:00Z or 2026-03-14T15:00 is expected"
        ))
    })
}
