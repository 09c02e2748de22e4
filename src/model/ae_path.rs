//! AePath and AeUri: the address of an object in the datastore, and how it is written
//! (ManageIQ's MiqAePath and MiqAeUri; reference section 2).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

/// What is encoded in an argument: all but letters, digits and these four.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'-')
    .remove(b'.')
    .remove(b'~');

/// The scheme of objects in the datastore, taken where a relationship gives none.
pub const DATASTORE: &str = "miqaedb";
/// The scheme of objects already in the workspace, taken where a substitution gives none.
pub const WORKSPACE: &str = "miqaews";

/// A text that is no URI (InvalidPathFormat).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid path: {why}")]
pub struct InvalidPathFormat {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: Cow<'static, str>,
}

/// A parsed URI: `scheme:/Namespace/Class/Instance?key=value#message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AeUri {
    /// Lower case; `miqae` is read as [`WORKSPACE`].
    pub scheme: Cow<'static, str>,
    /// None for `scheme:something` without a slash behind the colon.
    pub path: Option<String>,
    /// The arguments, still encoded.
    pub query: Option<String>,
    /// The message, as written.
    pub fragment: Option<String>,
}

impl AeUri {
    /// Parses a URI (reference 2.1): runs of slashes become one, surrounding white space is dropped.
    ///
    /// # Errors
    /// [`InvalidPathFormat`] names the first thing that RFC 3986 does not allow.
    pub fn parse(text: &str, default_scheme: &'static str) -> Result<Self, InvalidPathFormat> {
        Self::parse_with(text, default_scheme, &|_| false)
    }

    /// As [`AeUri::parse`], with `opaque` characters allowed anywhere a path character is:
    /// they stand for texts that are put in later and are no part of the syntax.
    ///
    /// # Errors
    /// As [`AeUri::parse`].
    pub fn parse_with(
        text: &str,
        default_scheme: &'static str,
        opaque: &dyn Fn(char) -> bool,
    ) -> Result<Self, InvalidPathFormat> {
        let invalid = |why: Cow<'static, str>| InvalidPathFormat {
            text: text.to_owned(),
            why,
        };
        let collapsed = collapse_slashes(text.trim());
        if let Some(foreign) = collapsed.chars().find(|c| !c.is_ascii() && !opaque(*c)) {
            return Err(invalid(format!("`{foreign}` is not ASCII").into()));
        }
        let (rest, fragment) = split_off(&collapsed, '#');
        let (rest, query) = split_off(rest, '?');
        let (scheme, path) = match scheme_of(rest) {
            Some((scheme, path)) => (known_scheme(scheme), path.starts_with('/').then_some(path)),
            None => (Cow::Borrowed(default_scheme), Some(rest)),
        };
        let path_to_check = path.unwrap_or(rest);
        if let Some(why) = illegal(path_to_check, |c| is_path_char(c) || opaque(c)) {
            return Err(invalid(why));
        }
        if let Some(why) = illegal(fragment.unwrap_or(""), |c| {
            is_path_char(c) || c == '?' || opaque(c)
        }) {
            return Err(invalid(why));
        }
        if scheme_of(rest).is_none() && rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err(invalid(
                "the first part of a path without scheme contains `:`".into(),
            ));
        }
        let owned = |part: Option<&str>| part.map(str::to_owned);
        Ok(Self {
            scheme,
            path: owned(path),
            query: owned(query),
            fragment: owned(fragment),
        })
    }

    /// The message, lower case; `create` where there is none (2.4).
    pub fn message(&self) -> Arc<str> {
        match self
            .fragment
            .as_deref()
            .filter(|fragment| !fragment.trim().is_empty())
        {
            Some(fragment) => Arc::from(fragment.to_lowercase()),
            None => Arc::from("create"),
        }
    }

    /// The arguments, decoded.
    pub fn arguments(&self) -> Vec<(String, String)> {
        self.query.as_deref().map(query_to_pairs).unwrap_or_default()
    }
}

/// `scheme:` is printed always, and a missing leading slash is added.
impl fmt::Display for AeUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        if let Some(path) = &self.path {
            write!(f, "{}{path}", if path.starts_with('/') { "" } else { "/" })?;
        }
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        self.fragment
            .as_ref()
            .map_or(Ok(()), |fragment| write!(f, "#{fragment}"))
    }
}

/// The text with every run of slashes made one.
pub fn collapse_slashes(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '/' || !collapsed.ends_with('/') {
            collapsed.push(c);
        }
    }
    collapsed
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut chars = scheme.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    let goes_on_well = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (starts_well && goes_on_well).then_some((scheme, rest))
}

fn known_scheme(scheme: &str) -> Cow<'static, str> {
    match scheme.to_ascii_lowercase().as_str() {
        DATASTORE => Cow::Borrowed(DATASTORE),
        "miqae" | WORKSPACE => Cow::Borrowed(WORKSPACE),
        other => Cow::Owned(other.to_owned()),
    }
}

fn is_path_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!$&'()*+,-./:;=@_~%".contains(c)
}

fn illegal(text: &str, allowed: impl Fn(char) -> bool) -> Option<Cow<'static, str>> {
    if let Some(wrong) = text.chars().find(|c| !allowed(*c)) {
        return Some(format!("`{}` is not allowed there", wrong.escape_debug()).into());
    }
    let bare_percent = text.split('%').skip(1).any(|after| {
        let mut digits = after.chars();
        !(0..2).all(|_| digits.next().is_some_and(|digit| digit.is_ascii_hexdigit()))
    });
    bare_percent.then_some(Cow::Borrowed("`%` needs two hexadecimal digits behind it"))
}

/// The arguments of a query (2.2): of `a=b=c` only `a=b` counts, the last of equal keys wins.
pub fn query_to_pairs(query: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let mut sides = piece.split('=');
        let key = decode(sides.next().unwrap_or(""));
        let value = decode(sides.next().unwrap_or(""));
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some(pair) => pair.1 = value,
            None => pairs.push((key, value)),
        }
    }
    pairs
}

/// A query from arguments (2.2): sorted by key, everything but letters, digits and `_-.~` encoded.
pub fn pairs_to_query<'a>(pairs: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>) -> String {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort();
    let mut query = String::with_capacity(pairs.iter().map(|(key, value)| key.len() + value.len() + 2).sum());
    for (key, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        encode(key, &mut query);
        query.push('=');
        encode(&value, &mut query);
    }
    query
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: &u8| {
            char::from(*byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        match (first, after) {
            (b'%', [high, low, behind @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                bytes.push(hex(high).unwrap_or(0) << 4 | hex(low).unwrap_or(0));
                rest = behind;
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encode(text: &str, into: &mut String) {
    into.extend(utf8_percent_encode(text, ENCODED));
}

/// A datastore path split into its parts (2.3); parts keep their spelling and are not decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AePath {
    /// `Domain/Name/Space`, `Name/Space`, or empty.
    pub namespace: String,
    /// None for a path of one part.
    pub class: Option<String>,
    /// None for a path that ends in a slash.
    pub instance: Option<String>,
}

impl AePath {
    /// Splits `/Namespace/Class/Instance`.
    pub fn split(path: &str) -> Self {
        let (namespace, class, instance) = Self::parts(path);
        Self {
            namespace: namespace.to_owned(),
            class: class.map(str::to_owned),
            instance: instance.map(str::to_owned),
        }
    }

    /// Namespace, class and instance of a path, as [`AePath::split`] gives them, without a copy.
    pub fn parts(path: &str) -> (&str, Option<&str>, Option<&str>) {
        let (rest, instance) = last_part(path.strip_prefix('/').unwrap_or(path));
        let (namespace, class) = last_part(rest.unwrap_or(""));
        (namespace.unwrap_or(""), class, instance)
    }

    /// Splits `/Namespace/Class/Instance/attribute`: the attribute, and the path before it.
    pub fn split_attribute(path: &str) -> (Self, Option<String>) {
        let (rest, attribute) = last_part(path.strip_prefix('/').unwrap_or(path));
        (Self::split(rest.unwrap_or("")), attribute.map(str::to_owned))
    }
}

/// The part behind the last slash, none where that is empty; and what stands before.
fn last_part(text: &str) -> (Option<&str>, Option<&str>) {
    match text.rsplit_once('/') {
        Some((before, last)) => (Some(before), Some(last).filter(|last| !last.is_empty())),
        None => (None, Some(text).filter(|text| !text.is_empty())),
    }
}

/// No instance prints a trailing slash; nothing at all prints nothing.
impl fmt::Display for AePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() && self.class.is_none() && self.instance.is_none() {
            return Ok(());
        }
        if !self.namespace.is_empty() {
            write!(f, "/{}", self.namespace)?;
        }
        if let Some(class) = &self.class {
            write!(f, "/{class}")?;
        }
        write!(f, "/{}", self.instance.as_deref().unwrap_or(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_split_as_in_section_2_1() {
        let some = |text: &str| Some(text.to_owned());
        for (text, scheme, path, query, fragment) in [
            (
                "/A/B/c?x=1#Ping",
                DATASTORE,
                some("/A/B/c"),
                some("x=1"),
                some("Ping"),
            ),
            ("  //A///B/c ", DATASTORE, some("/A/B/c"), None, None),
            ("miqaedb:///A/B/c", DATASTORE, some("/A/B/c"), None, None),
            ("miqaedb:A/B/c", DATASTORE, None, None, None),
            (
                "/A/B/c?u=http://h//p",
                DATASTORE,
                some("/A/B/c"),
                some("u=http:/h/p"),
                None,
            ),
            (
                "/A/B/c?note=my item",
                DATASTORE,
                some("/A/B/c"),
                some("note=my item"),
                None,
            ),
            ("Vm::vm/x", "vm", None, None, None),
            ("MIQAE:/A", WORKSPACE, some("/A"), None, None),
        ] {
            let uri = AeUri::parse(text, DATASTORE).unwrap();
            assert_eq!(
                (&*uri.scheme, uri.path, uri.query, uri.fragment),
                (scheme, path, query, fragment),
                "{text}"
            );
        }
        for text in ["/A/B/my item", "/A/B/é", "/A/%4", "/A#x#y", "/A/[b]", "1a:b/c"] {
            assert!(AeUri::parse(text, DATASTORE).is_err(), "{text}");
        }
    }

    #[test]
    fn queries_are_read_and_written_as_in_section_2_2() {
        let pairs = query_to_pairs("a=b=c&t2=x%20y+z&flag&&a=d");
        let expected = [("a", "d"), ("t2", "x y z"), ("flag", "")];
        assert_eq!(
            pairs,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        let query = pairs_to_query([("b", "x y".into()), ("A::c", "5".into())]);
        assert_eq!(query, "A%3A%3Ac=5&b=x%20y");
    }

    #[test]
    fn paths_are_split_and_printed_as_in_section_2_3() {
        for (text, namespace, class, instance, printed) in [
            ("/A/B/c", "A", Some("B"), Some("c"), "/A/B/c"),
            (
                "/Dom/A/Sub/B/c",
                "Dom/A/Sub",
                Some("B"),
                Some("c"),
                "/Dom/A/Sub/B/c",
            ),
            ("/A/B/", "A", Some("B"), None, "/A/B/"),
            ("B/c", "", Some("B"), Some("c"), "/B/c"),
            ("c", "", None, Some("c"), "/c"),
            ("", "", None, None, ""),
        ] {
            let path = AePath::split(text);
            assert_eq!(
                (&*path.namespace, path.class.as_deref(), path.instance.as_deref()),
                (namespace, class, instance),
                "{text}"
            );
            assert_eq!(path.to_string(), printed);
        }
    }
}
