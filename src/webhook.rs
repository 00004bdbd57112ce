//! Webhook: what a user makes once and asks about every delivery.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::body::{self, LARGE_BODY};
use crate::config::{
    self, AcceptedEncoding, Aliases, Headers, MaxBody, Now, Secrets, SigningEncoding, SigningTime, Size, Tolerance,
};
use crate::error::{Error, Header};
use crate::event::Event;
use crate::headers::{self, Value};
use crate::payload::Reading;
use crate::payload::kinds::PathsByName;
use crate::signature::Encoding;
use crate::timestamp;
use crate::verifier::Verifier;

/// Fifteen minutes, the example in Listrak's article.
const DEFAULT_TOLERANCE: Tolerance = Tolerance(900);

/// Carts of over 100 kB are known from public integrations; this leaves room.
const DEFAULT_MAX_BODY: MaxBody = MaxBody(4 * 1024 * 1024);

/// One webhook integration: its secrets, and how its deliveries are taken.
///
/// Validated once, keyed once, immutable, and safe to share between threads and across `fork`.
///
/// Args:
///     secret: the HMAC Secret exactly as Listrak shows it, as `str` (its UTF-8 bytes are the key) or `bytes`; or a
///         sequence of them while the secret is being rotated, the current one first.
///     tolerance: how many seconds the sender's clock may be behind or ahead of ours, as a number or a `timedelta`;
///         900 by default, the example in Listrak's article. 0 means the same second. Fractions of a second are
///         dropped. At most 365 days; it cannot be switched off.
///     encoding: `"any"` (the default) takes signatures in base64 and in hex, `"base64"` and `"hex"` only the one.
///         Listrak's article shows both.
///     max_body: the largest body that is looked at, in bytes; 4 MiB by default.
///     aliases: your own names for what the views look for, tried before the built-in ones, such as
///         `{"email": ["shopper_mail"], "items": ["basket.lines"]}`; dots lead into objects. Case, `_`, `-` and spaces
///         make no difference.
///
/// Raises:
///     ConfigurationError: an argument cannot be right, such as an empty secret or one with white space around it.
///
/// Example:
///     >>> from listrak_webhooks import Webhook
///     >>> Webhook(["the new secret", "the old secret"], tolerance=300)
///     Webhook(<2 secrets>, tolerance=300, encoding='any', max_body=4194304)
#[pyclass(frozen, module = "listrak_webhooks")]
pub struct Webhook {
    verifier: Verifier,
    reading: Arc<Reading>,
}

#[pymethods]
impl Webhook {
    #[new]
    #[pyo3(
        signature = (
            secret,
            *,
            tolerance = DEFAULT_TOLERANCE,
            encoding = AcceptedEncoding(None),
            max_body = DEFAULT_MAX_BODY,
            aliases = Aliases(Vec::new()),
        ),
        text_signature = "(secret, *, tolerance=900, encoding='any', max_body=4194304, aliases=None)"
    )]
    fn new(
        secret: Secrets,
        tolerance: Tolerance,
        encoding: AcceptedEncoding,
        max_body: MaxBody,
        aliases: Aliases,
    ) -> Result<Self, Error> {
        Ok(Self {
            verifier: Verifier {
                keys: secret.0,
                tolerance: tolerance.0,
                encoding: encoding.0,
                max_body: max_body.0,
            },
            reading: Reading::new(aliases.0)
                .map_err(|path| Error::Configuration(format!("the alias {path:?} is no path")))?,
        })
    }

    /// Return a Webhook with the secret in an environment variable.
    ///
    /// Args:
    ///     name: the variable of the current secret. Where `<name>_PREVIOUS` is set too and not empty, it is the old
    ///         one, still accepted during a rotation.
    ///     tolerance, encoding, max_body, aliases: as for `Webhook`.
    ///
    /// Raises:
    ///     ConfigurationError: the variable is unset or empty, or what it holds cannot be a secret.
    ///
    /// Example:
    ///     >>> import os
    ///     >>> os.environ["LISTRAK_WEBHOOK_SECRET"] = "the HMAC secret"
    ///     >>> Webhook.from_env(tolerance=300)
    ///     Webhook(<1 secret>, tolerance=300, encoding='any', max_body=4194304)
    #[staticmethod]
    #[pyo3(
        signature = (
            name = "LISTRAK_WEBHOOK_SECRET",
            *,
            tolerance = DEFAULT_TOLERANCE,
            encoding = AcceptedEncoding(None),
            max_body = DEFAULT_MAX_BODY,
            aliases = Aliases(Vec::new()),
        ),
        text_signature = "(name='LISTRAK_WEBHOOK_SECRET', *, tolerance=900, encoding='any', max_body=4194304, aliases=None)"
    )]
    fn from_env(
        py: Python<'_>,
        name: &str,
        tolerance: Tolerance,
        encoding: AcceptedEncoding,
        max_body: MaxBody,
        aliases: Aliases,
    ) -> Result<Self, Error> {
        Self::new(
            config::keys_in_environment(py, name)?,
            tolerance,
            encoding,
            max_body,
            aliases,
        )
    }

    /// How many seconds the sender's clock may be behind or ahead of ours.
    #[getter]
    fn tolerance(&self) -> i64 {
        self.verifier.tolerance
    }

    /// Which signature encodings are taken: `"any"`, `"base64"` or `"hex"`.
    #[getter]
    fn encoding(&self) -> &'static str {
        self.verifier.encoding.map_or("any", Encoding::name)
    }

    /// The largest body that is looked at, in bytes.
    #[getter]
    fn max_body(&self) -> usize {
        self.verifier.max_body
    }

    /// Your own names for what the views look for.
    #[getter]
    fn aliases(&self, py: Python<'_>) -> Result<PathsByName, Error> {
        Ok(PathsByName(config::aliases_to_dict(py, &self.reading.names)?.unbind()))
    }

    /// Refuse a body of `size` bytes that is over `max_body`, before it is read.
    ///
    /// Args:
    ///     size: any int, such as what a stranger wrote as the `Content-Length`.
    ///
    /// Raises:
    ///     BodyTooLargeError: it is.
    ///
    /// Example:
    ///     >>> Webhook("the HMAC secret").check_size(int("49"))
    fn check_size(&self, size: Size) -> Result<(), Error> {
        self.verifier.check_size(size.0)
    }

    /// Return the `Event` in a delivery that is genuine and timely; raise for every other.
    ///
    /// Nothing in the body is looked at before the signature has matched. The checks come in this order: size,
    /// headers present and single, timestamp, signature, MAC, time window; so a stale or future error is only ever
    /// about a genuine delivery.
    ///
    /// Args:
    ///     body: the raw request body, byte for byte; `bytes` are not copied.
    ///     headers: the request's headers as the framework gives them: any mapping, in any case, whose values are
    ///         `str`, `bytes` or one-element lists; pairs, as ASGI has them; a WSGI environ or Django's `META`.
    ///     now: our own time in Unix seconds, for checking an old capture; the system's clock by default.
    ///
    /// Raises:
    ///     VerificationError: it is not genuine, or not timely; each reason has its own subclass.
    ///     BodyTooLargeError: it is larger than `max_body`.
    ///     TypeError: an argument is of the wrong type, such as parsed JSON for the body.
    ///
    /// Example:
    ///     >>> webhook = Webhook("example-hmac-secret")
    ///     >>> webhook.verify(
    ///     ...     b'{"email":"jane@example.com","phone":"17175559636"}',
    ///     ...     {
    ///     ...         "LTK-Timestamp": "1700000000",
    ///     ...         "LTK-HmacSignature": "P00nxEZtRTZz6hDi5/38JlNSPh0UAlr9dBfEULU5ChM=",
    ///     ...     },
    ///     ...     now=1700000060,
    ///     ... )
    ///     Event(id=3f4d27c4..., timestamp=1700000000, body=<49 bytes>)
    #[pyo3(signature = (body: "bytes | bytearray | memoryview | str", headers, *, now = None))]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]
    fn verify(&self, body: &Bound<'_, PyAny>, headers: Headers<'_>, now: Option<Now>) -> Result<Event, Error> {
        let body = body::to_bytes(body, |size| self.verifier.check_size(size))?;
        let (timestamp, signature) = headers::find(&headers.0)?;
        self.verify_found(body, &timestamp, &signature, now)
    }

    /// Do what `verify` does, for callers that hold the two header values.
    ///
    /// Args:
    ///     body: as for `verify`.
    ///     timestamp: the value of `LTK-Timestamp` as it was received; `None` if it was not.
    ///     signature: the value of `LTK-HmacSignature` as it was received; `None` if it was not.
    ///     now: as for `verify`.
    ///
    /// Raises:
    ///     VerificationError, BodyTooLargeError, TypeError: as `verify`.
    #[pyo3(signature = (
        body: "bytes | bytearray | memoryview | str",
        timestamp: "str | bytes | None",
        signature: "str | bytes | None",
        *,
        now = None,
    ))]
    fn verify_values(
        &self,
        body: &Bound<'_, PyAny>,
        timestamp: Bound<'_, PyAny>,
        signature: Bound<'_, PyAny>,
        now: Option<Now>,
    ) -> Result<Event, Error> {
        let body = body::to_bytes(body, |size| self.verifier.check_size(size))?;
        let timestamp = Value::extract(timestamp, Header::Timestamp)?;
        let signature = Value::extract(signature, Header::Signature)?;
        self.verify_found(body, &timestamp, &signature, now)
    }

    /// Return the signature of `body` at `timestamp` under the current secret, as Listrak would send it.
    ///
    /// Args:
    ///     body: the raw body.
    ///     timestamp: Unix seconds, an aware `datetime`, or `None` for now.
    ///     encoding: `"base64"` (the default) or `"hex"`.
    ///
    /// Raises:
    ///     ValueError: the timestamp is naive or does not have ten digits.
    ///
    /// Example:
    ///     >>> Webhook("listrak-test-secret").sign(b"", 1700000000)
    ///     'ZNPNaIR3QhCCVQS1ScxUbgxBs6aqmgLEvAur6HNq+Ys='
    #[pyo3(
        signature = (
            body: "bytes | bytearray | memoryview | str",
            timestamp = SigningTime(timestamp::system_now()),
            *,
            encoding = SigningEncoding(Encoding::Base64),
        ),
        text_signature = "($self, body, timestamp=None, *, encoding='base64')"
    )]
    fn sign(
        &self,
        body: &Bound<'_, PyAny>,
        timestamp: SigningTime,
        encoding: SigningEncoding,
    ) -> Result<String, Error> {
        Ok(self.signed(body, timestamp, encoding)?.1)
    }

    /// Return the two headers of a delivery of `body`, signed as `sign` does.
    ///
    /// Example:
    ///     >>> Webhook("listrak-test-secret").signed_headers(b"", 1700000000)["LTK-Timestamp"]
    ///     '1700000000'
    #[pyo3(
        signature = (
            body: "bytes | bytearray | memoryview | str",
            timestamp = SigningTime(timestamp::system_now()),
            *,
            encoding = SigningEncoding(Encoding::Base64),
        ) -> "dict[str, str]",
        text_signature = "($self, body, timestamp=None, *, encoding='base64')"
    )]
    fn signed_headers<'py>(
        &self,
        body: &Bound<'py, PyAny>,
        timestamp: SigningTime,
        encoding: SigningEncoding,
    ) -> Result<Bound<'py, PyDict>, Error> {
        let (timestamp, signature) = self.signed(body, timestamp, encoding)?;
        let headers = PyDict::new(body.py());
        headers.set_item(Header::Timestamp.name(), timestamp)?;
        headers.set_item(Header::Signature.name(), signature)?;
        Ok(headers)
    }

    // Immutable, so a copy is the thing itself: settings and configurations get copied.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!(
            "Webhook(<{} secret{}>, tolerance={}, encoding='{}', max_body={})",
            self.verifier.keys.count(),
            if self.verifier.keys.count() == 1 { "" } else { "s" },
            self.tolerance(),
            self.encoding(),
            self.max_body(),
        )
    }
}

impl Webhook {
    fn verify_found(
        &self,
        body: Bound<'_, PyBytes>,
        timestamp: &Value<'_>,
        signature: &Value<'_>,
        now: Option<Now>,
    ) -> Result<Event, Error> {
        let now = now.map_or_else(timestamp::system_now, |now| now.0);
        let (bytes, timestamp, signature) = (body.as_bytes(), timestamp.as_bytes(), signature.as_bytes());
        let verdict = || self.verifier.verify(bytes, &timestamp, &signature, now);
        let verified = if bytes.len() < LARGE_BODY {
            verdict()
        } else {
            body.py().detach(verdict)
        }?;
        Ok(Event::new(verified, body, Arc::clone(&self.reading)))
    }

    /// The texts of both headers.
    fn signed(
        &self,
        body: &Bound<'_, PyAny>,
        timestamp: SigningTime,
        encoding: SigningEncoding,
    ) -> Result<(String, String), Error> {
        let timestamp = timestamp::format(timestamp.0).ok_or_else(|| {
            Error::WrongValue(
                "timestamp does not have ten digits; pass whole Unix seconds, not milliseconds".to_owned(),
            )
        })?;
        let body = body::to_bytes(body, |_| Ok(()))?;
        let mac = self.verifier.keys.current().mac(body.as_bytes(), timestamp.as_bytes());
        Ok((timestamp, encoding.0.encode(&mac)))
    }
}

/// Verify one delivery in one call. Where there are many, make a `Webhook` once and use its `verify`.
///
/// Args:
///     body, headers, now: as for `Webhook.verify`.
///     secret, tolerance, encoding, max_body, aliases: as for `Webhook`.
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
    ),
    text_signature = "(body, headers, secret, *, now=None, tolerance=900, encoding='any', max_body=4194304, aliases=None)"
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
) -> Result<Event, Error> {
    Webhook::new(secret, tolerance, encoding, max_body, aliases)?.verify(body, headers, now)
}

/// Sign one body in one call, as Listrak would.
///
/// Args:
///     body, timestamp, encoding: as for `Webhook.sign`.
///     secret: as for `Webhook`; the first of several signs.
///
/// Raises:
///     ValueError: as `Webhook.sign`.
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
pub(crate) fn sign(
    body: &Bound<'_, PyAny>,
    timestamp: SigningTime,
    secret: Secrets,
    encoding: SigningEncoding,
) -> Result<String, Error> {
    let encodings = AcceptedEncoding(None);
    Webhook::new(
        secret,
        DEFAULT_TOLERANCE,
        encodings,
        DEFAULT_MAX_BODY,
        Aliases(Vec::new()),
    )?
    .sign(body, timestamp, encoding)
}
