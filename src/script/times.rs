//! Times for scripts: whatever clouds write becomes RFC 3339 in UTC, and that any other form. There is no clock in it.

use rhai::Dynamic;
use rhai::EvalAltResult;
use rhai::Module;

use crate::model::clock::Timestamp;
use crate::model::counted_time;
use crate::model::written_time;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// The longest form of a time that is taken, in bytes; a form may ask for each part many times.
const LONGEST_FORM: usize = 256;

/// Adds the functions.
pub(crate) fn register(module: &mut Module) {
    module.combine_flatten(rhai::exported_module!(functions));
}

#[rhai::export_module]
#[expect(unreachable_pub, reason = "rhai offers what is `pub`")]
mod functions {
    use rhai::Dynamic;

    use crate::model::counted_time::Unit;
    use crate::model::written_time;
    use crate::script::times;
    use crate::script::times::Result;

    /// A time as RFC 3339 in UTC, `2026-03-01T12:00:00Z`, from any text or number that can mean one time only: RFC
    /// 3339 with any offset and any fraction, Ruby's `2026-03-01 12:00:00 +0100` and `… UTC`, RFC 2822 and HTTP dates,
    /// seconds since 1970, and thousandths, millionths and billionths of them from September 2001 on. `()` and blank
    /// texts give `()`; everything else is an error.
    #[rhai_fn(return_raw)]
    pub fn time(value: Dynamic) -> Result<Dynamic> {
        times::read(&value)
    }

    /// A time as RFC 3339 in UTC from a text or number in this form: `s`, `ms`, `us` or `ns` since 1970, or what
    /// `strftime` would write, such as `%d.%m.%Y %H:%M %z`; without a zone it is in UTC. `()` and blank texts give
    /// `()`.
    #[rhai_fn(name = "time", return_raw)]
    pub fn time_in_form(value: Dynamic, format: &str) -> Result<Dynamic> {
        times::read_as(&value, format)
    }

    /// A time, given as for `time(value)`, in another form, in UTC: what `strftime` writes for it, or a whole number of
    /// `s`, `ms`, `us` or `ns` since 1970.
    #[rhai_fn(return_raw)]
    pub fn format_time(value: Dynamic, format: &str) -> Result<Dynamic> {
        let time = times::required(&value)?;
        match Unit::named(format) {
            Some(unit) => unit
                .count(time)
                .map(Dynamic::from)
                .ok_or_else(|| format!("{time} is out of range for `{format}`").into()),
            None => {
                times::check_form(format)?;
                Ok(written_time::formatted(time, format)?.into())
            }
        }
    }
}

fn read(value: &Dynamic) -> Result<Dynamic> {
    match is_blank(value) {
        true => Ok(Dynamic::UNIT),
        false => Ok(required(value)?.to_string().into()),
    }
}

fn read_as(value: &Dynamic, format: &str) -> Result<Dynamic> {
    check_form(format)?;
    if is_blank(value) {
        return Ok(Dynamic::UNIT);
    }
    let text = match value.as_int() {
        Ok(count) => count.to_string(),
        Err(_other) => value
            .as_immutable_string_ref()
            .map(|text| text.to_string())
            .map_err(|kind| format!("a time is a text or a whole number, this is of type {kind}"))?,
    };
    Ok(written_time::with_format(&text, format)?.to_string().into())
}

fn required(value: &Dynamic) -> Result<Timestamp> {
    let found = if let Ok(count) = value.as_int() {
        counted_time::of_count(count)
    } else if let Ok(count) = value.as_float() {
        counted_time::of_float(count)
    } else if let Ok(text) = value.as_immutable_string_ref() {
        written_time::read(&text)
    } else if value.is_variant() {
        // A number with more digits than a float holds.
        counted_time::read(&value.to_string())
    } else {
        let kind = value.type_name();
        return Err(format!("a time is a text or a number, this is of type {kind}").into());
    };
    found.ok_or_else(|| {
        let help = "one like `2026-01-31T12:00:00Z` is expected; `time(value, format)` reads other forms";
        format!("`{value}` is no time; {help}").into()
    })
}

fn is_blank(value: &Dynamic) -> bool {
    let text = value.as_immutable_string_ref();
    value.is_unit() || text.is_ok_and(|text| text.trim().is_empty())
}

fn check_form(format: &str) -> Result<()> {
    match format.len() > LONGEST_FORM {
        true => Err(format!("a form of a time has at most {LONGEST_FORM} bytes").into()),
        false => Ok(()),
    }
}
