//! A value in a payload, as the views read it.

use std::cell::OnceCell;
use std::ops::RangeInclusive;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyString, PyTzInfo};
use speedate::{Date, DateTime, MicrosecondsPrecisionOverflowBehavior, Time, TimeConfig};

use super::exact::{Exact, Payload};
use super::parse;
use crate::payload::lookup::{Fields, Node};
use crate::payload::names::{Concept, Names};
use crate::payload::number;

/// A value in the payload.
pub(crate) struct Value<'py> {
    object: Bound<'py, PyAny>,
    has_surrogates: bool,
    // Several paths may lead through one object; it is gone through once.
    fields: OnceCell<Box<Fields<Self>>>,
}

impl<'py> Value<'py> {
    /// A value in a payload of which some strings may have lone surrogates: finding that out by an exception for each
    /// costs more than all else.
    pub(crate) fn new(object: Bound<'py, PyAny>, has_surrogates: bool) -> Self {
        Self {
            object,
            has_surrogates,
            fields: OnceCell::new(),
        }
    }

    /// Another value in the same payload.
    pub(crate) fn sibling(&self, object: Bound<'py, PyAny>) -> Self {
        Self::new(object, self.has_surrogates)
    }

    /// The object as the payload holds it.
    pub(crate) fn object(&self) -> &Bound<'py, PyAny> {
        &self.object
    }

    /// The dict; `None` if it is something else.
    pub(crate) fn dict(&self) -> Option<&Bound<'py, PyDict>> {
        self.object.cast_exact().ok()
    }

    /// The elements of a list; `None` for anything else.
    pub(crate) fn elements(&self) -> Option<impl ExactSizeIterator<Item = Self> + use<'_, 'py>> {
        let list = self.object.cast_exact::<PyList>().ok()?;
        Some(list.iter().map(|element| self.sibling(element)))
    }

    /// An integer of 64 bits.
    pub(crate) fn integer(&self) -> Option<i64> {
        self.object.cast_exact::<PyInt>().ok()?.extract().ok()
    }

    /// Whether it is a text, a number that can be one, or a list with something in it.
    pub(crate) fn holds_something(&self) -> bool {
        match self.object.cast_exact::<PyList>() {
            Ok(list) => !list.is_empty(),
            Err(_) => self.text_or_digits().is_some(),
        }
    }

    /// Calls `look` with the text of a string that is not longer than a number, a date or a word; `None` for anything
    /// else.
    fn short_string<R>(&self, look: impl FnOnce(&str) -> R) -> Option<R> {
        let text = self.object.cast_exact::<PyString>().ok()?;
        // None of these has other characters.
        let may_be_one = text.len().ok()? <= number::MAX_LENGTH && (!self.has_surrogates || is_ascii(text));
        may_be_one.then(|| text.to_str().ok().map(look))?
    }

    /// Puts the fields of an object whose names are in the table into `fields`, in the place of what was there.
    pub(crate) fn read_fields(&self, dict: &Bound<'py, PyDict>, names: &Names, fields: &mut Fields<Self>) {
        fields.clear();
        // Nothing in this loop runs Python code that could change the dict under it.
        for (key, object) in dict {
            let Ok(key) = key.cast_exact::<PyString>() else {
                continue;
            };
            // A key with a lone surrogate is not a name that anybody looks for.
            self.read(key, |key| {
                names.find(key, |name, number| {
                    fields.push(name, number, self.sibling(object.clone()));
                });
            });
        }
        fields.sort();
    }

    /// Calls `look` with a text of this payload; `None` if it has a lone surrogate.
    fn read<R>(&self, text: &Bound<'py, PyString>, look: impl FnOnce(&str) -> R) -> Option<R> {
        if !self.has_surrogates || is_ascii(text) {
            return text.to_str().ok().map(look);
        }
        let py = text.py();
        let arguments = (intern!(py, "utf-8"), intern!(py, "surrogatepass"));
        let bytes = text.call_method1(intern!(py, "encode"), arguments).ok()?;
        std::str::from_utf8(bytes.cast::<PyBytes>().ok()?.as_bytes())
            .ok()
            .map(look)
    }
}

impl<'py> Node for Value<'py> {
    type Text = Bound<'py, PyString>;

    fn fields<R>(&self, names: &Names, look: impl FnOnce(&Fields<Self>) -> R) -> Option<R> {
        let dict = self.dict()?;
        Some(look(self.fields.get_or_init(|| {
            let mut fields = Box::default();
            self.read_fields(dict, names, &mut fields);
            fields
        })))
    }

    fn first<R>(&self, mut look: impl FnMut(&Self) -> Option<R>) -> Option<R> {
        self.elements()?.find_map(|element| look(&element))
    }

    fn string<R>(&self, look: impl FnOnce(&str) -> R) -> Option<R> {
        self.read(self.object.cast_exact().ok()?, look)
    }

    fn text(&self) -> Option<Self::Text> {
        let text = self.object.cast_exact::<PyString>().ok()?;
        (!text.is_empty().ok()?).then(|| text.clone())
    }

    fn text_or_digits(&self) -> Option<Self::Text> {
        let py = self.object.py();
        if let Ok(integer) = self.object.cast_exact::<PyInt>() {
            return is_within_limits(integer).then(|| integer.str().ok())?;
        }
        match self.object.cast_exact::<PyFloat>() {
            Ok(float) => number::of_float(float.value()).map(|text| PyString::new(py, &text)),
            Err(_) => self.text(),
        }
    }
}

fn is_ascii(text: &Bound<'_, PyString>) -> bool {
    let is_ascii = text.call_method0(intern!(text.py(), "isascii"));
    is_ascii.is_ok_and(|is_ascii| is_ascii.is_truthy().unwrap_or(false))
}

/// Whether an integer has no more digits than a view hands out. Told by its size as far as that goes: writing one out
/// takes the square of its digits.
fn is_within_limits(integer: &Bound<'_, PyInt>) -> bool {
    /// A double on this side of the first integer that has too many, and one on the other.
    const WITHIN: f64 = 0.999e64;
    const BEYOND: f64 = 1.001e64;
    match integer.extract::<f64>().map(f64::abs) {
        Ok(size) if size < WITHIN => true,
        Ok(size) if size < BEYOND => integer
            .str()
            .is_ok_and(|text| text.to_str().is_ok_and(number::is_within_limits)),
        _ => false,
    }
}

/// The years that a date can be of. Those far out mean "none" (.NET's `0001-01-01` and `9999-12-31`), and what a
/// handler does with them next, such as taking them to another zone, fails.
const YEARS: RangeInclusive<u16> = 1900..=2999;

/// What reads values for a view. None of it fails: what is not of the type that is asked for is `None`.
pub(crate) struct Reader<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) names: &'a Names,
    text: &'a str,
    payload: &'a Payload,
    exact: OnceCell<Option<Arc<Exact>>>,
    decimal: OnceCell<Option<Bound<'py, PyAny>>>,
}

impl<'a, 'py> Reader<'a, 'py> {
    /// `text` is the body's. Where in it the digits are that a `float` may have lost is asked of `payload` only if a
    /// view comes upon one.
    pub(crate) fn new(py: Python<'py>, names: &'a Names, text: &'a str, payload: &'a Payload) -> Self {
        Self {
            py,
            names,
            text,
            payload,
            exact: OnceCell::new(),
            decimal: OnceCell::new(),
        }
    }

    /// The class `Decimal`. Each interpreter in the process has its own, so it is looked up for each view.
    pub(crate) fn decimal(&self) -> Option<&Bound<'py, PyAny>> {
        let class = || {
            self.py
                .import("decimal")
                .and_then(|module| module.getattr("Decimal"))
                .ok()
        };
        self.decimal.get_or_init(class).as_ref()
    }

    /// The first field that can be `concept` of which `read` makes anything.
    pub(crate) fn find<T>(
        &self,
        fields: &Fields<Value<'py>>,
        concept: Concept,
        read: impl FnMut(&Value<'py>) -> Option<T>,
    ) -> Option<T> {
        fields.find(self.names, concept, read)
    }

    /// What a `Decimal` is made of when it is asked for: an integer, a `float` that has lost nothing, or the text of a
    /// number.
    pub(crate) fn number(&self, value: &Value<'py>) -> Option<Bound<'py, PyAny>> {
        let object = value.object();
        if let Ok(float) = object.cast_exact::<PyFloat>() {
            let exact = self.exact.get_or_init(|| self.payload.exact(self.text));
            let text = exact.as_ref().and_then(|exact| exact.find(float, self.text));
            return match text {
                Some(text) => number::is_within_limits(text).then(|| PyString::new(self.py, text).into_any()),
                None => float.value().is_finite().then(|| object.clone()),
            };
        }
        let is_number = match object.cast_exact::<PyInt>() {
            Ok(integer) => is_within_limits(integer),
            Err(_) => value.short_string(number::is_numeric_text) == Some(true),
        };
        is_number.then(|| object.clone())
    }

    /// A `datetime`, of a text in ISO 8601: aware if the text has a zone, naive otherwise; midnight if it is a date
    /// alone. Of the digits of a second's fraction, six are kept.
    pub(crate) fn moment(&self, value: &Value<'py>) -> Option<Bound<'py, PyDateTime>> {
        let moment = value.short_string(|text| {
            let truncated = TimeConfig {
                microseconds_precision_overflow_behavior: MicrosecondsPrecisionOverflowBehavior::Truncate,
                unix_timestamp_offset: None,
            };
            DateTime::parse_bytes_rfc3339_with_config(text.as_bytes(), &truncated)
                .or_else(|_| Date::parse_str_rfc3339(text).map(midnight))
                .ok()
        })??;
        let zone = match moment.time.tz_offset {
            None => None,
            Some(0) => Some(PyTzInfo::utc(self.py).ok()?.to_owned()),
            Some(seconds) => {
                Some(PyTzInfo::fixed_offset(self.py, PyDelta::new(self.py, 0, seconds, 0, true).ok()?).ok()?)
            }
        };
        let (date, time) = (moment.date, moment.time);
        if !YEARS.contains(&date.year) {
            return None;
        }
        PyDateTime::new(
            self.py,
            i32::from(date.year),
            date.month,
            date.day,
            time.hour,
            time.minute,
            time.second,
            time.microsecond,
            zone.as_ref(),
        )
        .ok()
    }

    /// Anything that holds a value; of a string with JSON in it, what that says.
    pub(crate) fn opened(&self, value: &Value<'py>) -> Option<Bound<'py, PyAny>> {
        let opened = value.string(|text| parse::open(self.py, text)).flatten();
        let object = opened.unwrap_or_else(|| value.object().clone());
        let is_empty = object.is_none()
            || object
                .cast::<PyString>()
                .is_ok_and(|text| text.is_empty().unwrap_or(false));
        (!is_empty).then_some(object)
    }

    /// A `bool`, of one or of the words `true` and `false` in any case.
    pub(crate) fn flag(&self, value: &Value<'py>) -> Option<Bound<'py, PyBool>> {
        if let Ok(flag) = value.object().cast_exact::<PyBool>() {
            return Some(flag.clone());
        }
        value.short_string(|text| match text {
            _ if text.eq_ignore_ascii_case("true") => Some(PyBool::new(self.py, true).to_owned()),
            _ if text.eq_ignore_ascii_case("false") => Some(PyBool::new(self.py, false).to_owned()),
            _ => None,
        })?
    }
}

fn midnight(date: Date) -> DateTime {
    let time = Time {
        hour: 0,
        minute: 0,
        second: 0,
        microsecond: 0,
        tz_offset: None,
    };
    DateTime { date, time }
}
