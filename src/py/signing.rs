//! The two header texts of a delivery that is signed here.

use pyo3::prelude::*;

use crate::py::arguments::SigningEncoding;
use crate::py::body;
use crate::py::error::{Error, Result};
use crate::verify::key::Keys;
use crate::verify::timestamp;

/// The texts of both headers, signed with the current one of `keys`.
pub(crate) fn signed(
    keys: &Keys,
    body: &Bound<'_, PyAny>,
    seconds: i64,
    encoding: SigningEncoding,
) -> Result<(String, String)> {
    let timestamp = timestamp::format(seconds).ok_or_else(|| {
        Error::WrongValue("timestamp does not have ten digits; pass whole Unix seconds, not milliseconds".to_owned())
    })?;
    let body = body::to_bytes(body, |_| Ok(()))?;
    let mac = keys.current().mac(body.as_bytes(), timestamp.as_bytes());
    Ok((timestamp, encoding.0.encode(&mac)))
}
