//! Secrets in what clouds sent: hidden by the names of the keys that they stand under.

use crate::model::json::Found;
use crate::model::json::Outline;
use crate::model::json::Place;
use crate::model::json::Value;
use crate::model::value::MASKED;

/// Words that make a key that of a secret, in the form of [`plain`].
const SECRET: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "accesskeyid",
    "secretaccesskey",
    "privatekey",
    "apikey",
    "credential",
    "cookie",
    "signature",
    "connectionstring",
];
/// Keys that hold such a word and no secret.
const HARMLESS: [&str; 5] = [
    "tokentype",
    "nexttoken",
    "authorizationstatus",
    "signatureversion",
    "credentialtype",
];

/// Hides the values of secret keys, at any depth.
pub(crate) fn mask(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if is_secret(key) && !value.is_null() && value.as_bool().is_none() {
                    hide(value);
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(mask),
        _scalar => {}
    }
}

/// What is within a secret is a part of it; how it is built may be seen.
fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(hide),
        Value::Array(list) => list.iter_mut().for_each(hide),
        Value::Null | Value::Bool(_) => {}
        scalar => *scalar = Value::from(MASKED),
    }
}

fn is_secret(key: &str) -> bool {
    let key = plain(key);
    SECRET.iter().any(|word| key.contains(word)) && !HARMLESS.contains(&&*key)
}

/// `accessKeyId`, `access_key_id` and `Access-Key-ID` are one name.
fn plain(key: &str) -> String {
    let letters = key.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// A JSON text for people: indented, secrets hidden, all else as it is written; one that is no JSON stays as it is.
pub(crate) fn shown(text: &str) -> String {
    let Ok(outline) = Outline::read(text) else {
        return text.to_owned();
    };
    let mut shown = String::with_capacity(text.len());
    write(outline.root(text), 0, false, &mut shown);
    shown
}

fn write(place: Place<'_>, depth: usize, is_hidden: bool, out: &mut String) {
    match place.found() {
        Found::Null => out.push_str("null"),
        Found::Flag(flag) => out.push_str(if flag { "true" } else { "false" }),
        Found::Number(_) | Found::Text(_) if is_hidden => quote(MASKED, out),
        Found::Number(numeral) => out.push_str(numeral),
        Found::Text(text) => quote(text.written(), out),
        Found::List(items) => {
            out.push('[');
            let mut is_empty = true;
            for item in items {
                begin_line(&mut is_empty, depth, out);
                write(item, depth + 1, is_hidden, out);
            }
            end_lines(is_empty, depth, out);
            out.push(']');
        }
        Found::Map(entries) => {
            out.push('{');
            let mut is_empty = true;
            for (key, value) in entries {
                begin_line(&mut is_empty, depth, out);
                quote(key.written(), out);
                out.push_str(": ");
                write(value, depth + 1, is_hidden || is_secret(&key.decode()), out);
            }
            end_lines(is_empty, depth, out);
            out.push('}');
        }
    }
}

fn quote(written: &str, out: &mut String) {
    out.push('"');
    out.push_str(written);
    out.push('"');
}

fn begin_line(is_first: &mut bool, depth: usize, out: &mut String) {
    out.push_str(if *is_first { "\n" } else { ",\n" });
    out.push_str(&"  ".repeat(depth + 1));
    *is_first = false;
}

fn end_lines(is_empty: bool, depth: usize, out: &mut String) {
    if !is_empty {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::model::json::json;

    #[test]
    fn secrets_are_known_by_the_names_of_their_keys() {
        let mut event = json!({
            "accessKeyId": "AKIA1", "Secret_Access_Key": "x", "headers": {"Authorization": ["Bearer a"]},
            "password": null, "token": {"id": 7}, "list": [{"db-password": "p"}],
            "nextToken": "page2", "tokenType": "Bearer", "name": "password", "keyName": "deploy",
        });
        mask(&mut event);
        let expected = json!({
            "accessKeyId": MASKED, "Secret_Access_Key": MASKED, "headers": {"Authorization": [MASKED]},
            "password": null, "token": {"id": MASKED}, "list": [{"db-password": MASKED}],
            "nextToken": "page2", "tokenType": "Bearer", "name": "password", "keyName": "deploy",
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn a_text_is_shown_as_it_is_written() {
        let text = r#"{"n": [18446744073709551616, 1.10, -0, 1e400], "a": 1, "a": {}, "t": "\u00e4\/\n", "e": [],
            "$serde_json::private::RawValue": "{\"injected\": true}",
            "token": {"\u0069d": 7, "on": [null, true, "x"]}}"#;
        expect![[r#"
            {
              "n": [
                18446744073709551616,
                1.10,
                -0,
                1e400
              ],
              "a": 1,
              "a": {},
              "t": "\u00e4\/\n",
              "e": [],
              "$serde_json::private::RawValue": "{\"injected\": true}",
              "token": {
                "\u0069d": "********",
                "on": [
                  null,
                  true,
                  "********"
                ]
              }
            }"#]]
        .assert_eq(&shown(text));
        assert_eq!(shown("no JSON"), "no JSON");
    }
}
