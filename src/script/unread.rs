//! What a cloud answered, as scripts see it: a part that cannot be read costs itself alone.
//!
//! In its place stands something that a script can hand on and not look into. It knows the item of a list that it is a
//! part of, so that an event comes out of a script as the cloud wrote it, whatever is wrong within.

use std::cell::RefCell;
use std::sync::Arc;

use rhai::Array;
use rhai::Dynamic;
use rhai::Engine;
use rhai::Map;
use rhai::Module;

use crate::model::json;
use crate::model::odd_bytes;
use crate::script::json as script_json;

/// How deep an answer may be nested; deeper parts are not read. Less than what may leave a script, as scripts put what
/// they return into lists and maps of their own.
const DEEPEST: usize = 112;
/// How many lists and maps, each within the other, are taken apart around something that cannot be read.
const MOST_SPLITS: usize = 24;
/// Of a large item nothing that is longer than this, in bytes, is shown to a script that must not see all of it ...
const LIGHT: usize = 4 << 10;
/// ... nor a list or map of more entries.
const LIGHT_ENTRIES: usize = 256;

/// A part of an answer that was not read.
#[derive(Clone, Debug)]
pub(crate) struct Unread(Arc<Part>);

#[derive(Debug)]
struct Part {
    whole: Arc<str>,
    reason: String,
}

impl Unread {
    /// The item of the outermost list that it is a part of, as it was written; else the part itself.
    pub(crate) fn whole(&self) -> &Arc<str> {
        &self.0.whole
    }

    /// Why it was not read.
    pub(crate) fn reason(&self) -> &str {
        &self.0.reason
    }
}

/// A loop over something that was not read sees it once.
impl IntoIterator for Unread {
    type Item = Dynamic;
    type IntoIter = std::iter::Once<Dynamic>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(Dynamic::from(self))
    }
}

/// Makes the type and its functions known.
pub(crate) fn register(engine: &mut Engine, module: &mut Module) {
    engine.register_type_with_name::<Unread>("Unread");
    module.set_iterable::<Unread>();
    module.combine_flatten(rhai::exported_module!(functions));
}

#[rhai::export_module]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "rhai offers what is `pub`, and unwraps `self`"
)]
mod functions {
    use crate::script::unread::Unread;

    /// No property of something that could not be read could be read either.
    #[rhai_fn(index_get, pure)]
    pub fn property(unread: &mut Unread, _name: &str) -> Unread {
        unread.clone()
    }

    /// No item of something that could not be read could be read either.
    #[rhai_fn(index_get, pure)]
    pub fn item(unread: &mut Unread, _index: i64) -> Unread {
        unread.clone()
    }
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// Whether characters in it stand for bytes that are no UTF-8: texts with such are not read.
    pub(crate) has_odd_bytes: bool,
    /// Whether what is large is left out, so that a script keeps within its limits.
    pub(crate) light: bool,
}

/// A JSON text, as far as it can be read.
///
/// # Errors
/// Why nothing of it can be read.
pub(crate) fn read(text: &str, how: Reading) -> Result<Dynamic, String> {
    let reader = Reader {
        how,
        latest: RefCell::new(None),
    };
    let value = reader.part(text, None, 0);
    if let Some(unread) = value.read_lock::<Unread>() {
        return Err(unread.reason().to_owned());
    }
    Ok(value)
}

/// The first part of a value that was not read.
pub(crate) fn within(value: &Dynamic) -> Option<Unread> {
    if let Ok(items) = value.as_array_ref() {
        return items.iter().find_map(within);
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().find_map(within);
    }
    value.read_lock::<Unread>().map(|unread| unread.clone())
}

struct Reader<'a> {
    how: Reading,
    /// The item that a part was not read of last: the next one is likely to be of the same.
    latest: RefCell<Option<(&'a str, Arc<str>)>>,
}

impl<'a> Reader<'a> {
    /// A part that lies so deep, within an item of a list or not.
    fn part(&self, text: &'a str, item: Option<&'a str>, depth: usize) -> Dynamic {
        // What is around the items is not large by itself.
        if self.how.light
            && item.is_none()
            && LIGHT < text.len()
            && let Some(value) = self.apart(text, item, depth)
        {
            return value;
        }
        let mut reason = "it is nested too deep".to_owned();
        if let Some(why) = self.left_out(text, item) {
            reason = why.to_owned();
        } else if depth + nesting(text) <= DEEPEST {
            match script_json::parse(text) {
                Ok(value) => return value,
                Err(error) => reason = error.to_string(),
            }
        }
        self.apart(text, item, depth)
            .unwrap_or_else(|| self.unread(item.unwrap_or(text), reason))
    }

    /// Why a part is not to be read as it is.
    fn left_out(&self, text: &str, item: Option<&str>) -> Option<&'static str> {
        if self.how.has_odd_bytes && odd_bytes::has_stand_ins(text) {
            return Some("it is no UTF-8");
        }
        let is_of_large = item.is_some_and(|item| LIGHT < item.len());
        (self.how.light && is_of_large && LIGHT < text.len()).then_some("it is too large")
    }

    /// A list or a map, each of its entries by itself.
    fn apart(&self, text: &'a str, item: Option<&'a str>, depth: usize) -> Option<Dynamic> {
        if MOST_SPLITS <= depth {
            return None;
        }
        let is_too_many = |count: usize| self.how.light && item.is_some() && LIGHT_ENTRIES < count;
        if let Ok(items) = json::elements(text) {
            let own = |own: &'a str| self.part(own, item.or(Some(own)), depth + 1);
            return (!is_too_many(items.len()))
                .then(|| Dynamic::from_array(items.into_iter().map(own).collect::<Array>()));
        }
        let members = json::members(text).ok()?;
        if is_too_many(members.len()) {
            return None;
        }
        let mut map = Map::new();
        for (key, value) in members {
            let is_odd = self.how.has_odd_bytes && odd_bytes::has_stand_ins(key);
            let key = json::read(key).ok().filter(|_| !is_odd)?;
            let (key, value) = (key.as_str()?, self.part(value, item, depth + 1));
            // Of a key that is there twice the last one counts, unless what it would hide is why the item was not read.
            if map.get(key).and_then(within).is_none() {
                map.insert(key.into(), value);
            }
        }
        Some(Dynamic::from_map(map))
    }

    fn unread(&self, whole: &'a str, reason: String) -> Dynamic {
        let mut latest = self.latest.borrow_mut();
        let whole = match &*latest {
            Some((known, shared)) if std::ptr::eq(*known, whole) => shared.clone(),
            _another => latest.insert((whole, Arc::from(whole))).1.clone(),
        };
        Dynamic::from(Unread(Arc::new(Part { whole, reason })))
    }
}

/// How deep a JSON text is nested, by its brackets and quotes alone.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _other => (),
                    }
                }
            }
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _other => (),
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::script::limits::Limits;

    fn partly(text: &str) -> Dynamic {
        read(text, Reading::default()).unwrap()
    }

    /// What a script sees, with `?` for what was not read.
    fn shown(value: &Dynamic) -> String {
        if value.read_lock::<Unread>().is_some() {
            return "?".to_owned();
        }
        if let Ok(items) = value.as_array_ref() {
            let items: Vec<String> = items.iter().map(shown).collect();
            return format!("[{}]", items.join(","));
        }
        if let Ok(map) = value.as_map_ref() {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", shown(value)))
                .collect();
            return format!("{{{}}}", entries.join(","));
        }
        value.to_string()
    }

    #[test]
    fn what_cannot_be_read_costs_itself_alone() {
        for (text, expected) in [
            (r#"{"a":[{"id":"1"}]}"#, "{a:[{id:1}]}"),
            (
                r#"{"a":[{"id":"1"},{"id":"2","note":"cut \ud83d"}]}"#,
                "{a:[{id:1},{id:2,note:?}]}",
            ),
            (
                r#"[{"id":1,"x":NaN},{"id":2,"x":[1,tru]}]"#,
                "[{id:1,x:?},{id:2,x:[1,?]}]",
            ),
            ("[{\"id\":1,\"x\":\"a\tb\"},nonsense]", "[{id:1,x:?},?]"),
            (r#"[{"\ud83d":1,"id":1},2]"#, "[?,2]"),
            (r#"{"cursor":,"more":true}"#, "{cursor:?,more:true}"),
        ] {
            assert_eq!(shown(&partly(text)), expected, "{text}");
            assert_eq!(within(&partly(text)).is_none(), !expected.contains('?'), "{text}");
        }
        for (text, reason) in [
            ("", "EOF"),
            ("<html>", "expected value"),
            ("[1, 2", "EOF"),
            ("{}{}", "trailing"),
        ] {
            let error = read(text, Reading::default()).unwrap_err();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }

    #[test]
    fn it_knows_the_item_of_the_outermost_list() {
        for (text, whole) in [
            (
                r#"{"a":[{"id":2,"note":{"x":["\ud83d"]}}]}"#,
                r#"{"id":2,"note":{"x":["\ud83d"]}}"#,
            ),
            (r#"{"a":[7,nonsense]}"#, "nonsense"),
            (r#"{"a":"\ud83d"}"#, r#""\ud83d""#),
        ] {
            assert_eq!(&**within(&partly(text)).unwrap().whole(), whole, "{text}");
        }
        assert!(within(&partly("[1,{\"a\":[]}]")).is_none());
    }

    #[test]
    fn what_is_nested_too_deep_is_not_read_and_its_neighbours_are() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for (levels, is_whole) in [
            (1, true),
            (100, true),
            (109, true),
            (110, false),
            (100_000, false),
        ] {
            let text = format!(r#"{{"a":[{{"id":1,"note":{}}}]}}"#, deep(levels));
            let read = partly(&text);
            assert_eq!(within(&read).is_none(), is_whole, "{levels}");
            assert!(nesting(&shown(&read)) <= DEEPEST, "{levels}");
        }
    }

    #[test]
    fn what_is_large_is_left_out_where_that_is_asked_for() {
        let light = Reading {
            light: true,
            ..Reading::default()
        };
        let long = "x".repeat(10_000);
        let many = vec!["1"; 3_000].join(",");
        let text = format!(
            r#"{{"a":[{{"id":1,"x":"{long}","y":[{many}],"z":{{"w":"{long}"}}}},{{"id":2}}],"cursor":3}}"#
        );
        let read = read(&text, light).unwrap();
        assert_eq!(shown(&read), "{a:[{id:1,x:?,y:?,z:{w:?}},{id:2}],cursor:3}");
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_not_read() {
        let (text, has_odd_bytes) =
            odd_bytes::text_of(b"[{\"id\":1,\"x\":\"\xff\"},{\"\xfe\":1},{\"id\":2}]".to_vec()).unwrap();
        let read = read(
            &text,
            Reading {
                has_odd_bytes,
                ..Reading::default()
            },
        )
        .unwrap();
        assert_eq!(shown(&read), "[{id:1,x:?},?,{id:2}]");
        let whole = within(&read).unwrap().whole().clone();
        assert_eq!(odd_bytes::bytes_of(&whole), b"{\"id\":1,\"x\":\"\xff\"}");
    }

    #[test]
    fn a_script_hands_it_on_and_does_not_see_into_it() {
        let engine = crate::script::engine::new(&Limits::default());
        let items = partly(r#"[{"id":1,"item":{"x":"\ud83d"}},{"id":2,"item":{"x":"y"}},nonsense]"#);
        let mut scope = rhai::Scope::new();
        scope.push_dynamic("items", items);
        for (script, expected) in [
            ("items.map(|it| it.item)", "[{x:?},{x:y},?]"),
            ("items.map(|it| it.at(\"/item/x/y/z\"))", "[?,,?]"),
            ("items.filter(|it| it.id == 2)", "[{id:2,item:{x:y}}]"),
            ("items.filter(|it| it.item.x != \"y\")", "[{id:1,item:{x:?}},?]"),
            ("let all = []; for it in items[2] { all.push(it.id); } all", "[?]"),
            ("items[2].text_at(\"/id\")", ""),
            ("type_of(items[2])", "Unread"),
        ] {
            let value: Dynamic = engine.eval_with_scope(&mut scope, script).unwrap();
            assert_eq!(shown(&value), expected, "{script}");
        }
    }

    proptest! {
        #[test]
        fn whatever_json_there_is_is_read_as_ever(text in r#"[\[\]{}":,\\ud1e.\-a ]{0,30}"#) {
            if let Ok(value) = script_json::parse(&text) {
                let read = read(&text, Reading::default()).unwrap();
                prop_assert!(within(&read).is_none());
                prop_assert_eq!(shown(&read), shown(&value));
            }
        }

        #[test]
        fn a_bad_item_spoils_no_other(bad in r#"[a-zA-Z0-9.:\\\x01-\x1f]{0,8}"#, before in 0_usize..4, after in 0_usize..4) {
            let items: Vec<String> = (0..before).map(|id| format!("{{\"id\":{id}}}"))
                .chain([format!("{{\"id\":\"bad\",\"x\":{bad}}}")])
                .chain((0..after).map(|id| format!("{{\"id\":{id}}}")))
                .collect();
            let read = partly(&format!("{{\"events\":[{}],\"cursor\":7}}", items.join(",")));
            let map = read.as_map_ref().unwrap();
            let events = map["events"].as_array_ref().unwrap();
            prop_assert_eq!(events.len(), items.len());
            for (event, item) in events.iter().zip(&items) {
                match within(event) {
                    Some(unread) => prop_assert_eq!(&**unread.whole(), item),
                    None => prop_assert!(script_json::parse(item).is_ok()),
                }
            }
        }
    }
}
