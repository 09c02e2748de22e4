//! "Did you mean": the known name that is nearest to an unknown one.

/// The nearest of `known` to `unknown`, if it is near enough to be meant. Letter case does not count.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let length = unknown.chars().count();
    let limit = 1 + length / 4;
    let near = known.into_iter().filter_map(|name| {
        let distance = strsim::damerau_levenshtein(&unknown, &name.to_lowercase());
        (distance <= limit && distance < length).then_some((distance, name))
    });
    near.min().map(|(_, name)| name)
}

/// A help text for an unknown name, or nothing where none is near.
pub fn did_you_mean<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(unknown, known)
        .map(|name| format!("did you mean `{name}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        for (unknown, expected) in [
            ("ems_refres", Some("ems_refresh")),
            ("EMS_REFRESH", Some("ems_refresh")),
            ("wrokers", Some("workers")),
            ("zebra", None),
            ("w", None),
            ("", None),
        ] {
            assert_eq!(
                nearest(unknown, ["ems_refresh", "workers", "event_handling"]),
                expected,
                "{unknown}"
            );
        }
    }
}
