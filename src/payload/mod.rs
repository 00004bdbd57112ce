//! Verified bytes to Python objects.
//!
//! The promise is that of `json.loads(body.decode("utf-8"))` with NaN and the infinities refused: integers of any size
//! exact, floats to the bit, the last of duplicate keys. `jiter` does it in one pass. What it does not read goes to
//! Python's own `json`, which then decides: that is how lone surrogates, which RFC 8259 allows and Rust strings cannot
//! hold, come out as `json` gives them, and how both parsers refuse the same bodies in the same words.

use jiter::{JsonErrorType, PythonParse, StringCacheMode};
use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::error::Error;

/// How deep a body may nest: the outermost object is the first level, and every value within, a number or a string
/// too, is one deeper than what holds it. It is jiter's limit, kept for both parsers; neither stack is in danger.
const MAX_DEPTH: usize = 201;

/// The JSON object in `body`.
///
/// # Errors
///
/// [`Error::Payload`], with the place and without any of the content.
pub(crate) fn parse<'py>(body: &Bound<'py, PyBytes>) -> Result<Bound<'py, PyDict>, Error> {
    let py = body.py();
    let parser = PythonParse {
        allow_inf_nan: false,
        // Keys repeat from delivery to delivery and are shared; values are personal and are not kept.
        cache_mode: StringCacheMode::Keys,
        ..PythonParse::default()
    };
    let value = match parser.python_parse(py, body.as_bytes()) {
        Ok(value) => value,
        Err(error) if error.error_type == JsonErrorType::RecursionLimitExceeded => return Err(too_deep()),
        Err(_) => parse_slowly(body)?,
    };
    value.cast_into::<PyDict>().map_err(|_| {
        Error::Payload(
            "the body is JSON but not an object at the top level; use event.body to read it as it is".to_owned(),
        )
    })
}

/// The same by Python's `json`, for what jiter does not read.
fn parse_slowly<'py>(body: &Bound<'py, PyBytes>) -> Result<Bound<'py, PyAny>, Error> {
    if !is_shallow(body.as_bytes()) {
        return Err(too_deep());
    }
    let py = body.py();
    // Looked up each time, because each interpreter in the process has its own.
    let parse = py.import("listrak_webhooks._json")?.getattr("parse")?;
    // Errors are made here and not there: the frames of a traceback keep their variables, the body among them.
    let (value, problem): (Bound<'py, PyAny>, Option<String>) = match parse.call1((body,)) {
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

fn too_deep() -> Error {
    Error::Payload(format!(
        "the body nests deeper than {MAX_DEPTH} levels; use event.body to read it as it is"
    ))
}

/// Whether no value in `body`, which may be no JSON at all, lies deeper than [`MAX_DEPTH`].
fn is_shallow(body: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for &byte in body {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            // Anything else at the last level stands for a value, or for the key of one, below it.
            _ if depth >= MAX_DEPTH => return false,
            b'{' | b'[' => depth += 1,
            b'"' => in_string = true,
            _ => {}
        }
    }
    true
}
