//! JSON text to Python objects: one pass, no tree in between, and each repeated key one object.

use std::fmt;

use hashbrown::HashMap;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyNone, PyString};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::collector::CollectorPause;
use crate::payload::fast_path;

/// How many keys are kept from one delivery to the next, and the longest of them, in bytes.
const MOST_KEYS: usize = 512;
const LONGEST_KEY: usize = 64;

/// From this many bytes on, looking first for what would end the pass late costs less than a second one.
const LARGE: usize = 16 * 1024;

/// What came of one pass.
pub(crate) enum Built<'py> {
    /// The value, and all its floats in the order of the text.
    Value(Bound<'py, PyAny>, Vec<Py<PyFloat>>),
    /// It is not JSON or out of the ordinary, which is for Python's `json` to decide.
    Unclear {
        /// How much of the text that can take; nothing behind is of any concern.
        read: usize,
    },
}

/// The value in `text`.
///
/// # Errors
///
/// What Python raises if memory runs out.
pub(crate) fn build<'py>(py: Python<'py>, text: &str, keys: &mut KeyCache) -> PyResult<Built<'py>> {
    if text.len() >= LARGE && fast_path::is_odd(text) {
        return Ok(Built::Unclear { read: text.len() });
    }
    // A container takes three bytes at least, and most take many more.
    let _pause = CollectorPause::for_many(py, text.len() / 16);
    let mut work = Work {
        py,
        keys,
        elements: Vec::new(),
        floats: Vec::new(),
        numbers: Numbers::new(text),
        raised: None,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let built = ValueSeed(&mut work).deserialize(&mut parser);
    let built = built.and_then(|value| parser.end().map(|()| value));
    match (built, work.raised) {
        (_, Some(raised)) => Err(raised),
        (Ok(value), None) => Ok(Built::Value(value, work.floats)),
        (Err(error), None) => Ok(Built::Unclear {
            read: if is_not_json(&error) {
                place(text, &error)
            } else {
                text.len()
            },
        }),
    }
}

/// Whether what `serde_json` stopped at is against the grammar, so that Python's `json` stops there too: at others,
/// such as a lone surrogate or too many levels, it goes on. A text that is not in this list costs time and no more.
fn is_not_json(error: &serde_json::Error) -> bool {
    const TEXTS: [&str; 11] = [
        "expected ident",
        "expected value",
        "expected `:`",
        "expected `,` or `}`",
        "expected `,` or `]`",
        "trailing comma",
        "trailing characters",
        "key must be a string",
        "control character",
        "invalid escape",
        "invalid number",
    ];
    let text = error.to_string();
    error.is_syntax() && TEXTS.iter().any(|start| text.starts_with(start))
}

/// The place behind what `serde_json` stopped at.
fn place(text: &str, error: &serde_json::Error) -> usize {
    let mut lines = memchr::memchr_iter(b'\n', text.as_bytes());
    let start = match error.line() {
        0 | 1 => 0,
        line => lines.nth(line - 2).map_or(text.len(), |end| end + 1),
    };
    start.saturating_add(error.column()).saturating_add(1).min(text.len())
}

/// The keys seen so far, as Python has them: they repeat within a delivery and from one to the next. Values are
/// personal and are not kept.
#[derive(Default)]
pub(crate) struct KeyCache(HashMap<Box<str>, Py<PyString>>);

impl KeyCache {
    fn get<'py>(&mut self, py: Python<'py>, key: &str) -> Bound<'py, PyString> {
        if let Some(kept) = self.0.get(key) {
            return kept.bind(py).clone();
        }
        let object = PyString::new(py, key);
        if key.len() <= LONGEST_KEY {
            if self.0.len() >= MOST_KEYS {
                // Those of a delivery that is over, or of one with very many: either way others are needed now.
                self.0.clear();
            }
            self.0.insert(key.into(), object.clone().unbind());
        }
        object
    }
}

struct Work<'k, 'py> {
    py: Python<'py>,
    keys: &'k mut KeyCache,
    // Those of all lists that are still open, one after another.
    elements: Vec<Bound<'py, PyAny>>,
    floats: Vec<Py<PyFloat>>,
    numbers: Numbers<'k>,
    raised: Option<PyErr>,
}

/// The texts of numbers, for the few of which `serde_json` does not tell enough.
struct Numbers<'t> {
    text: &'t str,
    // How many there were so far, and the place behind as many as were looked at.
    seen: usize,
    looked_at: usize,
    place: usize,
}

impl<'t> Numbers<'t> {
    const fn new(text: &'t str) -> Self {
        Self {
            text,
            seen: 0,
            looked_at: 0,
            place: 0,
        }
    }

    /// The text, without a minus, of the last one that was seen.
    fn last(&mut self) -> Option<&'t str> {
        let between = self.seen.checked_sub(self.looked_at + 1)?;
        let rest = self.text.get(self.place..)?;
        let (start, number) = fast_path::numbers(rest).nth(between)?;
        self.place += start + number.len();
        self.looked_at = self.seen;
        Some(number)
    }
}

impl Work<'_, '_> {
    fn stop<E: serde::de::Error>(&mut self, raised: PyErr) -> E {
        self.raised = Some(raised);
        E::custom("raised")
    }
}

struct ValueSeed<'w, 'k, 'py>(&'w mut Work<'k, 'py>);

impl<'de, 'py> DeserializeSeed<'de> for ValueSeed<'_, '_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for ValueSeed<'_, '_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(PyNone::get(self.0.py).to_owned().into_any())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(PyBool::new(self.0.py, value).to_owned().into_any())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        self.0.numbers.seen += 1;
        Ok(PyInt::new(self.0.py, value).into_any())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        self.0.numbers.seen += 1;
        Ok(PyInt::new(self.0.py, value).into_any())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        self.0.numbers.seen += 1;
        if fast_path::may_have_been_an_integer(value) {
            let number = self
                .0
                .numbers
                .last()
                .ok_or_else(|| E::custom("a number was not found again"))?;
            if !fast_path::is_float(number) {
                let integer = integer(self.0.py, number, value.is_sign_negative());
                return integer.map_err(|raised| self.0.stop(raised));
            }
        }
        let float = PyFloat::new(self.0.py, value);
        self.0.floats.push(float.clone().unbind());
        Ok(float.into_any())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.0.py, value).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let start = self.0.elements.len();
        while let Some(element) = list.next_element_seed(ValueSeed(self.0))? {
            self.0.elements.push(element);
        }
        let elements = self.0.elements.drain(start..);
        let list = PyList::new(self.0.py, elements);
        list.map(Bound::into_any).map_err(|raised| self.0.stop(raised))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.0.py);
        while let Some(key) = entries.next_key_seed(KeySeed(self.0))? {
            let value = entries.next_value_seed(ValueSeed(self.0))?;
            dict.set_item(key, value).map_err(|raised| self.0.stop(raised))?;
        }
        Ok(dict.into_any())
    }
}

/// The integer of these digits, of which a double can have no more than 309 and which Python reads whatever is set.
fn integer<'py>(py: Python<'py>, digits: &str, is_negative: bool) -> PyResult<Bound<'py, PyAny>> {
    // What is not a digit ends the number, and is an error that the parser has not come to yet.
    let digits = digits.split(['+', '-']).next().unwrap_or_default();
    let text = format!("{}{digits}", if is_negative { "-" } else { "" });
    py.get_type::<PyInt>().call1((text,))
}

struct KeySeed<'w, 'k, 'py>(&'w mut Work<'k, 'py>);

impl<'de, 'py> DeserializeSeed<'de> for KeySeed<'_, '_, 'py> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'py> Visitor<'_> for KeySeed<'_, '_, 'py> {
    type Value = Bound<'py, PyString>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.keys.get(self.0.py, key))
    }
}
