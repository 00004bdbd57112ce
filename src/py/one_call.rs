//! `verify` and `sign`, for those who do it once.

use pyo3::prelude::*;

use crate::py::arguments::{
    AcceptedEncoding, Aliases, Clock, DEFAULT_MAX_BODY, DEFAULT_TOLERANCE, Headers, MaxBody, Now, Secrets,
    SigningEncoding, SigningTime, Tolerance,
};
use crate::py::error::Result;
use crate::py::event::Event;
use crate::py::signing;
use crate::py::webhook::Webhook;
use crate::verify::signature::Encoding;

/// Verify one delivery in one call. If there are many, make a `Webhook` once and use its `verify`.
///
/// It logs nothing; a `Webhook` warns of a secret that looks like a slip.
///
/// Args:
///     body, headers, now: as for `Webhook.verify`.
///     secret, tolerance, encoding, max_body, aliases, clock: as for `Webhook`.
///
/// Raises:
///     VerificationError, BodyTooLargeError, TypeError: as `Webhook.verify`.
///     ConfigurationError: as `Webhook`.
#[pyfunction]
#[pyo3(
    signature = (
        body: "bytes | bytearray | memoryview | str",
        headers,
        secret,
        *,
        now = None,
        tolerance = DEFAULT_TOLERANCE,
        encoding = AcceptedEncoding(None),
        max_body = DEFAULT_MAX_BODY,
        aliases = Aliases(Vec::new()),
        clock = None,
    ),
    text_signature = "(body, headers, secret, *, now=None, tolerance=900, encoding='any', max_body=4194304, \
                      aliases=None, clock=None)"
)]
#[allow(
    clippy::too_many_arguments,
    reason = "they are named, and all but three have defaults"
)]
pub(crate) fn verify(
    body: &Bound<'_, PyAny>,
    headers: Headers<'_>,
    secret: Secrets,
    now: Option<Now>,
    tolerance: Tolerance,
    encoding: AcceptedEncoding,
    max_body: MaxBody,
    aliases: Aliases,
    clock: Option<Clock>,
) -> Result<Event> {
    Webhook::with_keys(secret.0, tolerance, encoding, max_body, aliases, clock)?.verify(body, headers, now)
}

/// Sign one body in one call, as Listrak would.
///
/// Args:
///     body, encoding: as for `Webhook.sign`.
///     timestamp: Unix seconds or an aware `datetime`: the one that is sent, which the receiver needs too.
///     secret: as for `Webhook`; the first of several signs.
///
/// Raises:
///     ValueError: as `Webhook.sign`.
///     TypeError: an argument is of the wrong type, such as `None` for the timestamp.
///     ConfigurationError: as `Webhook`.
#[pyfunction]
#[pyo3(
    signature = (
        body: "bytes | bytearray | memoryview | str",
        timestamp,
        secret,
        *,
        encoding = SigningEncoding(Encoding::Base64),
    ),
    text_signature = "(body, timestamp, secret, *, encoding='base64')"
)]
#[allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]
pub(crate) fn sign(
    body: &Bound<'_, PyAny>,
    timestamp: SigningTime,
    secret: Secrets,
    encoding: SigningEncoding,
) -> Result<String> {
    let (_, signature) = signing::signed(&secret.0, body, timestamp.0, encoding)?;
    Ok(signature)
}
