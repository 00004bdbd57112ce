//! What can go wrong with a call from Python, and which Python exception it becomes.

use std::fmt;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyType;
use pyo3::{PyErr, PyErrArguments};

use super::package;
use crate::verify::header::Header;
use crate::verify::refusal::Refusal;

/// What comes of a call from Python.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// The delivery was rejected.
    Refused(Refusal),
    /// A genuine body that is not a JSON object; the text says where.
    Payload(String),
    /// A delivery that is being handled at this moment.
    DuplicateDelivery,
    /// A replay guard that cannot remember a delivery; the text says why.
    ReplayGuard(String),
    /// The programmer's mistake, in a setting.
    Configuration(String),
    /// The programmer's mistake, in a type.
    WrongType(String),
    /// The programmer's mistake, in a value to sign.
    WrongValue(String),
    /// An exception that the caller's own object raised while it was being read.
    Raised(PyErr),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            // In the words of the guards that are written in Python.
            Self::DuplicateDelivery => f.write_str(
                "another request is handling this delivery at this moment; if that one fails, it can be sent again",
            ),
            Self::Payload(text)
            | Self::ReplayGuard(text)
            | Self::Configuration(text)
            | Self::WrongType(text)
            | Self::WrongValue(text) => f.write_str(text),
            Self::Raised(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<PyErr> for Error {
    fn from(raised: PyErr) -> Self {
        Self::Raised(raised)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let class = match error {
            Error::Refused(refusal) => return of_refusal(&refusal, text),
            Error::Payload(_) => "PayloadError",
            Error::DuplicateDelivery => "DuplicateDeliveryError",
            Error::ReplayGuard(_) => "ReplayGuardError",
            Error::Configuration(_) => "ConfigurationError",
            Error::WrongType(_) => return PyTypeError::new_err(text),
            Error::WrongValue(_) => return PyValueError::new_err(text),
            Error::Raised(raised) => return raised,
        };
        new_err(class, text)
    }
}

fn of_refusal(refusal: &Refusal, text: String) -> PyErr {
    let class = class_of(refusal);
    match refusal {
        Refusal::StaleTimestamp { skew, .. } | Refusal::FutureTimestamp { skew, .. } => new_err(class, (text, *skew)),
        _ => new_err(class, text),
    }
}

/// The exception for a refusal.
const fn class_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::MissingHeader(_) => "MissingHeaderError",
        Refusal::MalformedTimestamp { .. } | Refusal::RepeatedHeader(Header::Timestamp) => "MalformedTimestampError",
        Refusal::MalformedSignature(_) | Refusal::RepeatedHeader(Header::Signature) => "MalformedSignatureError",
        Refusal::SignatureMismatch { .. } => "SignatureMismatchError",
        Refusal::StaleTimestamp { .. } => "StaleTimestampError",
        Refusal::FutureTimestamp { .. } => "FutureTimestampError",
        Refusal::BodyTooLarge { .. } => "BodyTooLargeError",
    }
}

/// The code of the exception for a refusal.
///
/// # Errors
///
/// What Python raises if it cannot be looked up.
pub(crate) fn code(py: Python<'_>, refusal: &Refusal) -> Result<String> {
    Ok(package::EXCEPTIONS
        .get(py, class_of(refusal))?
        .getattr("code")?
        .extract()?)
}

/// An instance of one of our exceptions, which are Python's own classes so that they pickle, document and type-check
/// like any other.
fn new_err<A>(class: &'static str, arguments: A) -> PyErr
where
    A: PyErrArguments + Send + Sync + 'static,
{
    Python::attach(|py| {
        let found = package::EXCEPTIONS
            .get(py, class)
            .and_then(|class| Ok(class.cast_into::<PyType>()?));
        match found {
            Ok(class) => PyErr::from_type(class, arguments),
            Err(error) => error,
        }
    })
}
