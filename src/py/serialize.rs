//! An event on its way through a task queue: to plain JSON types and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyString};

use crate::py::arguments::{self, Data, MAX_TOLERANCE};
use crate::py::body::type_name;
use crate::py::error::{Error, Result};
use crate::py::event::Event;
use crate::py::payload::Reading;
use crate::verify::Verified;
use crate::verify::signature::{Encoding, MAC_LEN};
use crate::verify::timestamp;

/// The version of the form. Another form gets another number, and `from_dict` keeps reading those before.
const VERSION: i64 = 1;

const KEYS: [&str; 8] = [
    "v",
    "id",
    "timestamp",
    "expires_at",
    "secret_index",
    "encoding",
    "aliases",
    "body",
];

/// How the body is written.
#[derive(Clone, Copy)]
pub(crate) enum BodyForm {
    /// As text, for JSON.
    Base64,
    /// As it is, for `pickle`.
    Bytes,
}

/// Everything that makes `event`.
pub(crate) fn to_dict<'py>(event: &Event, py: Python<'py>, body: BodyForm) -> Result<Bound<'py, PyDict>> {
    let Verified {
        mac,
        encoding,
        timestamp,
        secret_index,
        expires_at,
    } = event.verified;
    let bytes = event.body.bind(py);
    let data = PyDict::new(py);
    data.set_item("v", VERSION)?;
    data.set_item("id", hex::encode(mac))?;
    data.set_item("timestamp", timestamp)?;
    data.set_item("expires_at", expires_at)?;
    data.set_item("secret_index", secret_index)?;
    data.set_item("encoding", encoding.name())?;
    data.set_item("aliases", arguments::aliases_to_dict(py, &event.reading.names)?)?;
    match body {
        BodyForm::Base64 => data.set_item("body", BASE64.encode(bytes.as_bytes()))?,
        BodyForm::Bytes => data.set_item("body", bytes)?,
    }
    Ok(data)
}

/// See that `data` is of the form that this version writes.
///
/// # Errors
///
/// [`Error::WrongValue`], if it is not.
fn check_form(data: &Bound<'_, PyDict>) -> Result<()> {
    // The version first: what else there is depends on it.
    let version = data.get_item("v")?.ok_or_else(|| wrong("v"))?;
    if integer(&version) != Some(VERSION) {
        return Err(Error::WrongValue(format!(
            "the event is in a form that this version does not know (it knows \"v\": {VERSION}); let sender and worker \
             run the same version of listrak_webhooks"
        )));
    }
    if data.len() > KEYS.len() {
        return Err(Error::WrongValue(
            "the event has a field that this version does not know; pass what to_dict returned, and nothing more"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The event in `data`.
///
/// # Errors
///
/// [`Error::WrongValue`] for all that [`to_dict`] does not write, which never shows any of it.
pub(crate) fn from_dict(data: &Data<'_>) -> Result<Event> {
    let Ok(data) = data.0.cast::<PyDict>() else {
        return Err(Error::WrongValue(format!(
            "an event travels as a dict, and this is {}; pass what to_dict returned",
            type_name(&data.0)
        )));
    };
    check_form(data)?;
    let field = |key: &str| data.get_item(key)?.ok_or_else(|| wrong(key));
    let read = |key: &str, fits: &dyn Fn(i64) -> bool| {
        integer(&field(key)?)
            .filter(|number| fits(*number))
            .ok_or_else(|| wrong(key))
    };
    let timestamp = read("timestamp", &|seconds| {
        (timestamp::FIRST..=timestamp::LAST).contains(&seconds)
    })?;
    let expires_at = read("expires_at", &|seconds| {
        (0..=MAX_TOLERANCE).contains(&seconds.saturating_sub(timestamp))
    })?;
    let secret_index =
        usize::try_from(read("secret_index", &|index| index >= 0)?).map_err(|_| wrong("secret_index"))?;
    let encoding = string(&field("encoding")?).and_then(|name| Encoding::from_name(&name));
    let mac = string(&field("id")?)
        .and_then(|id| mac(&id))
        .ok_or_else(|| wrong("id"))?;
    let aliases = arguments::aliases(&field("aliases")?).map_err(|_| wrong("aliases"))?;
    let verified = Verified {
        mac,
        encoding: encoding.ok_or_else(|| wrong("encoding"))?,
        timestamp,
        secret_index,
        expires_at,
    };
    let body = body(&field("body")?).ok_or_else(|| wrong("body"))?;
    Ok(Event::new(
        verified,
        body,
        Reading::new(aliases).map_err(|_| wrong("aliases"))?,
    ))
}

fn wrong(key: &str) -> Error {
    Error::WrongValue(format!(
        "the event's \"{key}\" is missing or not what to_dict writes; pass what to_dict returned, unchanged"
    ))
}

/// An `int` that fits; a `bool` is not one.
fn integer(object: &Bound<'_, PyAny>) -> Option<i64> {
    object.cast_exact::<PyInt>().ok()?.extract().ok()
}

fn string(object: &Bound<'_, PyAny>) -> Option<String> {
    object.cast::<PyString>().ok()?.extract().ok()
}

/// The MAC whose id is `id`: lower-case hex, and nothing else.
fn mac(id: &str) -> Option<[u8; MAC_LEN]> {
    let mac: [u8; MAC_LEN] = hex::decode(id).ok()?.try_into().ok()?;
    (hex::encode(mac) == id).then_some(mac)
}

fn body<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyBytes>> {
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return Some(bytes.clone());
    }
    let bytes = BASE64.decode(string(object)?).ok()?;
    Some(PyBytes::new(object.py(), &bytes))
}
