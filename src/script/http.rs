//! `http`: the API of the manager whose inventory is collected. Only a collector has it, and only while it runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use rhai::Array;
use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::Map;
use rhai::Module;

use crate::model::api_call::ApiAnswer;
use crate::model::api_call::ApiCall;
use crate::model::api_call::ManagerApi;
use crate::model::json::without_mark;
use crate::script::convert;
use crate::script::json;
use crate::script::limits;
use crate::script::unread;
use crate::script::unread::Reading;

/// What a script holds; what stands behind it is lent to the thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpHandle;

thread_local! {
    static LENT: RefCell<Option<Arc<dyn ManagerApi>>> = const { RefCell::new(None) };
}

/// Takes the API back when it is dropped.
pub(crate) struct Loan;

/// Lends an API to the scripts of this thread.
pub(crate) fn lend(api: &Arc<dyn ManagerApi>) -> Loan {
    LENT.with_borrow_mut(|lent| *lent = Some(api.clone()));
    Loan
}

impl Drop for Loan {
    fn drop(&mut self) {
        LENT.with_borrow_mut(|lent| *lent = None);
    }
}

/// Makes `http` and its functions known.
pub(crate) fn register(engine: &mut Engine, module: &mut Module) {
    engine.register_type_with_name::<HttpHandle>("Http");
    module.set_var("http", HttpHandle);
    module.combine_flatten(rhai::exported_module!(functions));
}

#[rhai::export_module]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "rhai offers what is `pub`, and unwraps `self`"
)]
mod functions {
    use rhai::Array;
    use rhai::Dynamic;
    use rhai::Map;

    use crate::script::http;
    use crate::script::http::HttpHandle;
    use crate::script::http::Result;

    /// Reads a path of the manager's API, from `/`. Returns `#{ status, headers, body }`, the body as parsed JSON. The
    /// status is 2xx, or 404 or 410 for what is not there; any other answer, or none, is an error. What asks for
    /// patience is asked again by itself.
    #[rhai_fn(name = "get", pure, return_raw)]
    pub fn get(_http: &mut HttpHandle, path: &str) -> Result<Dynamic> {
        http::get_all(vec![path.into()], &Map::new()).map(http::only)
    }

    /// The same with options: `#{ query: #{ limit: 100 }, headers: #{ authorization: "Bearer ${credentials}" } }`.
    #[rhai_fn(name = "get", pure, return_raw)]
    pub fn get_with(_http: &mut HttpHandle, path: &str, options: Map) -> Result<Dynamic> {
        http::get_all(vec![path.into()], &options).map(http::only)
    }

    /// Reads several paths side by side, and returns the answers in their order.
    #[rhai_fn(name = "get_all", pure, return_raw)]
    pub fn get_all(_http: &mut HttpHandle, paths: Array) -> Result<Array> {
        http::get_all(paths, &Map::new())
    }

    /// The same with options, which hold for each of them.
    #[rhai_fn(name = "get_all", pure, return_raw)]
    pub fn get_all_with(_http: &mut HttpHandle, paths: Array, options: Map) -> Result<Array> {
        http::get_all(paths, &options)
    }

    /// Says how far the collection is, for people who watch it.
    #[rhai_fn(pure, return_raw)]
    pub fn progress(_http: &mut HttpHandle, text: &str) -> Result<()> {
        http::progress(text)
    }
}

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

fn api() -> Result<Arc<dyn ManagerApi>> {
    let lent = LENT.with_borrow(Clone::clone);
    lent.ok_or_else(|| {
        "`http` is there for `collect` and `collect_all` of an inventory_collector.rhai only".into()
    })
}

fn get_all(paths: Array, options: &Map) -> Result<Array> {
    let api = api()?;
    if let Some(unknown) = options
        .keys()
        .find(|key| !["query", "headers"].contains(&key.as_str()))
    {
        return Err(format!("`http.get` has no option `{unknown}`; it takes `query` and `headers`").into());
    }
    let (query, headers) = (pairs(options, "query")?, pairs(options, "headers")?);
    let call = |path: Dynamic| match path.into_immutable_string() {
        Ok(path) => Ok(ApiCall {
            path: path.into(),
            query: query.clone(),
            headers: headers.clone(),
        }),
        Err(other) => Err(format!("a path has to be a text, this is of type {other}")),
    };
    let calls: Vec<ApiCall> = paths
        .into_iter()
        .map(call)
        .collect::<std::result::Result<_, String>>()?;
    let began = Instant::now();
    let answers = api.call(&calls);
    limits::waited(began.elapsed());
    let answers = calls.iter().zip(answers?);
    answers.map(|(call, answer)| read(call, answer)).collect()
}

fn only(mut answers: Array) -> Dynamic {
    answers.pop().unwrap_or(Dynamic::UNIT)
}

fn pairs(options: &Map, name: &str) -> Result<Vec<(String, String)>> {
    let Some(given) = options.get(name).filter(|given| !given.is_unit()) else {
        return Ok(Vec::new());
    };
    let map = given
        .as_map_ref()
        .map_err(|found| format!("`{name}` has to be a map, this is of type {found}"))?;
    let pair = |(key, value): (&_, &Dynamic)| {
        let key: &rhai::Identifier = key;
        if value.is_unit() {
            return Ok(None);
        }
        let text = match json::to_number(value) {
            Some(number) => number
                .name()
                .map_err(|error| format!("`{name}.{key}`: {error}"))?,
            None if value.is_string() || value.is_bool() => value.to_string(),
            None => {
                return Err(format!(
                    "`{name}.{key}` has to be a text, this is of type {}",
                    value.type_name()
                ));
            }
        };
        Ok(Some((key.to_string(), text)))
    };
    let pairs: std::result::Result<Vec<_>, String> = map
        .iter()
        .map(pair)
        .filter_map(std::result::Result::transpose)
        .collect();
    Ok(pairs?)
}

fn read(call: &ApiCall, answer: ApiAnswer) -> Result<Dynamic> {
    let text = |text: &str| Dynamic::from(ImmutableString::from(text));
    let body = match without_mark(&answer.body).trim() {
        "" => Dynamic::UNIT,
        body => {
            let no_json = |error| format!("the answer to GET {} is no JSON: {error}", call.path);
            let how = Reading {
                has_odd_bytes: answer.has_odd_bytes,
                light: false,
            };
            unread::read(body, how).map_err(no_json)?
        }
    };
    let headers: BTreeMap<_, _> = answer.headers;
    let headers: Map = headers
        .iter()
        .map(|(name, value)| (name.into(), text(value)))
        .collect();
    Ok(Map::from([
        ("status".into(), i64::from(answer.status).into()),
        ("headers".into(), headers.into()),
        ("body".into(), body),
    ])
    .into())
}

fn progress(text: &str) -> Result<()> {
    let api = api()?;
    if limits::may_put_out() {
        api.progress(convert::clip(text));
    }
    Ok(())
}
