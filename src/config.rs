//! What the user sets, checked once, as it comes in: each type here is one argument of the public interface.

use std::convert::Infallible;
use std::time::Duration;

#[cfg(feature = "stub")]
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyMapping, PyMemoryView, PySequence,
    PyString,
};
#[cfg(feature = "stub")]
use pyo3::{type_hint_identifier, type_hint_subscript};

use crate::body::type_name;
use crate::error::Error;
use crate::payload::names::{Concept, Names, Path};
use crate::signature::{Encoding, Key, Keys, SecretFault};

/// The longest tolerance, in seconds: a year of 365 days.
pub(crate) const MAX_TOLERANCE: i64 = 365 * 24 * 60 * 60;

/// Makes a type of one argument: what it holds, what converts it, and what the stub calls it.
macro_rules! argument {
    ($(#[$attribute:meta])* $name:ident($inner:ty) by $convert:ident, typed $module:literal $hint:literal) => {
        $(#[$attribute])*
        pub(crate) struct $name(pub(crate) $inner);

        impl<'py> FromPyObject<'_, 'py> for $name {
            type Error = Error;

            #[cfg(feature = "stub")]
            const INPUT_TYPE: PyStaticExpr = type_hint_identifier!($module, $hint);

            fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Error> {
                $convert(&object).map(Self)
            }
        }
    };
}

argument! {
    /// One secret, or a sequence of them, the current one first.
    Secrets(Keys) by keys, typed "listrak_webhooks._types" "Secrets"
}
argument! {
    /// Whole seconds either way.
    #[derive(Clone, Copy)]
    Tolerance(i64) by tolerance, typed "listrak_webhooks._types" "Tolerance"
}
argument! {
    /// The one encoding to accept, or `None` for both.
    #[derive(Clone, Copy)]
    AcceptedEncoding(Option<Encoding>) by accepted_encoding, typed "listrak_webhooks._types" "AcceptedEncoding"
}
argument! {
    /// The encoding to sign in.
    #[derive(Clone, Copy)]
    SigningEncoding(Encoding) by signing_encoding, typed "listrak_webhooks._types" "SigningEncoding"
}
argument! {
    /// The size limit, in bytes.
    #[derive(Clone, Copy)]
    MaxBody(usize) by max_body, typed "builtins" "int"
}
argument! {
    /// The size of a body as it was announced, in bytes.
    #[derive(Clone, Copy)]
    Size(usize) by size, typed "builtins" "int"
}
argument! {
    /// Our own clock as the caller gives it: Unix seconds, rounded down.
    #[derive(Clone, Copy)]
    Now(i64) by now, typed "builtins" "float"
}
argument! {
    /// How many deliveries a replay guard remembers at most.
    #[derive(Clone, Copy)]
    MaxEntries(usize) by max_entries, typed "builtins" "int"
}
argument! {
    /// How long a claim lasts, in milliseconds.
    #[derive(Clone, Copy)]
    Lease(i64) by lease, typed "builtins" "float"
}
argument! {
    /// The caller's own clock.
    Clock(Py<PyAny>) by clock, typed "listrak_webhooks._types" "Clock"
}
argument! {
    /// The seconds to sign with.
    #[derive(Clone, Copy)]
    SigningTime(i64) by signing_time, typed "listrak_webhooks._types" "SigningTime"
}

argument! {
    /// The user's own names for the views.
    Aliases(UsersNames) by optional_aliases, typed "listrak_webhooks._types" "Aliases"
}

/// Paths by what they lead to, as the user gave them.
pub(crate) type UsersNames = Vec<(Concept, Vec<String>)>;

/// Whatever holds the headers, as it is.
pub(crate) struct Headers<'py>(pub(crate) Bound<'py, PyAny>);

impl<'py> FromPyObject<'_, 'py> for Headers<'py> {
    type Error = Infallible;

    #[cfg(feature = "stub")]
    const INPUT_TYPE: PyStaticExpr = type_hint_identifier!("listrak_webhooks._types", "Headers");

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(object.to_owned()))
    }
}

/// A type of the user's, for a library of the user's to read.
pub(crate) struct Model<'py>(pub(crate) Bound<'py, PyAny>);

impl<'py> FromPyObject<'_, 'py> for Model<'py> {
    type Error = Infallible;

    #[cfg(feature = "stub")]
    const INPUT_TYPE: PyStaticExpr = type_hint_subscript!(
        type_hint_identifier!("builtins", "type"),
        type_hint_identifier!("listrak_webhooks._types", "T")
    );

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(object.to_owned()))
    }
}

/// Fails with [`Error::Configuration`], which never shows the secret.
fn keys(secret: &Bound<'_, PyAny>) -> Result<Keys, Error> {
    if secret.is_instance_of::<PyString>() || secret.is_instance_of::<PyBytes>() {
        return Keys::new([key(secret, "the secret")?]).ok_or_else(no_secret);
    }
    let Some(secrets) = sequence(secret) else {
        return Err(Error::Configuration(format!(
            "secret must be str, bytes or a sequence of them, not {}; pass the HMAC Secret that Listrak shows for the \
             webhook",
            type_name(secret)
        )));
    };
    let mut keys = Vec::new();
    for secret in secrets.try_iter()? {
        let place = format!("secret number {}", keys.len() + 1);
        keys.push(key(&secret?, &place)?);
    }
    Keys::new(keys).ok_or_else(no_secret)
}

fn no_secret() -> Error {
    Error::Configuration("the sequence of secrets is empty; without a secret nothing can be verified".to_owned())
}

/// `object` as a sequence, unless it is one of numbers: `bytearray` and `memoryview` are no secrets, nor lists of them.
fn sequence<'a, 'py>(object: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PySequence>> {
    if object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>() {
        return None;
    }
    object.cast().ok()
}

/// The keys in the environment variable `name` and, where it is set, `<name>_PREVIOUS`.
///
/// # Errors
///
/// [`Error::Configuration`], which names the variable.
pub(crate) fn keys_in_environment(py: Python<'_>, name: &str) -> Result<Secrets, Error> {
    // Python's view of the environment, which is the one that `.env` loaders and tests change.
    let environ = py.import("os")?.getattr("environ")?;
    let mut keys = Vec::new();
    for name in [name.to_owned(), format!("{name}_PREVIOUS")] {
        let secret = environ.call_method1("get", (&name, ""))?;
        if !secret.is_empty()? {
            keys.push(key(&secret, &format!("the environment variable {name}"))?);
        } else if keys.is_empty() {
            return Err(Error::Configuration(format!(
                "the environment variable {name} is not set or empty; set it to the HMAC Secret that Listrak shows \
                 for the webhook"
            )));
        }
    }
    Keys::new(keys).map(Secrets).ok_or_else(no_secret)
}

/// The key for the one secret in `object`; `place` is what a message calls it.
fn key(object: &Bound<'_, PyAny>, place: &str) -> Result<Key, Error> {
    let key = if let Ok(text) = object.cast::<PyString>() {
        let Ok(text) = text.to_cow() else {
            return Err(Error::Configuration(format!(
                "{place} has no UTF-8 form (a lone surrogate); copy it again from Listrak"
            )));
        };
        Key::from_text(&text)
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Key::from_bytes(bytes.as_bytes())
    } else {
        return Err(Error::Configuration(format!(
            "{place} must be str or bytes, not {}; pass the HMAC Secret that Listrak shows for the webhook",
            type_name(object)
        )));
    };
    key.map_err(|fault| {
        let fact = match fault {
            SecretFault::Empty => "is empty",
            SecretFault::Blank => "is blank",
            SecretFault::SurroundingSpace => "has white space before or after it",
            SecretFault::ByteOrderMark => "has a byte order mark in it",
            SecretFault::Control => "has a control character in it",
        };
        Error::Configuration(format!(
            "{place} {fact}; copy the HMAC Secret again from Listrak, exactly as it is shown"
        ))
    })
}

/// A number of seconds or a `timedelta`. Clocks are read in whole seconds, so a fraction of one can make no difference
/// and is dropped. Fails with [`Error::Configuration`].
fn tolerance(object: &Bound<'_, PyAny>) -> Result<i64, Error> {
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
        seconds(object).and_then(|seconds| match seconds {
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

/// Fails with [`Error::WrongType`] for what is no number, [`Error::Configuration`] for a number that is no time.
fn now(object: &Bound<'_, PyAny>) -> Result<i64, Error> {
    if !is_number(object) {
        return Err(Error::WrongType(format!(
            "now must be Unix seconds, int or float, not {}",
            type_name(object)
        )));
    }
    let whole = seconds(object).and_then(|seconds| match seconds {
        Seconds::Whole(whole) => Some(whole),
        Seconds::Float(float) => floor(float),
    });
    whole.ok_or_else(|| Error::Configuration("now must be Unix seconds, a finite number that fits 64 bits".to_owned()))
}

enum Seconds {
    Whole(i64),
    Float(f64),
}

fn is_number(object: &Bound<'_, PyAny>) -> bool {
    // `True` is an int to Python; as a time or a span it is a slip.
    !object.is_instance_of::<PyBool>() && (object.is_instance_of::<PyInt>() || object.is_instance_of::<PyFloat>())
}

fn seconds(object: &Bound<'_, PyAny>) -> Option<Seconds> {
    if !is_number(object) {
        None
    } else if let Ok(float) = object.cast::<PyFloat>() {
        Some(Seconds::Float(float.value()))
    } else {
        object.extract().ok().map(Seconds::Whole)
    }
}

fn floor(seconds: f64) -> Option<i64> {
    // Beyond 2^62 a double is no clock; the bound keeps the cast exact.
    const BOUND: f64 = 4_611_686_018_427_387_904.0;
    #[allow(clippy::cast_possible_truncation, reason = "the bound is checked")]
    (seconds.abs() < BOUND).then(|| seconds.floor() as i64)
}

/// Fails with [`Error::Configuration`].
fn accepted_encoding(object: &Bound<'_, PyAny>) -> Result<Option<Encoding>, Error> {
    let name: Option<String> = object.extract().ok();
    match name.as_deref() {
        Some("any") => Ok(None),
        Some(name) if Encoding::from_name(name).is_some() => Ok(Encoding::from_name(name)),
        _ => Err(Error::Configuration(
            "encoding must be \"any\", \"base64\" or \"hex\"".to_owned(),
        )),
    }
}

/// Fails with [`Error::Configuration`].
fn signing_encoding(name: &Bound<'_, PyAny>) -> Result<Encoding, Error> {
    let name: Option<String> = name.extract().ok();
    name.as_deref()
        .and_then(Encoding::from_name)
        .ok_or_else(|| Error::Configuration("encoding must be \"base64\" or \"hex\"".to_owned()))
}

/// Fails with [`Error::Configuration`].
fn max_body(object: &Bound<'_, PyAny>) -> Result<usize, Error> {
    positive(object).ok_or_else(|| Error::Configuration("max_body must be a positive int, in bytes".to_owned()))
}

/// Fails with [`Error::Configuration`].
fn max_entries(object: &Bound<'_, PyAny>) -> Result<usize, Error> {
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
fn lease(object: &Bound<'_, PyAny>) -> Result<i64, Error> {
    let seconds: f64 = object
        .py()
        .import("listrak_webhooks.replay._guard")?
        .call_method1("check_lease", (object,))?
        .extract()?;
    #[allow(clippy::cast_possible_truncation, reason = "at most a year of milliseconds")]
    Ok((seconds * 1000.0).ceil() as i64)
}

/// Fails with [`Error::Configuration`].
fn clock(object: &Bound<'_, PyAny>) -> Result<Py<PyAny>, Error> {
    if object.is_callable() {
        Ok(object.clone().unbind())
    } else {
        Err(Error::Configuration(
            "clock must be a function that returns Unix seconds".to_owned(),
        ))
    }
}

/// Fails with [`Error::Configuration`].
fn optional_aliases(object: &Bound<'_, PyAny>) -> Result<UsersNames, Error> {
    if object.is_none() {
        Ok(Vec::new())
    } else {
        aliases(object)
    }
}

/// Fails with [`Error::Configuration`], which names what is wrong.
pub(crate) fn aliases(object: &Bound<'_, PyAny>) -> Result<UsersNames, Error> {
    const EXAMPLE: &str = "such as {\"email\": [\"shopper_mail\"], \"items\": [\"basket.lines\"]}";
    let Ok(mapping) = object.cast::<PyMapping>() else {
        return Err(Error::Configuration(format!(
            "aliases must be a mapping of names to lists of paths, not {}; pass one {EXAMPLE}",
            type_name(object)
        )));
    };
    let mut aliases = Vec::new();
    for entry in mapping.items()? {
        let (name, paths): (Bound<'_, PyAny>, Bound<'_, PyAny>) = entry.extract()?;
        let name: String = name.extract().map_err(|_| {
            Error::Configuration(format!(
                "a name in aliases is {} and must be str; pass a mapping {EXAMPLE}",
                type_name(&name)
            ))
        })?;
        let concept = Concept::from_name(&name)
            .map_err(|known| Error::Configuration(format!("aliases has no name {name:?}; the names are {known}")))?;
        aliases.push((concept, paths_of(&name, &paths)?));
    }
    Ok(aliases)
}

fn paths_of(name: &str, object: &Bound<'_, PyAny>) -> Result<Vec<String>, Error> {
    // A lone text is a sequence of its characters to Python, and here a slip.
    let paths = if object.is_instance_of::<PyString>() {
        None
    } else {
        object.extract::<Vec<String>>().ok()
    };
    let Some(paths) = paths else {
        return Err(Error::Configuration(format!(
            "the aliases of {name} must be a list of str, not {}; pass [\"a_field\"], or [\"an_object.a_field\"]",
            type_name(object)
        )));
    };
    match paths.iter().find(|path| Path::new(path).is_none()) {
        None => Ok(paths),
        Some(path) => Err(Error::Configuration(format!(
            "the alias {path:?} of {name} is no path; write one name, or several with dots between them"
        ))),
    }
}

/// The user's own names in `names`, as they were given.
pub(crate) fn aliases_to_dict<'py>(py: Python<'py>, names: &Names) -> PyResult<Bound<'py, PyDict>> {
    let aliases = PyDict::new(py);
    for (concept, paths) in names.user() {
        aliases.set_item(concept.name(), paths)?;
    }
    Ok(aliases)
}

/// Fails with [`Error::WrongType`] and [`Error::WrongValue`]. What is beyond this machine is as large as can be.
fn size(object: &Bound<'_, PyAny>) -> Result<usize, Error> {
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

/// An `int`, an aware `datetime`, or `None` for now. Fails with [`Error::WrongType`] and [`Error::WrongValue`].
fn signing_time(object: &Bound<'_, PyAny>) -> Result<i64, Error> {
    if object.is_none() {
        return Ok(crate::timestamp::system_now());
    }
    if object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyBool>() {
        // What does not fit cannot have ten digits, and is refused as such.
        return Ok(object.extract().unwrap_or(i64::MAX));
    }
    if !object.is_instance_of::<PyDateTime>() {
        return Err(Error::WrongType(format!(
            "timestamp must be an int of Unix seconds, an aware datetime or None, not {}",
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
