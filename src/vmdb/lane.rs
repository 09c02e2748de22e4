//! The lane of an event: what has to be handled in the order in which it came.

use std::sync::Arc;

use crate::crash_point::planted_bug;
use crate::model::ems::EmsId;
use crate::model::event::EventHash;

/// The keys of a hash that name the resource an event is about, the closest first.
const RESOURCES: &[&str] = &[
    "vm_ems_ref",
    "vm_uid_ems",
    "vm_name",
    "host_ems_ref",
    "host_uid_ems",
];
/// What many resources have in common, so that it orders nothing.
const SHARED: &[&str] = &["availability_zone_ems_ref", "ems_cluster_ems_ref"];

/// The lane of an event: manager and resource. None where it names no resource: it waits for nobody.
pub(crate) fn lane_of(ems_id: EmsId, hash: &EventHash) -> Option<Arc<str>> {
    planted_bug!(
        "lane_by_event",
        return hash.event_key.as_ref().map(|key| key.0.clone())
    );
    let named = RESOURCES.iter().find_map(|key| Some((*key, hash.text(key)?)));
    let (key, resource) = named.or_else(|| {
        let keys = hash.attributes.keys().map(|key| &**key);
        let mut refs = keys.filter(|key| {
            let is_ref = key.ends_with("_ems_ref") || key.ends_with("_uid_ems");
            is_ref && !key.starts_with("dest_") && !SHARED.contains(key)
        });
        refs.find_map(|key| Some((key, hash.text(key)?)))
    })?;
    let kind = key
        .strip_suffix("_ems_ref")
        .or(key.strip_suffix("_uid_ems"))
        .unwrap_or(key);
    Some(format!("{ems_id}/{kind}/{resource}").into())
}
