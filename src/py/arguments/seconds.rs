//! Times and spans, and the clock of the user's own.

use std::time::Duration;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDelta, PyFloat, PyInt};

use super::MAX_TOLERANCE;
use crate::py::body::type_name;
use crate::py::error::{Error, Result};

/// A number of seconds or a `timedelta`. Clocks are read in whole seconds, so a fraction of one can make no difference
/// and is dropped. Fails with [`Error::Configuration`].
pub(super) fn tolerance(object: &Bound<'_, PyAny>) -> Result<i64> {
    let wrong = || {
        Error::Configuration(format!(
            "tolerance must be from 0 to {MAX_TOLERANCE} seconds (365 days), as int, float or timedelta; to check an \
             old capture, pass its time as now="
        ))
    };
    let seconds = if object.is_instance_of::<PyDelta>() {
        // A negative span has no `Duration`.
        let span: Option<Duration> = object.extract().ok();
        span.filter(|span| *span <= Duration::from_secs(MAX_TOLERANCE.unsigned_abs()))
            .and_then(|span| i64::try_from(span.as_secs()).ok())
    } else {
        Seconds::read(object).and_then(|seconds| match seconds {
            Seconds::Whole(whole) => Some(whole),
            Seconds::Float(float) if (0.0..=MAX_TOLERANCE_FLOAT).contains(&float) => floor(float),
            Seconds::Float(_) => None,
        })
    };
    seconds
        .filter(|seconds| (0..=MAX_TOLERANCE).contains(seconds))
        .ok_or_else(wrong)
}

#[allow(clippy::cast_precision_loss, reason = "a year of seconds is far below 2^53")]
const MAX_TOLERANCE_FLOAT: f64 = MAX_TOLERANCE as f64;

/// Fails with [`Error::WrongType`] for what is not a number, [`Error::Configuration`] for a number that is not a time.
pub(super) fn now(object: &Bound<'_, PyAny>) -> Result<i64> {
    if !is_number(object) {
        return Err(Error::WrongType(format!(
            "now must be Unix seconds, int or float, not {}",
            type_name(object)
        )));
    }
    Seconds::read(object)
        .and_then(Seconds::floor)
        .ok_or_else(|| Error::Configuration("now must be Unix seconds, a finite number that fits 64 bits".to_owned()))
}

/// An `int` or an aware `datetime`. Fails with [`Error::WrongType`] and [`Error::WrongValue`].
pub(super) fn signing_time(object: &Bound<'_, PyAny>) -> Result<i64> {
    if object.is_none() {
        return Err(Error::WrongType(
            "timestamp must be an int of Unix seconds or an aware datetime, not None: the receiver needs the timestamp \
             that was signed; pass the one that you send, or use Webhook.signed_headers, which returns both headers"
                .to_owned(),
        ));
    }
    if object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyBool>() {
        // What does not fit cannot have ten digits, and is rejected as such.
        return Ok(object.extract().unwrap_or(i64::MAX));
    }
    if !object.is_instance_of::<PyDateTime>() {
        return Err(Error::WrongType(format!(
            "timestamp must be an int of Unix seconds or an aware datetime, not {}",
            type_name(object)
        )));
    }
    if object.call_method0("utcoffset")?.is_none() {
        return Err(Error::WrongValue(
            "timestamp is a naive datetime; give it a time zone, such as datetime.now(timezone.utc)".to_owned(),
        ));
    }
    let seconds: f64 = object.call_method0("timestamp")?.extract()?;
    Ok(floor(seconds).unwrap_or(i64::MAX))
}

/// Fails with [`Error::Configuration`].
pub(super) fn clock(object: &Bound<'_, PyAny>) -> Result<Py<PyAny>> {
    if object.is_callable() {
        Ok(object.clone().unbind())
    } else {
        Err(Error::Configuration(
            "clock must be a function that returns Unix seconds".to_owned(),
        ))
    }
}

/// What the user's own `clock` says. Whatever it does instead of saying the time is an [`Error::Configuration`], whose
/// cause is what it raised.
pub(super) fn read_clock(py: Python<'_>, clock: &Py<PyAny>, convert: fn(Seconds) -> Option<i64>) -> Result<i64> {
    let time = match clock.bind(py).call0() {
        Ok(time) => time,
        Err(raised) if raised.is_instance_of::<PyException>(py) => {
            let wrong: PyErr = Error::Configuration(format!(
                "clock raised {} and did not return Unix seconds; check the function that was passed as clock",
                raised.get_type(py).name()?
            ))
            .into();
            wrong.set_cause(py, Some(raised));
            return Err(Error::Raised(wrong));
        }
        Err(raised) => return Err(Error::Raised(raised)),
    };
    Seconds::read(&time).and_then(convert).ok_or_else(|| {
        let returned = if is_number(&time) {
            "a number that is not a time".to_owned()
        } else {
            type_name(&time)
        };
        Error::Configuration(format!(
            "clock must return Unix seconds, a finite int or float, and returned {returned}; check the function that was \
             passed as clock"
        ))
    })
}

/// A number of seconds, as Python has it.
#[derive(Clone, Copy)]
pub(super) enum Seconds {
    Whole(i64),
    Float(f64),
}

impl Seconds {
    fn read(object: &Bound<'_, PyAny>) -> Option<Self> {
        if !is_number(object) {
            None
        } else if let Ok(float) = object.cast::<PyFloat>() {
            Some(Self::Float(float.value()))
        } else {
            object.extract().ok().map(Self::Whole)
        }
    }

    /// Whole seconds, rounded down; `None` if it is not a time.
    pub(super) fn floor(self) -> Option<i64> {
        match self {
            Self::Whole(whole) => Some(whole),
            Self::Float(float) => floor(float),
        }
    }

    /// Whole milliseconds, rounded down; `None` if it is not a time.
    pub(super) fn milliseconds(self) -> Option<i64> {
        match self {
            Self::Whole(whole) => whole.checked_mul(1000),
            Self::Float(float) => floor(float * 1000.0),
        }
    }
}

fn is_number(object: &Bound<'_, PyAny>) -> bool {
    // `True` is an int to Python; as a time or a span it is a slip.
    !object.is_instance_of::<PyBool>() && (object.is_instance_of::<PyInt>() || object.is_instance_of::<PyFloat>())
}

fn floor(seconds: f64) -> Option<i64> {
    // Beyond 2^62 a double is not a time; the bound keeps the cast exact.
    const BOUND: f64 = 4_611_686_018_427_387_904.0;
    #[allow(clippy::cast_possible_truncation, reason = "the bound is checked")]
    (seconds.abs() < BOUND).then(|| seconds.floor() as i64)
}
