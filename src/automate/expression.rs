//! Expression methods: a query over records, its answer written to an attribute (reference 6.8).

use std::cmp::Ordering;
use std::sync::Arc;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Workspace;
use crate::model::json::Number;
use crate::model::value::Record;
use crate::model::value::Value;
use crate::model::value::ValueMap;
use crate::model::value::is_secret_column;
use crate::source::yaml::Content;
use crate::source::yaml::Node;

/// Runs a query with the inputs of its method.
pub(crate) fn run(workspace: &mut Workspace, text: &str, inputs: &[(Arc<str>, Value)]) -> Ae<Value> {
    let input = |name: &str| {
        inputs
            .iter()
            .find(|(key, _)| &**key == name)
            .map(|(_, value)| value)
    };
    let text_of = |name: &str, default: &str| {
        input(name)
            .filter(|value| !value.is_blank())
            .map_or_else(|| default.to_owned(), ToString::to_string)
    };
    let (class, filter) = read(text)?;
    let mut tokens = Tokens {
        arguments: (1..).map(|number| input(&format!("arg{number}")).cloned()),
    };
    let target = text_of("result_obj", ".");
    let object = workspace.lookup(&target).ok().flatten().ok_or_else(|| {
        AeError::engine(
            "MethodExpressionTargetObjectMissing",
            format!("`result_obj` is `{target}`; no object of this run is found there"),
        )
    })?;
    let condition = tokens.bind(&filter)?;
    let mut found = Vec::new();
    for record in workspace.env.records.all(&class) {
        if condition.holds(&*record)? {
            found.push(record);
        }
    }
    let columns = columns(input("distinct").or_else(|| input("attributes")));
    let result_type = text_of("result_type", "dialog_hash");
    if found.is_empty() {
        return on_empty(
            workspace,
            object,
            &text_of("on_empty", "error"),
            &text_of("result_attr", "values"),
            input("default"),
        );
    }
    let result = match result_type.as_str() {
        "hash" => found
            .first()
            .map_or(Ok(Value::Null), |record| hash(&**record, &columns))?,
        "dialog_hash" => {
            let key = text_of("key", "id");
            let first = columns.first().map_or("name", String::as_str);
            let pairs = found.iter().map(|record| {
                Ok((
                    Arc::from(column(&**record, &key)?.to_string()),
                    column(&**record, first)?,
                ))
            });
            Value::Map(Arc::new(pairs.collect::<Ae<ValueMap>>()?))
        }
        "array" => array(&found, &columns, input("distinct").is_some())?,
        "simple" => match (found.first(), columns.first()) {
            (Some(record), Some(name)) => column(&**record, name)?,
            _nothing => Value::Null,
        },
        other => {
            let known = ["hash", "dialog_hash", "array", "simple"];
            let help = crate::source::suggest::did_you_mean(other, known);
            return Err(AeError::engine(
                "MethodExpressionResultTypeInvalid",
                format!(
                    "`{other}` is no result_type; {} are{}",
                    known.join(", "),
                    if help.is_empty() {
                        help
                    } else {
                        format!("; {help}")
                    }
                ),
            ));
        }
    };
    let attribute = text_of("result_attr", "values").to_lowercase();
    if let Some(object) = workspace.object_mut(object) {
        object.set(&attribute, result);
    }
    workspace.set_root_attribute("ae_result", Value::text("ok"));
    Ok(Value::Int(0))
}

fn on_empty(
    workspace: &mut Workspace,
    object: usize,
    what: &str,
    attribute: &str,
    default: Option<&Value>,
) -> Ae<Value> {
    if what == "abort" {
        return Err(AeError::engine(
            "AbortInstantiation",
            "the query found nothing, and `on_empty` is `abort`",
        ));
    }
    workspace.set_root_attribute(
        "ae_result",
        Value::text(if what == "warn" { "warn" } else { "error" }),
    );
    if let (Some(default), Some(object)) = (default.filter(|_| what == "warn"), workspace.object_mut(object))
    {
        object.set(&attribute.to_lowercase(), default.clone());
    }
    Ok(Value::Int(0))
}

fn columns(given: Option<&Value>) -> Vec<String> {
    match given {
        Some(Value::List(items)) if !items.is_empty() => items.iter().map(ToString::to_string).collect(),
        Some(value) if !value.is_blank() => vec![value.to_string()],
        _default => vec!["name".to_owned()],
    }
}

fn column(record: &dyn Record, name: &str) -> Ae<Value> {
    let missing = || {
        AeError::engine(
            "MethodNotDefined",
            format!(
                "{} has no column `{name}`; look at the names in the filter and in `attributes`",
                record.class()
            ),
        )
    };
    record
        .column(name)
        .filter(|_| !is_secret_column(name))
        .ok_or_else(missing)
}

fn hash(record: &dyn Record, columns: &[String]) -> Ae<Value> {
    let pairs = columns
        .iter()
        .map(|name| Ok((Arc::from(name.as_str()), column(record, name)?)));
    Ok(Value::Map(Arc::new(pairs.collect::<Ae<ValueMap>>()?)))
}

fn array(found: &[Arc<dyn Record>], columns: &[String], distinct: bool) -> Ae<Value> {
    let mut rows: Vec<Value> = Vec::new();
    for record in found {
        let row = match columns {
            [one] => column(&**record, one)?,
            many => Value::list(
                many.iter()
                    .map(|name| column(&**record, name))
                    .collect::<Ae<Vec<_>>>()?,
            ),
        };
        if !distinct || !rows.contains(&row) {
            rows.push(row);
        }
    }
    Ok(Value::list(rows))
}

/// The model and the filter of a query.
fn read(text: &str) -> Ae<(String, Node)> {
    if text.trim().is_empty() {
        return Err(AeError::engine(
            "MethodExpressionEmpty",
            "the method has no `data`; a map with `:db` and `:expression` is expected",
        ));
    }
    let invalid = |why: String| {
        AeError::engine(
            "MethodExpressionInvalid",
            format!("the method's `data` is no query: {why}"),
        )
    };
    let node = Node::parse(text).map_err(|error| invalid(error.message))?;
    let part = |name: &str| node.get(&format!(":{name}")).or_else(|| node.get(name)).cloned();
    let class = part("db")
        .as_ref()
        .and_then(Node::text)
        .map(str::to_owned)
        .ok_or_else(|| invalid("`:db` names no model".to_owned()))?;
    let filter = part("expression").ok_or_else(|| invalid("`:expression` is missing".to_owned()))?;
    // The exporter wraps the tree once more.
    let filter = filter.get("exp").cloned().unwrap_or(filter);
    Ok((class, filter))
}

/// Fills the tokens for user input, in order.
struct Tokens<I> {
    arguments: I,
}

/// A filter with its values.
enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        operator: String,
        field: String,
        value: Value,
    },
}

impl<I: Iterator<Item = Option<Value>>> Tokens<I> {
    fn bind(&mut self, node: &Node) -> Ae<Condition> {
        let invalid = |why: String| {
            AeError::engine(
                "MethodExpressionInvalid",
                format!("the method's `data` is no query: {why}"),
            )
        };
        let Content::Map(entries) = &node.content else {
            return Err(invalid(format!("a map was expected, this is {}", node.kind())));
        };
        let entry = entries
            .iter()
            .find(|entry| !matches!(entry.key.as_str(), "token" | "context_type" | "col_details"))
            .ok_or_else(|| invalid("an empty filter".to_owned()))?;
        let comparison = &entry.value;
        match (entry.key.to_lowercase().as_str(), &comparison.content) {
            ("and", Content::List(parts)) => Ok(Condition::And(
                parts.iter().map(|part| self.bind(part)).collect::<Ae<_>>()?,
            )),
            ("or", Content::List(parts)) => Ok(Condition::Or(
                parts.iter().map(|part| self.bind(part)).collect::<Ae<_>>()?,
            )),
            ("not" | "!", _part) => Ok(Condition::Not(Box::new(self.bind(comparison)?))),
            (operator, _comparison) => {
                let field = comparison
                    .get("field")
                    .and_then(Node::text)
                    .ok_or_else(|| invalid(format!("`{operator}` names no field")))?;
                let field = field.rsplit(['-', '.']).next().unwrap_or(field).to_owned();
                let value = match comparison.get("value").map(|value| &value.content) {
                    Some(Content::Text { text, .. }) if text == ":user_input" => self.arguments.next().flatten().ok_or_else(|| {
                        AeError::engine("MethodParameterNotFound", "the query asks for an input that is not given; declare arg1, arg2, … in order")
                    })?,
                    Some(Content::Text { text, .. }) => Value::text(text.as_str()),
                    Some(Content::List(items)) => Value::list(items.iter().filter_map(Node::text).map(Value::text)),
                    _nothing => Value::Null,
                };
                Ok(Condition::Compare {
                    operator: operator.to_owned(),
                    field,
                    value,
                })
            }
        }
    }
}

impl Condition {
    fn holds(&self, record: &dyn Record) -> Ae<bool> {
        match self {
            Self::And(parts) => parts
                .iter()
                .try_fold(true, |all, part| Ok(all && part.holds(record)?)),
            Self::Or(parts) => parts
                .iter()
                .try_fold(false, |any, part| Ok(any || part.holds(record)?)),
            Self::Not(part) => Ok(!part.holds(record)?),
            Self::Compare {
                operator,
                field,
                value,
            } => compare(operator, &column(record, field)?, value),
        }
    }
}

fn number(text: &str) -> Option<Number> {
    Number::read(text).or_else(|| text.parse().ok().map(Number::Float))
}

fn compare(operator: &str, found: &Value, wanted: &Value) -> Ae<bool> {
    let (text, wanted_text) = (found.to_string(), wanted.to_string());
    let numbers = number(&text).zip(number(&wanted_text));
    let order = match numbers {
        Some((a, b)) => a.compare(&b).unwrap_or(Ordering::Equal),
        None => text.cmp(&wanted_text),
    };
    Ok(match operator {
        "=" | "equal" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" | "before" => order == Ordering::Less,
        ">" | "after" => order == Ordering::Greater,
        "<=" => order != Ordering::Greater,
        ">=" => order != Ordering::Less,
        "like" | "includes" => text.contains(&wanted_text),
        "not like" => !text.contains(&wanted_text),
        "starts with" => text.starts_with(&wanted_text),
        "ends with" => text.ends_with(&wanted_text),
        "is null" | "is empty" => found.is_blank(),
        "is not null" | "is not empty" => !found.is_blank(),
        "contains" | "includes any" => match found {
            Value::List(items) => items.contains(wanted),
            _text => text.contains(&wanted_text),
        },
        other => {
            return Err(AeError::engine(
                "MethodExpressionInvalid",
                format!("the operator `{other}` is unknown"),
            ));
        }
    })
}
