//! A body as Python objects: the fast way first, then the one that knows everything.

use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde::de::IgnoredAny;

use super::build::{self, Keys};
use super::limits::{self, MAX_DEPTH};
use crate::error::Error;

/// The JSON object in `body`.
///
/// # Errors
///
/// [`Error::Payload`], with the place and without any of the content.
pub(crate) fn object<'py>(body: &Bound<'py, PyBytes>, keys: &mut Keys) -> Result<Bound<'py, PyDict>, Error> {
    let text = std::str::from_utf8(body.as_bytes()).ok();
    let built = text.map_or(Ok(None), |text| build::build(body.py(), text, keys))?;
    let value = built.map_or_else(|| decide(body, Numbers::AsPython), Ok)?;
    value.cast_into::<PyDict>().map_err(|_| {
        Error::Payload(
            "the body is JSON but not an object at the top level; use event.body to read it as it is".to_owned(),
        )
    })
}

/// The value that a string holds as JSON; `None` where it holds none.
pub(crate) fn open<'py>(py: Python<'py>, text: &str) -> Option<Bound<'py, PyAny>> {
    if let Some(value) = build::build(py, text, &mut Keys::default()).ok()? {
        return Some(value);
    }
    decide(&PyBytes::new(py, text.as_bytes()), Numbers::AsPython).ok()
}

/// Whether `body` is JSON that any reader of it can be trusted with, seen in one pass and without building anything.
/// Where not, [`decide`] says what it is.
pub(crate) fn is_plain(body: &[u8]) -> bool {
    limits::is_ordinary(body)
        && std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// The payload once more with exact numbers, where a `float` may have lost digits of one.
pub(crate) fn with_exact_numbers<'py>(body: &Bound<'py, PyBytes>) -> Option<Bound<'py, PyAny>> {
    if limits::doubles_are_exact(body.as_bytes()) {
        return None;
    }
    decide(body, Numbers::Exact).ok()
}

/// `body` as a type of the user's, read by a library of the user's.
///
/// # Errors
///
/// [`Error::Payload`] where it is no JSON, and what the library's adapter raises.
pub(crate) fn parse_as<'py>(body: &Bound<'py, PyBytes>, model: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Error> {
    let py = body.py();
    // What the libraries take for JSON differs; what this package does is decided here.
    let value = if is_plain(body.as_bytes()) {
        None
    } else {
        Some(decide(body, Numbers::AsPython)?)
    };
    let parse = py.import("listrak_webhooks._models")?.getattr("parse")?;
    // As with the payload: its error comes as a value, because a traceback would hold the body.
    let (result, error): (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>) =
        parse.call1((body, model, value))?.extract()?;
    error.map_or(Ok(result), |error| Err(PyErr::from_value(error).into()))
}

/// What becomes of numbers with a point or an exponent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// `float`, as in the payload.
    AsPython,
    /// `Decimal`, with every digit.
    Exact,
}

/// The value in `body`, by Python's `json`.
///
/// # Errors
///
/// [`Error::Payload`], with the place and without any of the content.
pub(crate) fn decide<'py>(body: &Bound<'py, PyBytes>, numbers: Numbers) -> Result<Bound<'py, PyAny>, Error> {
    if !limits::is_shallow(body.as_bytes()) {
        return Err(Error::Payload(format!(
            "the body nests deeper than {MAX_DEPTH} levels; use event.body to read it as it is"
        )));
    }
    let py = body.py();
    // Looked up each time, because each interpreter in the process has its own.
    let parse = py.import("listrak_webhooks._json")?.getattr("parse")?;
    // Errors are made here and not there: the frames of a traceback keep their variables, the body among them.
    let (value, problem): (Bound<'py, PyAny>, Option<String>) = match parse.call1((body, numbers == Numbers::Exact)) {
        Ok(answer) => answer.extract()?,
        Err(error) if error.is_instance_of::<PyRecursionError>(py) => {
            return Err(Error::Payload(
                "the stack is too full to read the body here; read event.payload before going so deep".to_owned(),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    match problem {
        None => Ok(value),
        Some(problem) => Err(Error::Payload(format!(
            "the body is not valid JSON: {problem}; use event.body to read it as it is"
        ))),
    }
}
