//! The numbers of a payload with all their digits.
//!
//! In the payload a number with a point or an exponent is a `float`, as `json` gives it, and that may have lost digits.
//! The text in the body has them. Which text is whose is known by the `float` objects themselves: the parser makes one
//! for each in the order of the body. So nothing is parsed twice, and what a user puts into the payload instead is not
//! mistaken for what was sent.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat};

use super::value::Value;
use crate::payload::fast_path;

/// A payload, and what is needed to tell its numbers exactly.
pub(crate) struct Payload {
    pub(crate) dict: Py<PyDict>,
    has_surrogates: bool,
    numbers: Option<Box<Mutex<Numbers>>>,
}

enum Numbers {
    /// All floats in the order of the body.
    All(Vec<Py<PyFloat>>),
    /// Those that may have lost digits.
    Exact(Arc<Exact>),
}

impl Payload {
    /// `floats` are all in the order of the body, also those that a later field of the same name replaced.
    pub(crate) fn new(dict: Bound<'_, PyDict>, floats: Vec<Py<PyFloat>>, has_surrogates: bool) -> Self {
        Self {
            dict: dict.unbind(),
            has_surrogates,
            numbers: (!floats.is_empty()).then(|| Box::new(Mutex::new(Numbers::All(floats)))),
        }
    }

    /// The payload, to be looked into.
    pub(crate) fn value<'py>(&self, py: Python<'py>) -> Value<'py> {
        Value::new(self.dict.bind(py).clone().into_any(), self.has_surrogates)
    }

    /// The texts of the floats that may have lost digits, `text` being the body's; found once and then kept.
    pub(crate) fn exact(&self, text: &str) -> Option<Arc<Exact>> {
        let numbers = self.numbers.as_ref()?;
        // Under this lock only floats are freed, which runs no code of anybody's.
        let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Numbers::All(floats) = &mut *numbers {
            *numbers = Numbers::Exact(Arc::new(Exact::new(std::mem::take(floats), text)));
        }
        match &*numbers {
            Numbers::Exact(exact) if !exact.places.is_empty() => Some(Arc::clone(exact)),
            _ => None,
        }
    }
}

/// Where the texts of some floats are.
pub(crate) struct Exact {
    // In the order of the addresses. Kept alive, so that no other object can come to have the same address.
    places: Vec<(Py<PyFloat>, usize)>,
}

impl Exact {
    fn new(floats: Vec<Py<PyFloat>>, text: &str) -> Self {
        let texts = fast_path::floats(text).zip(floats);
        let inexact = texts.filter(|((_, text), _)| !fast_path::is_exact_in_a_double(text));
        let mut places: Vec<_> = inexact.map(|((start, _), float)| (float, start)).collect();
        places.shrink_to_fit();
        places.sort_unstable_by_key(|(float, _)| float.as_ptr().addr());
        Self { places }
    }

    /// What `text`, the body's, says for `float`, if that may have lost some of it.
    pub(crate) fn find<'t>(&self, float: &Bound<'_, PyFloat>, text: &'t str) -> Option<&'t str> {
        let address = float.as_ptr().addr();
        let place = self
            .places
            .binary_search_by_key(&address, |(float, _)| float.as_ptr().addr())
            .ok()?;
        let (_, start) = self.places.get(place)?;
        let (_, number) = fast_path::numbers(text.get(*start..)?).next()?;
        let is_negative = text.get(..*start)?.ends_with('-');
        text.get(start - usize::from(is_negative)..start + number.len())
    }
}

/// Takes down the floats that Python's `json` reads.
#[pyclass(frozen, module = "listrak_webhooks")]
#[derive(Default)]
pub(crate) struct FloatRecorder(Mutex<Vec<Py<PyFloat>>>);

impl FloatRecorder {
    /// What was taken down since the last time.
    pub(crate) fn take(&self) -> Vec<Py<PyFloat>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl FloatRecorder {
    /// Return the `float` that `text` says, to the bit as Python does.
    fn record<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyFloat>> {
        let float = PyFloat::new(py, text.parse()?);
        let mut floats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        floats.push(float.clone().unbind());
        Ok(float)
    }
}
