//! Any text as a URI, a path and a query: what is printed reads as the same again.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use switchboard::model::ae_path::AePath;
use switchboard::model::ae_path::AeUri;
use switchboard::model::ae_path::DATASTORE;
use switchboard::model::ae_path::pairs_to_query;
use switchboard::model::ae_path::query_to_pairs;

fuzz_target!(|text: &str| {
    if let Ok(uri) = AeUri::parse(text, DATASTORE) {
        let _message = uri.message();
        if let Some(path) = &uri.path {
            let _split = AePath::split(path);
            let _attribute = AePath::split_attribute(path);
        }
    }
    let mut pairs = query_to_pairs(text);
    pairs.sort();
    let query = pairs_to_query(
        pairs
            .iter()
            .map(|(key, value)| (key.as_str(), Cow::Borrowed(value.as_str()))),
    );
    let mut again = query_to_pairs(&query);
    again.sort();
    assert_eq!(pairs, again, "{text:?} was printed as {query}");
});
