//! The raw body, out of what Python code holds it in.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString, PyType};

use crate::py::error::{Error, Result};
use crate::py::text::{self, Given, Unreadable};
use crate::verify::refusal::Refusal;

/// From this many bytes on, other threads may run while a body is hashed or searched. Below it, handing the interpreter
/// over and back costs more than the work.
pub(crate) const LARGE_BODY: usize = 64 * 1024;

/// `body` as `bytes`: the very object where it is `bytes` already, a snapshot where it could still change.
///
/// `check` sees the size, in bytes, before anything is copied.
///
/// # Errors
///
/// [`Error::WrongType`] for anything but `bytes`, `bytearray`, `memoryview` and a `str` that has a UTF-8 form; and what
/// `check` returns.
pub(crate) fn to_bytes<'py>(
    body: &Bound<'py, PyAny>,
    check: impl FnOnce(usize) -> Result<(), Refusal>,
) -> Result<Bound<'py, PyBytes>> {
    if let Ok(bytes) = body.cast::<PyBytes>() {
        of_bytes(bytes, check)
    } else if let Ok(array) = body.cast::<PyByteArray>() {
        check(array.len())?;
        Ok(PyBytes::new(body.py(), &array.to_vec()))
    } else if let Ok(view) = body.cast::<PyMemoryView>() {
        check(
            view.getattr("nbytes")
                .and_then(|size| size.extract())
                .map_err(|raised| unreadable_view(body.py(), raised))?,
        )?;
        // `tobytes` also takes views with steps or of wider items; the buffer protocol is not in the 3.10 ABI.
        let bytes = view
            .call_method0("tobytes")
            .map_err(|raised| unreadable_view(body.py(), raised))?;
        Ok(bytes.cast_into::<PyBytes>().map_err(PyErr::from)?)
    } else {
        match text::given(body) {
            Ok(Given::Text(text)) => of_text(&text, check),
            Ok(Given::Bytes(bytes)) => of_bytes(&bytes, check),
            Ok(_) | Err(Unreadable::Empty) => Err(wrong_type(body)),
            Err(Unreadable::Raised(raised)) => Err(Error::Raised(raised)),
        }
    }
}

fn of_bytes<'py>(
    bytes: &Bound<'py, PyBytes>,
    check: impl FnOnce(usize) -> Result<(), Refusal>,
) -> Result<Bound<'py, PyBytes>> {
    check(bytes.as_bytes().len())?;
    // A subclass could have ways of its own; what an Event holds is plain.
    Ok(match bytes.cast_exact::<PyBytes>() {
        Ok(plain) => plain.clone(),
        Err(_) => PyBytes::new(bytes.py(), bytes.as_bytes()),
    })
}

fn of_text<'py>(
    text: &Bound<'py, PyString>,
    check: impl FnOnce(usize) -> Result<(), Refusal>,
) -> Result<Bound<'py, PyBytes>> {
    let utf8 = text.to_cow().map_err(|_| {
        Error::WrongType(
            "body is a str that has no UTF-8 form (a lone surrogate); pass the raw request body, as bytes".to_owned(),
        )
    })?;
    check(utf8.len())?;
    Ok(PyBytes::new(text.py(), utf8.as_bytes()))
}

/// What to say of a view that `raised` this when it was asked for its size or its bytes.
fn unreadable_view(py: Python<'_>, raised: PyErr) -> Error {
    if raised.is_instance_of::<PyValueError>(py) {
        let released = "body is a memoryview that was released; pass the raw request body while it is there";
        return Error::WrongType(released.to_owned());
    }
    Error::Raised(raised)
}

fn wrong_type(body: &Bound<'_, PyAny>) -> Error {
    Error::WrongType(format!(
        "body must be bytes (or bytearray, memoryview, str), not {}; pass the raw request body, never parsed JSON: \
         request.get_data() in Flask, await request.body() in FastAPI, request.body in Django",
        type_name(body)
    ))
}

/// The name of `object`'s type, and of the class that it says it has if that is another; for a message, never its value.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    let class = object.get_type();
    let name = |class: &Bound<'_, PyType>| {
        class
            .name()
            .map_or_else(|_| "an object".to_owned(), |name| name.to_string())
    };
    match object.getattr("__class__").map(Bound::cast_into::<PyType>) {
        Ok(Ok(said)) if !said.is(&class) => format!("{} of {}", name(&class), name(&said)),
        _ => name(&class),
    }
}
