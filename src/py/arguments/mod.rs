//! What the user sets, checked once, as it comes in: each type here is one argument of the public interface.

mod aliases;
mod seconds;
mod secrets;

use std::convert::Infallible;

#[cfg(feature = "stub")]
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use self::aliases::optional_aliases;
pub(crate) use self::aliases::{UsersNames, aliases, aliases_to_dict, built_in_aliases};
use self::seconds::{Seconds, clock, now, read_clock, signing_time, tolerance};
pub(crate) use self::secrets::{Checked, keys_in_environment};
use self::secrets::{checked_keys, keys};
use crate::py::body::type_name;
use crate::py::error::{Error, Result};
#[cfg(feature = "stub")]
use crate::py::hints;
use crate::py::package;
use crate::py::text::{Given, given};
use crate::py::webhook::Webhook;
use crate::verify::key::Keys;
use crate::verify::signature::Encoding;

/// The longest tolerance, in seconds: a year of 365 days.
pub(crate) const MAX_TOLERANCE: i64 = 365 * 24 * 60 * 60;

/// Fifteen minutes, the example in Listrak's article.
pub(crate) const DEFAULT_TOLERANCE: Tolerance = Tolerance(900);

/// Carts of over 100 kB are known from public integrations; this leaves room.
pub(crate) const DEFAULT_MAX_BODY: MaxBody = MaxBody(4 * 1024 * 1024);

/// Makes a type of one argument: what it holds, what converts it, and what the stub calls it.
macro_rules! argument {
    ($(#[$attribute:meta])* $name:ident($inner:ty) by $convert:ident, typed $hint:expr) => {
        $(#[$attribute])*
        pub(crate) struct $name(pub(crate) $inner);

        impl<'py> FromPyObject<'_, 'py> for $name {
            type Error = Error;

            #[cfg(feature = "stub")]
            const INPUT_TYPE: PyStaticExpr = $hint;

            fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self> {
                $convert(&object).map(Self)
            }
        }
    };
}

argument! {
    /// One secret, or a list of them, the current one first.
    Secrets(Keys) by keys, typed hints::SECRETS
}
argument! {
    /// The same, with warnings of what looks like a slip.
    CheckedSecrets(Checked) by checked_keys, typed hints::SECRETS
}
argument! {
    /// The name of an environment variable.
    VariableName(String) by variable_name, typed hints::STR
}
argument! {
    /// Whole seconds either way.
    #[derive(Clone, Copy)]
    Tolerance(i64) by tolerance, typed hints::TOLERANCE
}
argument! {
    /// The one encoding to accept, or `None` for both.
    #[derive(Clone, Copy)]
    AcceptedEncoding(Option<Encoding>) by accepted_encoding, typed hints::ACCEPTED_ENCODING
}
argument! {
    /// The encoding to sign in.
    #[derive(Clone, Copy)]
    SigningEncoding(Encoding) by signing_encoding, typed hints::SIGNING_ENCODING
}
argument! {
    /// The size limit, in bytes.
    #[derive(Clone, Copy)]
    MaxBody(usize) by max_body, typed hints::INT
}
argument! {
    /// The size of a body as it was announced, in bytes.
    #[derive(Clone, Copy)]
    Size(usize) by size, typed hints::INT
}
argument! {
    /// Our own clock as the caller gives it: Unix seconds, rounded down.
    #[derive(Clone, Copy)]
    Now(i64) by now, typed hints::FLOAT
}
argument! {
    /// How many deliveries a replay guard remembers at most.
    #[derive(Clone, Copy)]
    MaxEntries(usize) by max_entries, typed hints::INT
}
argument! {
    /// How long a claim lasts, in milliseconds.
    #[derive(Clone, Copy)]
    Lease(i64) by lease, typed hints::FLOAT
}
argument! {
    /// The caller's own clock.
    Clock(Py<PyAny>) by clock, typed hints::CLOCK
}
argument! {
    /// The seconds to sign with.
    #[derive(Clone, Copy)]
    SigningTime(i64) by signing_time, typed hints::SIGNING_TIME
}
argument! {
    /// Other webhooks.
    Webhooks(Vec<Py<Webhook>>) by webhooks, typed hints::WEBHOOKS
}
argument! {
    /// The user's own names for the views.
    Aliases(UsersNames) by optional_aliases, typed hints::ALIASES
}

impl Clock {
    /// The time in Unix seconds, rounded down.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for whatever the clock does instead of saying the time.
    pub(crate) fn seconds(&self, py: Python<'_>) -> Result<i64> {
        read_clock(py, &self.0, Seconds::floor)
    }

    /// The same in milliseconds.
    ///
    /// # Errors
    ///
    /// As [`seconds`](Self::seconds).
    pub(crate) fn milliseconds(&self, py: Python<'_>) -> Result<i64> {
        read_clock(py, &self.0, Seconds::milliseconds)
    }
}

impl<'py> IntoPyObject<'py> for Clock {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = Infallible;

    #[cfg(feature = "stub")]
    const OUTPUT_TYPE: PyStaticExpr = hints::CLOCK;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Infallible> {
        Ok(self.0.into_bound(py))
    }
}

/// Makes a type of an argument that is taken as it is, and what the stub calls it.
macro_rules! as_it_is {
    ($(#[$attribute:meta])* $name:ident, typed $hint:expr) => {
        $(#[$attribute])*
        pub(crate) struct $name<'py>(pub(crate) Bound<'py, PyAny>);

        impl<'py> FromPyObject<'_, 'py> for $name<'py> {
            type Error = Infallible;

            #[cfg(feature = "stub")]
            const INPUT_TYPE: PyStaticExpr = $hint;

            fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
                Ok(Self(object.to_owned()))
            }
        }
    };
}

as_it_is! {
    /// Whatever holds the headers.
    Headers, typed hints::HEADERS
}
as_it_is! {
    /// A type of the user's, for a library of the user's to read.
    Model, typed hints::MODEL
}
as_it_is! {
    /// What `from_dict` is given.
    Data, typed hints::DICT
}

/// The text that is `argument`. Fails with [`Error::Configuration`].
fn text_of(object: &Bound<'_, PyAny>, argument: &str, meaning: &str) -> Result<String> {
    let fact = match given(object) {
        Ok(Given::Text(text)) => match text.extract() {
            Ok(text) => return Ok(text),
            Err(_) => "has no UTF-8 form (a lone surrogate)".to_owned(),
        },
        Ok(_) => format!("must be a str, {meaning}, not {}", type_name(object)),
        Err(unreadable) => unreadable.explain(object)?,
    };
    Err(Error::Configuration(format!("{argument} {fact}")))
}

/// Fails with [`Error::Configuration`].
fn variable_name(object: &Bound<'_, PyAny>) -> Result<String> {
    text_of(object, "name", "the name of an environment variable")
}

/// The encoding that `name` names to `known`. Fails with [`Error::Configuration`].
fn encoding<T>(name: &Bound<'_, PyAny>, known: impl Fn(&str) -> Option<T>, names: &str) -> Result<T> {
    match text_of(name, "encoding", "") {
        Ok(name) => known(&name),
        Err(raised @ Error::Raised(_)) => return Err(raised),
        Err(_) => None,
    }
    .ok_or_else(|| Error::Configuration(format!("encoding must be {names}")))
}

/// Fails with [`Error::Configuration`].
fn accepted_encoding(name: &Bound<'_, PyAny>) -> Result<Option<Encoding>> {
    let known = |name: &str| match name {
        "any" => Some(None),
        name => Encoding::from_name(name).map(Some),
    };
    encoding(name, known, "\"any\", \"base64\" or \"hex\"")
}

/// Fails with [`Error::Configuration`].
fn signing_encoding(name: &Bound<'_, PyAny>) -> Result<Encoding> {
    encoding(name, Encoding::from_name, "\"base64\" or \"hex\"")
}

/// Fails with [`Error::Configuration`].
fn max_body(object: &Bound<'_, PyAny>) -> Result<usize> {
    positive(object).ok_or_else(|| Error::Configuration("max_body must be a positive int, in bytes".to_owned()))
}

/// Fails with [`Error::Configuration`].
fn max_entries(object: &Bound<'_, PyAny>) -> Result<usize> {
    positive(object).ok_or_else(|| Error::Configuration("max_entries must be a positive int".to_owned()))
}

fn positive(object: &Bound<'_, PyAny>) -> Option<usize> {
    let number: Option<isize> = if object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyBool>() {
        object.extract().ok()
    } else {
        None
    };
    number
        .filter(|number| *number > 0)
        .and_then(|number| usize::try_from(number).ok())
}

/// Fails with [`Error::Configuration`], in the words of the guards that are written in Python.
fn lease(object: &Bound<'_, PyAny>) -> Result<i64> {
    let seconds: f64 = package::GUARDS
        .get(object.py(), "check_lease")?
        .call1((object,))?
        .extract()?;
    #[allow(clippy::cast_possible_truncation, reason = "at most a year of milliseconds")]
    Ok((seconds * 1000.0).ceil() as i64)
}

/// Fails with [`Error::WrongType`] and [`Error::WrongValue`]. What is beyond this machine is as large as can be.
fn size(object: &Bound<'_, PyAny>) -> Result<usize> {
    if !object.is_instance_of::<PyInt>() {
        return Err(Error::WrongType(format!(
            "size must be an int, not {}",
            type_name(object)
        )));
    }
    if object.lt(0)? {
        return Err(Error::WrongValue("size must not be negative".to_owned()));
    }
    Ok(object.extract().unwrap_or(usize::MAX))
}

fn webhooks(object: &Bound<'_, PyAny>) -> Result<Vec<Py<Webhook>>> {
    object.extract().map_err(|_| {
        Error::WrongType(format!(
            "others must be a list or tuple of Webhooks, not {}; pass the other endpoints' webhooks",
            type_name(object)
        ))
    })
}
