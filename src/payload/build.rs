//! JSON text to Python objects: one pass, no tree in between, and each repeated key one object.

use std::fmt;

use hashbrown::HashMap;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyNone, PyString};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::limits;

/// How many keys are kept from one delivery to the next, and the longest of them, in bytes.
const MOST_KEYS: usize = 512;
const LONGEST_KEY: usize = 64;

/// The value in `text`, or `None` where it is no JSON or out of the ordinary, which is for Python's `json` to decide.
///
/// # Errors
///
/// What Python raises where memory runs out.
pub(crate) fn build<'py>(py: Python<'py>, text: &str, keys: &mut Keys) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut work = Work {
        py,
        keys,
        elements: Vec::new(),
        raised: None,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let built = Value(&mut work).deserialize(&mut parser);
    let ended = parser.end();
    match (built, ended, work.raised) {
        (_, _, Some(raised)) => Err(raised),
        (Ok(value), Ok(()), None) => Ok(Some(value)),
        _ => Ok(None),
    }
}

/// The keys seen so far, as Python has them: they repeat within a delivery and from one to the next. Values are
/// personal and are not kept.
#[derive(Default)]
pub(crate) struct Keys(HashMap<Box<str>, Py<PyString>>);

impl Keys {
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
    keys: &'k mut Keys,
    // Those of all lists that are still open, one after another.
    elements: Vec<Bound<'py, PyAny>>,
    raised: Option<PyErr>,
}

impl Work<'_, '_> {
    fn stop<E: serde::de::Error>(&mut self, raised: PyErr) -> E {
        self.raised = Some(raised);
        E::custom("raised")
    }
}

struct Value<'w, 'k, 'py>(&'w mut Work<'k, 'py>);

impl<'de, 'py> DeserializeSeed<'de> for Value<'_, '_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Value<'_, '_, 'py> {
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
        Ok(PyInt::new(self.0.py, value).into_any())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(PyInt::new(self.0.py, value).into_any())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if limits::may_have_been_an_integer(value) {
            return Err(E::custom("an integer beyond 64 bits, or a negative zero"));
        }
        Ok(PyFloat::new(self.0.py, value).into_any())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.0.py, value).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let start = self.0.elements.len();
        while let Some(element) = list.next_element_seed(Value(self.0))? {
            self.0.elements.push(element);
        }
        let elements = self.0.elements.drain(start..);
        let list = PyList::new(self.0.py, elements);
        list.map(Bound::into_any).map_err(|raised| self.0.stop(raised))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.0.py);
        while let Some(key) = entries.next_key_seed(Key(self.0))? {
            let value = entries.next_value_seed(Value(self.0))?;
            dict.set_item(key, value).map_err(|raised| self.0.stop(raised))?;
        }
        Ok(dict.into_any())
    }
}

struct Key<'w, 'k, 'py>(&'w mut Work<'k, 'py>);

impl<'de, 'py> DeserializeSeed<'de> for Key<'_, '_, 'py> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'py> Visitor<'_> for Key<'_, '_, 'py> {
    type Value = Bound<'py, PyString>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.keys.get(self.0.py, key))
    }
}
