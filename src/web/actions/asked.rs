//! What a request to do something carries: JSON, or the fields of a form on a page, which leads back to its page.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use percent_encoding::percent_decode_str;

use crate::model::json;
use crate::model::json::Value;
use crate::source::suggest;
use crate::web::Shared;
use crate::web::pages::problem::PageProblem;
use crate::web::problem::Problem;

/// A field of every form: where to go afterwards.
const OF_FORMS: &str = "back";
/// Where a form leads that does not say so.
const BACK: &str = "/operations";

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    fields: Vec<(String, String)>,
    is_form: bool,
}

impl FromRequest<Arc<Shared>> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let body = Bytes::from_request(request, shared).await;
        let body = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Ok(Self {
                fields: form(&body),
                is_form: true,
            }),
            "application/json" => Self::of_json(&body),
            "" if body.is_empty() => Ok(Self::default()),
            _other => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this is neither JSON nor a form",
            )
            .help("send application/json or application/x-www-form-urlencoded")),
        }
    }
}

impl Asked {
    fn of_json(body: &[u8]) -> Result<Self, Problem> {
        let unreadable = |why: String| Problem::unreadable(format!("the body is no JSON object: {why}"));
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let value: Value = json::read_bytes(body).map_err(|error| unreadable(error.to_string()))?;
        let Value::Object(map) = value else {
            return Err(unreadable("`{\"key\": value}` is expected".to_owned()));
        };
        let mut fields = Vec::new();
        for (key, value) in map {
            let values = match value {
                Value::Array(values) => values,
                Value::Null => continue,
                one => vec![one],
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text,
                    Value::Bool(flag) => flag.to_string(),
                    Value::Number(number) => number.to_string(),
                    _other => {
                        return Err(Problem::unreadable(format!(
                            "`{key}` is a text or a list of texts"
                        )));
                    }
                };
                fields.push((key.clone(), text));
            }
        }
        Ok(Self {
            fields,
            is_form: false,
        })
    }

    /// Refuses fields that nobody reads.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let is_known = |name: &str| known.contains(&name) || (self.is_form && name == OF_FORMS);
        match self.fields.iter().find(|(name, _)| !is_known(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let expected = match known {
                    [] => "nothing is expected".to_owned(),
                    known => format!("expected are {}", known.join(", ")),
                };
                let help = suggest::did_you_mean(name, known.iter().copied());
                Err(Problem::unreadable(format!("`{name}` is not read; {expected}")).help(help))
            }
        }
    }

    /// The value of a field that is there and not blank.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a field.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.fields.iter().filter(move |(known, _)| known == name);
        of_name
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The answer: JSON to a program, the way back to a person.
    pub(crate) fn answer(&self, done: Result<Value, Problem>) -> Response {
        match (done, self.is_form) {
            (Ok(done), false) => Json(done).into_response(),
            (Ok(_done), true) => Redirect::to(self.back()).into_response(),
            (Err(problem), false) => problem.into_response(),
            (Err(problem), true) => PageProblem(problem).into_response(),
        }
    }

    /// A page of this place, never one of another.
    fn back(&self) -> &str {
        let is_ours = |path: &&str| {
            let is_plain = path.chars().all(|c| !c.is_control() && c != '\\');
            path.starts_with('/') && !path.starts_with("//") && is_plain
        };
        self.one("back").filter(is_ours).unwrap_or(BACK)
    }
}

/// The fields of a form.
fn form(body: &[u8]) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let body = String::from_utf8_lossy(body);
    let pairs = body.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_a_page_of_this_place_only() {
        for (body, expected) in [
            ("back=%2Frules%3Fq%3Da+b", "/rules?q=a b"),
            ("back=//evil.example/", BACK),
            ("back=https://evil.example/", BACK),
            ("back=/%5Cevil.example", BACK),
            ("back=/a%0d%0aSet-Cookie:x", BACK),
            ("", BACK),
        ] {
            let asked = Asked {
                fields: form(body.as_bytes()),
                is_form: true,
            };
            assert_eq!(asked.back(), expected, "{body}");
        }
    }

    #[test]
    fn json_and_forms_say_the_same() {
        let json =
            Asked::of_json(br#"{"ems": "a b", "targets": ["vms:1", "vms:2"], "full": true, "x": null}"#);
        let json = json.unwrap();
        let form = form(b"ems=a+b&targets=vms%3A1&targets=vms:2&full=true&");
        assert_eq!(json.fields, form);
        for wrong in ["[]", "{\"ems\": {}}", "nothing"] {
            assert!(Asked::of_json(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
