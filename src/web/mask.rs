//! Secrets in what clouds sent: hidden by the names of the keys that they stand under.

use serde_json::Value;

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
                if is_secret(key) && !value.is_null() && !value.is_boolean() {
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

/// A JSON text for people: indented, secrets hidden; one that is no JSON stays as it is.
pub(crate) fn shown(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    mask(&mut value);
    serde_json::to_string_pretty(&value).unwrap_or_else(|_error| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
