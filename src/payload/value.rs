//! A value in a payload, as the views read it.

use std::cell::OnceCell;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyString, PyTzInfo};
use speedate::{Date, DateTime, MicrosecondsPrecisionOverflowBehavior, Time, TimeConfig};

use super::find::{Fields, Node};
use super::json;
use super::names::{Concept, Names};
use super::text;

/// A value in the payload.
#[derive(Clone)]
pub(crate) struct Value<'py> {
    read: Bound<'py, PyAny>,
    // Where the body has numbers with more digits than a `float`, what is read is a copy of the payload with `Decimal`s
    // in it, and this is the payload's own.
    raw: Option<Bound<'py, PyAny>>,
}

impl<'py> Value<'py> {
    /// The whole payload, and the copy of it with exact numbers, where there is one.
    pub(crate) fn new(payload: Bound<'py, PyAny>, exact: Option<Bound<'py, PyAny>>) -> Self {
        match exact {
            None => Self {
                read: payload,
                raw: None,
            },
            Some(exact) => Self {
                read: exact,
                raw: Some(payload),
            },
        }
    }

    /// The object as the payload holds it.
    pub(crate) fn raw(&self) -> &Bound<'py, PyAny> {
        self.raw.as_ref().unwrap_or(&self.read)
    }

    /// The dict as the payload holds it; `None` where it is something else.
    pub(crate) fn dict(&self) -> Option<Bound<'py, PyDict>> {
        self.raw().cast_exact().ok().cloned()
    }

    /// The elements of a list; `None` for anything else.
    pub(crate) fn elements(&self) -> Option<Vec<Self>> {
        let list = self.read.cast_exact::<PyList>().ok()?;
        let raw = self.raw.as_ref().and_then(|raw| raw.cast_exact::<PyList>().ok());
        let element = |(index, read)| Self {
            read,
            raw: raw.and_then(|raw| raw.get_item(index).ok()),
        };
        Some(list.iter().enumerate().map(element).collect())
    }
}

impl<'py> Node for Value<'py> {
    type Text = Bound<'py, PyString>;

    fn fields<R>(&self, look: impl FnOnce(&Fields<Self>) -> R) -> Option<R> {
        let dict = self.read.cast_exact::<PyDict>().ok()?;
        let raw = self.raw.as_ref().and_then(|raw| raw.cast_exact::<PyDict>().ok());
        let mut fields = Fields::with_capacity(dict.len());
        // Nothing in this loop runs Python code that could change the dict under it: where there are two, the one that
        // is walked is nobody else's.
        for (key, read) in dict {
            let Ok(name) = key.cast_exact::<PyString>() else {
                continue;
            };
            // A key with a lone surrogate is no name that anybody looks for.
            if let Ok(name) = name.to_str() {
                let raw = raw.and_then(|raw| raw.get_item(&key).ok().flatten());
                fields.push(name, Self { read, raw });
            }
        }
        Some(look(&fields))
    }

    fn first<R>(&self, look: impl FnMut(&Self) -> Option<R>) -> Option<R> {
        self.elements()?.iter().find_map(look)
    }

    fn string<R>(&self, look: impl FnOnce(&str) -> R) -> Option<R> {
        self.read.cast_exact::<PyString>().ok()?.to_str().ok().map(look)
    }

    fn text(&self) -> Option<Self::Text> {
        let text = self.read.cast_exact::<PyString>().ok()?;
        (!text.is_empty().ok()?).then(|| text.clone())
    }

    fn text_or_digits(&self) -> Option<Self::Text> {
        let py = self.read.py();
        if let Ok(number) = self.read.cast_exact::<PyInt>() {
            // Python writes out no more digits than the process allows; a `Decimal` has no such limit.
            return number.str().or_else(|_| decimal(py)?.call1((number,))?.str()).ok();
        }
        let number: f64 = match self.read.cast_exact::<PyFloat>() {
            Ok(float) => float.value(),
            Err(_) if self.is_decimal() => self.read.extract().ok()?,
            Err(_) => return self.text(),
        };
        text::of_float(number).map(|text| PyString::new(py, &text))
    }
}

impl Value<'_> {
    fn is_decimal(&self) -> bool {
        let class = || decimal(self.read.py()).ok();
        // There are none in a payload, so the class is not looked up for each value that is something else.
        self.raw.is_some() && class().is_some_and(|class| self.read.is_instance(&class).unwrap_or(false))
    }
}

/// The class `Decimal`; looked up and not kept, because each interpreter in the process has its own.
fn decimal(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("decimal")?.getattr("Decimal")
}

/// What reads values for a view. None of it fails: what is not of the type that is asked for is `None`.
pub(crate) struct Reader<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) names: &'a Names,
    decimal: OnceCell<Option<Bound<'py, PyAny>>>,
}

impl<'a, 'py> Reader<'a, 'py> {
    pub(crate) fn new(py: Python<'py>, names: &'a Names) -> Self {
        Self {
            py,
            names,
            decimal: OnceCell::new(),
        }
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

    /// An exact `Decimal`, of a number or a numeric string.
    pub(crate) fn number(&self, value: &Value<'py>) -> Option<Bound<'py, PyAny>> {
        if value.is_decimal() {
            return value
                .read
                .call_method0("is_finite")
                .ok()?
                .is_truthy()
                .ok()?
                .then(|| value.read.clone());
        }
        let digits = if let Ok(float) = value.read.cast_exact::<PyFloat>() {
            // What Python writes for a double is the shortest text that means it, and so what the sender wrote.
            float.value().is_finite().then(|| float.repr().ok())??.into_any()
        } else if value.string(text::is_number) == Some(true) || value.read.is_exact_instance_of::<PyInt>() {
            value.read.clone()
        } else {
            return None;
        };
        let class = self.decimal.get_or_init(|| decimal(self.py).ok()).as_ref()?;
        class.call1((digits,)).ok()
    }

    /// A `datetime`, of a text in ISO 8601: aware where the text has a zone, naive otherwise; midnight where it is a date
    /// alone. Of the digits of a second's fraction, six are kept.
    pub(crate) fn moment(&self, value: &Value<'py>) -> Option<Bound<'py, PyDateTime>> {
        let moment = value.string(|text| {
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
        let opened = value.string(|text| json::open(self.py, text)).flatten();
        let object = opened.unwrap_or_else(|| value.raw().clone());
        let is_empty = object.is_none()
            || object
                .cast::<PyString>()
                .is_ok_and(|text| text.is_empty().unwrap_or(false));
        (!is_empty).then_some(object)
    }

    /// A `bool`, of one or of the words `true` and `false` in any case.
    pub(crate) fn flag(&self, value: &Value<'py>) -> Option<Bound<'py, PyBool>> {
        if let Ok(flag) = value.read.cast_exact::<PyBool>() {
            return Some(flag.clone());
        }
        value.string(|text| match text {
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
