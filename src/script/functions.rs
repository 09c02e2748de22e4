//! What scripts may call, as data: for the reference, and for the list that shows when something crept in.

use rhai::FuncMetadata;

use crate::script::engine;
use crate::script::limits::Limits;
use crate::script::number;

/// A function, property or operator that scripts can use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScriptFunction {
    /// The type that it is a method or property of, `Evm` for example; empty for a plain function.
    pub receiver: String,
    /// How it is written: `evm.log(level: string, text: any)`, `targets() -> TargetCollection`.
    pub signature: String,
    /// What it does, in Markdown; empty for functions of the language's own library.
    pub doc: String,
}

/// The functions of this program, sorted.
pub fn own_functions() -> Vec<ScriptFunction> {
    collect(false)
}

/// Everything a script can reach, the language's own library included, sorted.
pub fn all_functions() -> Vec<ScriptFunction> {
    collect(true)
}

fn collect(with_standard_library: bool) -> Vec<ScriptFunction> {
    let engine = engine::new(&Limits::default());
    let describe = |function: rhai::FuncInfo<'_>| {
        let is_listed = with_standard_library || !number::is_operator(function.metadata);
        is_listed.then(|| describe(function.metadata))
    };
    let mut found = engine.collect_fn_metadata(None, describe, with_standard_library);
    found.sort();
    found.dedup();
    found
}

/// Types of ours, each with its name in scripts; their functions are written as methods.
const RECEIVERS: [(&str, &str); 9] = [
    ("Evm", "Evm"),
    ("AutomateObject", "AutomateObject"),
    ("Decimal", number::NAME),
    ("EventHandle", "EmsEvent"),
    ("HttpHandle", "Http"),
    ("Inputs", "Inputs"),
    ("RecordView", "Record"),
    ("TargetsHandle", "TargetCollection"),
    ("Unread", "Unread"),
];

fn describe(function: &FuncMetadata) -> ScriptFunction {
    let mut parameters = function
        .params_info
        .iter()
        .map(|parameter| Parameter::read(parameter));
    let given = parameters.clone().next();
    let receiver = given.filter(|first| RECEIVERS.iter().any(|(_, name)| *name == first.type_name));
    let subject = receiver
        .as_ref()
        .map(|first| first.name.clone())
        .unwrap_or_default();
    if receiver.is_some() {
        parameters.next();
    }
    let parameters: Vec<Parameter> = parameters.collect();
    let list = parameters
        .iter()
        .map(Parameter::written)
        .collect::<Vec<_>>()
        .join(", ");
    let returned = match type_name(&function.return_type).as_str() {
        "()" => String::new(),
        other => format!(" -> {other}"),
    };
    let name = function.name.as_str();
    let is_operator = !name.contains(|c: char| c.is_alphanumeric());
    let signature = match (name, name.strip_prefix("get$"), receiver.is_some()) {
        ("index$get$", ..) => format!("{subject}[{list}]{returned}"),
        ("index$set$", ..) => format!("{subject}[{}", list.replacen(", value: any", "] = value", 1)),
        (_, Some(property), true) => format!("{subject}.{property}{returned}"),
        (operator, _, true) if is_operator => format!("{subject} {operator} {list}{returned}"),
        (method, _, true) => format!("{subject}.{method}({list}){returned}"),
        (function, _, false) => format!("{function}({list}){returned}"),
    };
    ScriptFunction {
        receiver: receiver.map(|first| first.type_name).unwrap_or_default(),
        signature,
        doc: doc(function),
    }
}

/// The doc comment, without its slashes; none for the language's own library, whose reference is the Rhai book.
fn doc(function: &FuncMetadata) -> String {
    let lines = function.comments.iter().flat_map(|comment| comment.lines());
    let text: Vec<&str> = lines
        .map(|line| line.trim_start().trim_start_matches('/').trim())
        .collect();
    text.join("\n").trim().to_owned()
}

struct Parameter {
    name: String,
    type_name: String,
}

impl Parameter {
    /// Reads `name: Type`; rhai knows no names for the functions of its own library.
    fn read(info: &str) -> Self {
        let (name, rust) = info.split_once(':').unwrap_or(("", info));
        Self {
            name: name.trim().trim_start_matches('_').to_owned(),
            type_name: type_name(rust),
        }
    }

    fn written(&self) -> String {
        match self.name.as_str() {
            "" => self.type_name.clone(),
            name => format!("{name}: {}", self.type_name),
        }
    }
}

/// What scripts call a type of Rust's.
fn type_name(rust: &str) -> String {
    let bare = rust
        .trim()
        .trim_start_matches("&mut ")
        .trim_start_matches('&')
        .trim();
    let bare = bare.strip_prefix("rhai::").unwrap_or(bare);
    for wrapper in ["Fallible<", "Result<", "RhaiResultOf<"] {
        if let Some(inner) = bare.strip_prefix(wrapper) {
            let inner = inner.trim_end_matches('>');
            return type_name(inner.split_once(',').map_or(inner, |(first, _)| first));
        }
    }
    if let Some((_, name)) = RECEIVERS.iter().find(|(rust, _)| *rust == bare) {
        return (*name).to_owned();
    }
    match bare {
        "Dynamic" | "RhaiResult" => "any",
        "str" | "String" | "ImmutableString" => "string",
        "INT" | "i64" => "int",
        "FLOAT" | "f64" => "float",
        "Map" => "map",
        "Array" => "array",
        "Blob" => "blob",
        "FnPtr" => "function",
        "SecretView" => "Password",
        "" => "()",
        other => other,
    }
    .to_owned()
}
