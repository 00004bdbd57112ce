//! A body as Python objects: the fast way first, then the one that knows everything.

use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyString};
use serde::de::IgnoredAny;

use super::exact::{FloatRecorder, Payload};
use super::to_python::{self, Built, KeyCache};
use crate::payload::fast_path::{self, MAX_DEPTH};
use crate::payload::utf8;
use crate::py::error::{Error, Result};
use crate::py::package;

/// The JSON object in `body`.
///
/// # Errors
///
/// [`Error::Payload`], with the place and without any of the content.
pub(crate) fn object(body: &Bound<'_, PyBytes>, keys: &mut KeyCache) -> Result<Payload> {
    let (py, text) = (body.py(), text(body.as_bytes())?);
    let ((value, floats), has_surrogates) = match to_python::build(py, text, keys)? {
        Built::Value(value, floats) => ((value, floats), false),
        Built::Unclear { read } => (decide(py, text, read)?, fast_path::has_lone_surrogate(text)),
    };
    let dict = value.cast_into::<PyDict>().map_err(|_| {
        Error::Payload(
            "the body is JSON but not an object at the top level; use event.body to read it as it is".to_owned(),
        )
    })?;
    Ok(Payload::new(dict, floats, has_surrogates))
}

/// The JSON text in `body`.
///
/// # Errors
///
/// [`Error::Payload`], if it has none.
pub(crate) fn text(body: &[u8]) -> Result<&str> {
    utf8::text(body).map_err(|problem| not_json(&problem))
}

fn not_json(problem: &str) -> Error {
    Error::Payload(format!(
        "the body is not valid JSON: {problem}; use event.body to read it as it is"
    ))
}

/// The value that a string holds as JSON; `None` if it is not JSON, or more than a view opens.
pub(crate) fn open<'py>(py: Python<'py>, text: &str) -> Option<Bound<'py, PyAny>> {
    if fast_path::is_too_much_to_open(text) {
        return None;
    }
    match to_python::build(py, text, &mut KeyCache::default()).ok()? {
        Built::Value(value, _) => Some(value),
        Built::Unclear { read } => Some(decide(py, text, read).ok()?.0),
    }
}

/// Whether `text` is JSON that any reader of it can be trusted with, seen in one pass and without building anything.
/// If not, [`decide`] says what it is.
pub(crate) fn is_plain(text: &str) -> bool {
    fast_path::is_ordinary(text.as_bytes()) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The value in `text`, by Python's `json`, with all its floats in their order if any of them may have lost digits.
/// `read` is how much of `text` is known to be of any concern: nothing behind that is JSON's.
///
/// # Errors
///
/// [`Error::Payload`], with the place and without any of the content.
pub(crate) fn decide<'py>(py: Python<'py>, text: &str, read: usize) -> Result<(Bound<'py, PyAny>, Vec<Py<PyFloat>>)> {
    // Before Python's parser sees it, which on a deep body can run out of stack.
    let concern = text.get(..read).unwrap_or(text);
    if !fast_path::is_shallow(concern.as_bytes()) {
        return Err(Error::Payload(format!(
            "the body nests deeper than {MAX_DEPTH} levels; use event.body to read it as it is"
        )));
    }
    let (longest, end) = fast_path::longest_integer(concern, UNLIMITED_DIGITS);
    let mut floats = fast_path::floats(concern.get(..end).unwrap_or(concern));
    let are_exact = floats.all(|(_, float)| fast_path::is_exact_in_a_double(float));
    let recorder = (!are_exact)
        .then(|| Bound::new(py, FloatRecorder::default()))
        .transpose()?;
    let parse_float = recorder
        .as_ref()
        .map(|recorder| recorder.getattr("record"))
        .transpose()?;
    // Looked up each time, because each interpreter in the process has its own.
    let parse = package::JSON.get(py, "parse")?;
    // Errors are made here and not there: the frames of a traceback keep their variables, the text among them.
    let answer = parse.call1((PyString::new(py, text), parse_float, longest));
    let (value, problem): (Bound<'py, PyAny>, Option<String>) = match answer {
        Ok(answer) => answer.extract()?,
        Err(error) if error.is_instance_of::<PyRecursionError>(py) => {
            return Err(Error::Payload(
                "the stack is too full to read the body here; read event.payload before going so deep".to_owned(),
            ));
        }
        Err(error) => {
            // Out of memory, or an interrupt.
            error.set_traceback(py, None);
            error.set_context(py, None);
            return Err(error.into());
        }
    };
    match problem {
        None => Ok((
            value,
            recorder.map(|recorder| recorder.get().take()).unwrap_or_default(),
        )),
        Some(problem) => Err(not_json(&problem)),
    }
}

/// What Python reads as an integer whatever the process has set (`sys.int_info.str_digits_check_threshold`).
const UNLIMITED_DIGITS: usize = 640;

/// `body` as a type of the user's, read by a library of the user's.
///
/// # Errors
///
/// [`Error::Payload`] if it is not JSON, and what the library's adapter raises.
pub(crate) fn parse_as<'py>(body: &Bound<'py, PyBytes>, model: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
    let py = body.py();
    // What the libraries take for JSON differs; what this package does is decided here.
    let text = text(body.as_bytes())?;
    let value = if is_plain(text) {
        None
    } else {
        Some(decide(py, text, text.len())?.0)
    };
    // The libraries do not pass over a byte order mark.
    let json = if text.len() == body.as_bytes().len() {
        body.clone()
    } else {
        PyBytes::new(py, text.as_bytes())
    };
    let parse = package::MODELS.get(py, "parse")?;
    // As with the payload: its error comes as a value, because a traceback would hold the body.
    let (result, error): (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>) =
        parse.call1((json, model, value))?.extract()?;
    error.map_or(Ok(result), |error| Err(PyErr::from_value(error).into()))
}
