//! Numbers in scripts that neither an `int` nor a `float` gives back as they were written: they compare, print and
//! calculate like others, and leave a script to the letter.

use std::cmp::Ordering;

use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::FuncMetadata;
use rhai::FuncRegistration;
use rhai::LexError;
use rhai::Module;
use rhai::Token;
use rhai::Variant;

use crate::model::json::Decimal;
use crate::model::json::Number;
use crate::script::json;

/// What scripts call the type.
pub(crate) const NAME: &str = "number";

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Makes the type, its operators and its functions known.
pub(crate) fn register(engine: &mut Engine, module: &mut Module) {
    engine.register_type_with_name::<Decimal>(NAME);
    operators::<Decimal, Decimal>(module, ["Decimal", "Decimal"]);
    operators::<Decimal, i64>(module, ["Decimal", "i64"]);
    operators::<i64, Decimal>(module, ["i64", "Decimal"]);
    operators::<Decimal, f64>(module, ["Decimal", "f64"]);
    operators::<f64, Decimal>(module, ["f64", "Decimal"]);
    module.combine_flatten(rhai::exported_module!(functions));
    refuse_rounded_literals(engine);
}

#[rhai::export_module]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "rhai offers what is `pub`, and unwraps `self`"
)]
mod functions {
    use rhai::Dynamic;

    use crate::model::json::Decimal;
    use crate::script::number;
    use crate::script::number::Result;

    /// The number as it was written.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(number: &mut Decimal) -> String {
        number.to_string()
    }

    /// The `float` next to the number; an error where that is infinite.
    #[rhai_fn(name = "to_float", pure, return_raw)]
    pub fn to_float(number: &mut Decimal) -> Result<f64> {
        number::float(number)
    }

    /// The number without its fraction; an error where an `int` does not hold it.
    #[rhai_fn(name = "to_int", pure, return_raw)]
    pub fn to_int(number: &mut Decimal) -> Result<i64> {
        number::int(number)
    }

    /// The number without its sign.
    #[rhai_fn(name = "abs", pure)]
    pub fn abs(number: &mut Decimal) -> Dynamic {
        number::absolute(number)
    }

    /// The number with the other sign.
    #[rhai_fn(name = "-", pure)]
    pub fn negated(number: &mut Decimal) -> Dynamic {
        number::negated(number)
    }

    /// The number itself.
    #[rhai_fn(name = "+")]
    pub fn itself(number: Decimal) -> Decimal {
        number
    }

    /// Whether the number is zero.
    #[rhai_fn(name = "is_zero", get = "is_zero", pure)]
    pub fn is_zero(number: &mut Decimal) -> bool {
        number.compare_int(0).is_eq()
    }

    /// The whole `float` below the number.
    #[rhai_fn(name = "floor", get = "floor", pure, return_raw)]
    pub fn floor(number: &mut Decimal) -> Result<f64> {
        number::float(number).map(f64::floor)
    }

    /// The whole `float` above the number.
    #[rhai_fn(name = "ceiling", get = "ceiling", pure, return_raw)]
    pub fn ceiling(number: &mut Decimal) -> Result<f64> {
        number::float(number).map(f64::ceil)
    }

    /// The whole `float` next to the number.
    #[rhai_fn(name = "round", get = "round", pure, return_raw)]
    pub fn round(number: &mut Decimal) -> Result<f64> {
        number::float(number).map(f64::round)
    }
}

fn float(number: &Decimal) -> Result<f64> {
    let beyond =
        || format!("`{number}` is beyond what a float holds; it can be compared and handed on as it is");
    number.as_f64().ok_or_else(|| beyond().into())
}

fn int(number: &Decimal) -> Result<i64> {
    let beyond =
        || format!("`{number}` is beyond what an int holds; it can be compared and handed on as it is");
    number.truncated().ok_or_else(|| beyond().into())
}

fn negated(number: &Decimal) -> Dynamic {
    json::number(Number::of_numeral(&number.opposite()))
}

fn absolute(number: &Decimal) -> Dynamic {
    json::number(Number::of_numeral(number.as_str().trim_start_matches('-')))
}

/// What has to hold for a comparison.
type Holds = fn(Option<Ordering>) -> bool;

/// The comparisons, each with what has to hold for it; no order is none of them but `!=`.
const COMPARISONS: [(&str, Holds); 6] = [
    ("==", |order| order == Some(Ordering::Equal)),
    ("!=", |order| order != Some(Ordering::Equal)),
    ("<", |order| order == Some(Ordering::Less)),
    ("<=", |order| {
        matches!(order, Some(Ordering::Less | Ordering::Equal))
    }),
    (">", |order| order == Some(Ordering::Greater)),
    (">=", |order| {
        matches!(order, Some(Ordering::Greater | Ordering::Equal))
    }),
];

/// A calculation: on whole numbers, which is exact or nothing, and on floats.
struct Calculation {
    sign: &'static str,
    whole: fn(i128, i128) -> Option<i128>,
    float: fn(f64, f64) -> f64,
}

const CALCULATIONS: [Calculation; 6] = [
    Calculation {
        sign: "+",
        whole: i128::checked_add,
        float: |left, right| left + right,
    },
    Calculation {
        sign: "-",
        whole: i128::checked_sub,
        float: |left, right| left - right,
    },
    Calculation {
        sign: "*",
        whole: i128::checked_mul,
        float: |left, right| left * right,
    },
    Calculation {
        sign: "/",
        whole: i128::checked_div,
        float: |left, right| left / right,
    },
    Calculation {
        sign: "%",
        whole: i128::checked_rem,
        float: |left, right| left % right,
    },
    Calculation {
        sign: "**",
        whole: |base, power| base.checked_pow(u32::try_from(power).ok()?),
        float: f64::powf,
    },
];

/// Whether a function is one of the operators, which need no words each.
pub(crate) fn is_operator(function: &FuncMetadata) -> bool {
    let is_sign = !function.name.contains(char::is_alphanumeric);
    let is_of_number = |parameter: &rhai::Identifier| parameter.ends_with("Decimal");
    is_sign && function.params_info.iter().any(is_of_number)
}

/// The operators between two types.
fn operators<A, B>(module: &mut Module, types: [&str; 2])
where
    A: Variant + Clone + Into<Number>,
    B: Variant + Clone + Into<Number>,
{
    let operator = |sign: &str, returned: &str| {
        let [left, right] = types;
        let parameters = [
            format!("left: {left}"),
            format!("right: {right}"),
            returned.to_owned(),
        ];
        FuncRegistration::new(sign).with_params_info(parameters)
    };
    for (sign, holds) in COMPARISONS {
        let compare = move |left: A, right: B| holds(left.into().compare(&right.into()));
        operator(sign, "bool").set_into_module(module, compare);
    }
    for calculation in CALCULATIONS {
        let sign = calculation.sign;
        let calculate = move |left: A, right: B| calculation.of(&left.into(), &right.into());
        operator(sign, "Dynamic").set_into_module(module, calculate);
    }
}

impl Calculation {
    /// Exact where both are written without a point and an exponent, else that of the floats next to them.
    fn of(&self, left: &Number, right: &Number) -> Result<Dynamic> {
        let sign = self.sign;
        if left.is_written_whole() && right.is_written_whole() {
            let whole = left.whole().zip(right.whole());
            let exact = whole.and_then(|(left, right)| (self.whole)(left, right));
            let inexact = || format!("{left} {sign} {right} has no whole result that can be held exactly");
            return match exact {
                Some(exact) => Ok(json::number(exact.into())),
                None => Err(inexact().into()),
            };
        }
        let beyond = || format!("{left} {sign} {right} is beyond what a float holds");
        let floats = left.as_f64().zip(right.as_f64());
        let (left, right) = floats.ok_or_else(beyond)?;
        Ok((self.float)(left, right).into())
    }
}

/// A literal that would become a float although it is whole, or an infinite one, is an error where it is written.
fn refuse_rounded_literals(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "it is marked so because it may change, which the tests would show"
    )]
    engine.on_parse_token(|token, _place, _state| match &token {
        Token::FloatConstant(literal) => {
            let written = literal.1.as_str();
            let is_whole = !written.contains(['.', 'e', 'E']);
            match is_whole || literal.0.is_infinite() {
                true => Token::LexError(Box::new(LexError::Runtime(format!(
                    "`{written}` would be rounded; `parse_json(\"{written}\")` is the number as it is written"
                )))),
                false => token,
            }
        }
        _other => token,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::convert;
    use crate::script::engine;
    use crate::script::limits::Limits;

    /// What a script makes of the numbers of an event, as JSON.
    fn evaluate(script: &str) -> std::result::Result<String, String> {
        let event = r#"let big = parse_json("18446744073709551616"); let price = parse_json("1.10");
            let huge = parse_json("1e400"); let zero = parse_json("-0"); let long = parse_json("99999999999999999999999999999999999999999");"#;
        let value = engine::new(&Limits::default()).eval::<Dynamic>(&format!("{event}\n{script}"));
        value
            .map(|value| convert::to_json(&value))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_to_the_letter_compares_prints_and_calculates_like_others() {
        for (script, expected) in [
            ("[big, price, huge, zero]", "[18446744073709551616,1.10,1e400,-0]"),
            ("type_of(big)", r#""number""#),
            (
                "`${big} ${price}` + zero + huge.to_string()",
                r#""18446744073709551616 1.10-01e400""#,
            ),
            ("to_json(#{a: [price]})", r#""{\"a\":[1.10]}""#),
            ("[#{a: price}].to_string()", r#""[#{\"a\": 1.10}]""#),
            (
                "[price == 1.1, 1.1 == price, price != 1.1, price == 1, 1 < price, price < 2, price <= 1.1]",
                "[true,true,false,false,true,true,true]",
            ),
            (
                "[big == 1.8446744073709552e19, big > 9223372036854775807, big == big, big != price, huge > big, zero == 0]",
                "[false,true,true,true,true,true]",
            ),
            ("[big == \"18446744073709551616\", big == ()]", "[false,false]"),
            (
                "[big in [1, big], [1, price].contains(1.1), [big].index_of(big)]",
                "[true,true,0]",
            ),
            ("big - 1", "18446744073709551615"),
            (
                "[big + 1, 1 + big, big * 2, big / 3, big % 10, -big, +big]",
                "[18446744073709551617,18446744073709551617,36893488147419103232,6148914691236517205,6,-18446744073709551616,18446744073709551616]",
            ),
            ("big / 4294967296 / 4294967296", "1"),
            ("type_of(big - big)", r#""i64""#),
            ("parse_json(\"9223372036854775808\") * -1", "-9223372036854775808"),
            ("2 ** 63 - 1", "error"),
            ("big ** 1", "18446744073709551616"),
            (
                "[price * 2, 2 * price, price + 0.5, price / 2]",
                "[2.2,2.2,1.6,0.55]",
            ),
            ("let sum = 0; sum += price; sum -= 0.1; sum", "1.0"),
            (
                "[price.to_float(), price.to_int(), price.floor(), price.ceiling(), price.round(), abs(-big)]",
                "[1.1,1,1.0,2.0,1.0,18446744073709551616]",
            ),
            ("[zero.is_zero(), price.is_zero]", "[true,false]"),
            ("huge.to_float()", "error: `1e400` is beyond what a float holds"),
            ("huge + 1", "error: 1e400 + 1 is beyond what a float holds"),
            (
                "big.to_int()",
                "error: `18446744073709551616` is beyond what an int holds",
            ),
            (
                "big ** 3",
                "error: 18446744073709551616 ** 3 has no whole result that can be held exactly",
            ),
            (
                "big / 0",
                "error: 18446744073709551616 / 0 has no whole result that can be held exactly",
            ),
            (
                "long + 1",
                "error: 99999999999999999999999999999999999999999 + 1 has no whole result",
            ),
            ("long > big", "true"),
            ("switch big { 1 => 2, _ => 3 }", "3"),
        ] {
            match (evaluate(script), expected.strip_prefix("error")) {
                (Ok(found), None) => assert_eq!(found, expected, "{script}"),
                (Err(error), Some(start)) => {
                    assert!(
                        error.contains(start.trim_start_matches(": ")),
                        "{script}: {error}"
                    );
                }
                (found, _expected) => panic!("{script}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_literal_that_would_be_rounded_is_an_error_where_it_is_written() {
        for (script, expected) in [
            (
                "18446744073709551616",
                Some(
                    "`18446744073709551616` would be rounded; `parse_json(\"18446744073709551616\")` is the number as it is written",
                ),
            ),
            (
                "1 + -9223372036854775809",
                Some("`-9223372036854775809` would be rounded"),
            ),
            ("1e400", Some("`1e400` would be rounded")),
            ("-9223372036854775808", None),
            ("9223372036854775807", None),
            ("1.8446744073709552e19", None),
        ] {
            match (evaluate(script), expected) {
                (Ok(_), None) => (),
                (Err(error), Some(part)) => assert!(error.contains(part), "{script}: {error}"),
                (found, _expected) => panic!("{script}: {found:?}"),
            }
        }
    }
}
