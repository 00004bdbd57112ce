//! Webhook: what a user makes once and asks about every delivery.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use pyo3::{PyTraverseError, PyVisit};

use crate::py::arguments::{
    self, AcceptedEncoding, Aliases, CheckedSecrets, Clock, DEFAULT_MAX_BODY, DEFAULT_TOLERANCE, Headers, MaxBody, Now,
    SigningEncoding, SigningTime, Size, Tolerance, VariableName, Webhooks,
};
use crate::py::body::{self, LARGE_BODY};
use crate::py::error::{Error, Result};
use crate::py::event::Event;
use crate::py::explanation::Explanation;
use crate::py::headers::{self, HeaderValue};
use crate::py::literals::AcceptedEncodingName;
use crate::py::payload::Reading;
use crate::py::payload::fields::PathsByName;
use crate::py::signing;
use crate::verify::header::Header;
use crate::verify::key::Keys;
use crate::verify::signature::Encoding;
use crate::verify::timestamp;
use crate::verify::{Verified, Verifier};

/// One webhook integration: its secrets, and how its deliveries are taken.
///
/// Validated once, keyed once, immutable, and safe to share between threads and across `fork`. A secret that looks like
/// a slip, such as one in quotation marks, is a WARNING on the logger `listrak_webhooks`.
///
/// Args:
///     secret: the HMAC Secret exactly as Listrak shows it, as `str` (its UTF-8 bytes are the key) or `bytes`; or a list
///         or tuple of them while the secret is being rotated, the current one first. What `isinstance` calls a `str`,
///         such as the lazy object of a settings library, is one.
///     tolerance: how many seconds the sender's clock may be behind or ahead of ours, as a number or a `timedelta`;
///         900 by default, the example in Listrak's article. 0 means the same second. Fractions of a second are
///         dropped. At most 365 days; it cannot be switched off.
///     encoding: `"any"` (the default) takes signatures in base64 and in hex, `"base64"` and `"hex"` only the one.
///         Listrak's article shows both.
///     max_body: the largest body that is looked at, in bytes; 4 MiB by default.
///     aliases: your own names for what the views look for, tried before the built-in ones, such as
///         `{"email": ["shopper_mail"], "items": ["basket.lines"]}`; dots lead into objects. Case, `_`, `-` and spaces
///         make no difference.
///     clock: returns our own time, in Unix seconds; the system's clock by default. It is for tests: freezegun and
///         time-machine move `lambda: time.time()`, and not the clock of the system. If it raises an exception, or
///         returns something that is not a finite `int` or `float`, what reads it raises `ConfigurationError`.
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
    pub(super) verifier: Verifier,
    reading: Arc<Reading>,
    clock: Option<Clock>,
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
            clock = None,
        ),
        text_signature = "(secret, *, tolerance=900, encoding='any', max_body=4194304, aliases=None, clock=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "they are named, and all but one have defaults")]
    fn new(
        py: Python<'_>,
        secret: CheckedSecrets,
        tolerance: Tolerance,
        encoding: AcceptedEncoding,
        max_body: MaxBody,
        aliases: Aliases,
        clock: Option<Clock>,
    ) -> Result<Self> {
        secret.0.warn(py)?;
        Self::with_keys(secret.0.keys, tolerance, encoding, max_body, aliases, clock)
    }

    /// Return a Webhook with the secret in an environment variable.
    ///
    /// Args:
    ///     name: the variable of the current secret. Where `<name>_PREVIOUS` is set too and not empty, it is the old
    ///         one, still accepted during a rotation.
    ///     tolerance, encoding, max_body, aliases, clock: as for `Webhook`.
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
            name = VariableName("LISTRAK_WEBHOOK_SECRET".to_owned()),
            *,
            tolerance = DEFAULT_TOLERANCE,
            encoding = AcceptedEncoding(None),
            max_body = DEFAULT_MAX_BODY,
            aliases = Aliases(Vec::new()),
            clock = None,
        ),
        text_signature = "(name='LISTRAK_WEBHOOK_SECRET', *, tolerance=900, encoding='any', max_body=4194304, \
                          aliases=None, clock=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "they are named, and all have defaults")]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]
    fn from_env(
        py: Python<'_>,
        name: VariableName,
        tolerance: Tolerance,
        encoding: AcceptedEncoding,
        max_body: MaxBody,
        aliases: Aliases,
        clock: Option<Clock>,
    ) -> Result<Self> {
        let secrets = CheckedSecrets(arguments::keys_in_environment(py, &name.0)?);
        Self::new(py, secrets, tolerance, encoding, max_body, aliases, clock)
    }

    /// How many seconds the sender's clock may be behind or ahead of ours.
    #[getter]
    fn tolerance(&self) -> i64 {
        self.verifier.tolerance
    }

    /// Which signature encodings are taken: `"any"`, `"base64"` or `"hex"`.
    #[getter]
    fn encoding(&self) -> AcceptedEncodingName {
        AcceptedEncodingName(self.verifier.encoding.map_or("any", Encoding::name))
    }

    /// The largest body that is looked at, in bytes.
    #[getter]
    fn max_body(&self) -> usize {
        self.verifier.max_body
    }

    /// Your own names for what the views look for.
    #[getter]
    fn aliases(&self, py: Python<'_>) -> Result<PathsByName> {
        Ok(PathsByName(
            arguments::aliases_to_dict(py, &self.reading.names)?.unbind(),
        ))
    }

    /// The function that returns our own time, if it is not the system's clock.
    #[getter]
    fn clock(&self, py: Python<'_>) -> Option<Clock> {
        self.clock.as_ref().map(|clock| Clock(clock.0.clone_ref(py)))
    }

    /// Reject a body of `size` bytes that is over `max_body`, before it is read.
    ///
    /// Args:
    ///     size: any int, such as what a stranger wrote as the `Content-Length`.
    ///
    /// Raises:
    ///     BodyTooLargeError: it is.
    ///
    /// Example:
    ///     >>> Webhook("the HMAC secret").check_size(int("49"))
    fn check_size(&self, size: Size) -> Result<()> {
        Ok(self.verifier.check_size(size.0)?)
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
    ///     now: our own time in Unix seconds, for checking an old capture; by default the webhook's clock, which is the
    ///         system's unless another was given.
    ///
    /// Raises:
    ///     VerificationError: it is not genuine, or not timely; each reason has its own subclass.
    ///     BodyTooLargeError: it is larger than `max_body`.
    ///     TypeError: an argument is of the wrong type, such as parsed JSON for the body.
    ///     ConfigurationError: the webhook's own clock does not return the time.
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
    pub(crate) fn verify(&self, body: &Bound<'_, PyAny>, headers: Headers<'_>, now: Option<Now>) -> Result<Event> {
        let body = body::to_bytes(body, |size| self.verifier.check_size(size))?;
        let (timestamp, signature) = headers::find(&headers.0)?;
        self.verify_found(body, &timestamp, &signature, now)
    }

    /// Do what `verify` does, for callers that hold the two header values.
    ///
    /// Args:
    ///     body, now: as for `verify`.
    ///     timestamp: the value of `LTK-Timestamp` as it was received; `None` if it was not.
    ///     signature: the value of `LTK-HmacSignature` as it was received; `None` if it was not.
    ///
    /// Raises:
    ///     VerificationError, BodyTooLargeError, TypeError, ConfigurationError: as `verify`.
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
    ) -> Result<Event> {
        let body = body::to_bytes(body, |size| self.verifier.check_size(size))?;
        let timestamp = HeaderValue::extract(timestamp, Header::Timestamp)?;
        let signature = HeaderValue::extract(signature, Header::Signature)?;
        self.verify_found(body, &timestamp, &signature, now)
    }

    /// Say why a delivery is rejected: which accident, undone, makes its signature match.
    ///
    /// It never raises for what a sender sent. The work is bounded: at most 512 passes over a body, and none over one that
    /// is larger than `max_body`. The result is for people and logs, never for an HTTP response.
    ///
    /// Args:
    ///     body, headers, now: as for `verify`.
    ///     others: other webhooks, of which one may be the delivery's own.
    ///
    /// Raises:
    ///     TypeError, ConfigurationError: as `verify`.
    ///
    /// Example:
    ///     >>> webhook = Webhook("the HMAC secret")
    ///     >>> webhook.explain(b'{"a": 1}', webhook.signed_headers(b'{"a":1}')).causes
    ///     (Cause(name='body_reserialized', proven=True),)
    #[pyo3(
        signature = (body: "bytes | bytearray | memoryview | str", headers, *, now = None, others = Webhooks(Vec::new())),
        text_signature = "($self, body, headers, *, now=None, others=())"
    )]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]
    fn explain(
        &self,
        body: &Bound<'_, PyAny>,
        headers: Headers<'_>,
        now: Option<Now>,
        others: Webhooks,
    ) -> Result<Explanation> {
        Explanation::of(self, body, &headers.0, now, &others.0)
    }

    /// Return the signature of `body` at `timestamp` under the current secret, as Listrak would send it.
    ///
    /// A signature holds for its timestamp only, and the receiver needs both. Without a timestamp this signs for the
    /// present second and does not say which one that was: `signed_headers` returns both.
    ///
    /// Args:
    ///     body: the raw body.
    ///     timestamp: Unix seconds, an aware `datetime`, or `None` for now, by the webhook's clock.
    ///     encoding: `"base64"` (the default) or `"hex"`.
    ///
    /// Raises:
    ///     ValueError: the timestamp is naive or does not have ten digits.
    ///     ConfigurationError: the webhook's own clock does not return the time.
    ///
    /// Example:
    ///     >>> Webhook("listrak-test-secret").sign(b"", 1700000000)
    ///     'ZNPNaIR3QhCCVQS1ScxUbgxBs6aqmgLEvAur6HNq+Ys='
    #[pyo3(
        signature = (
            body: "bytes | bytearray | memoryview | str",
            timestamp = None,
            *,
            encoding = SigningEncoding(Encoding::Base64),
        ),
        text_signature = "($self, body, timestamp=None, *, encoding='base64')"
    )]
    fn sign(
        &self,
        body: &Bound<'_, PyAny>,
        timestamp: Option<SigningTime>,
        encoding: SigningEncoding,
    ) -> Result<String> {
        Ok(self.signed(body, timestamp, encoding)?.1)
    }

    /// Return the two headers of a delivery of `body`: the timestamp, and the signature that `sign` returns for it.
    ///
    /// Args:
    ///     body, timestamp, encoding: as for `sign`.
    ///
    /// Raises:
    ///     ValueError, ConfigurationError: as `sign`.
    ///
    /// Example:
    ///     >>> Webhook("listrak-test-secret").signed_headers(b"", 1700000000)["LTK-Timestamp"]
    ///     '1700000000'
    #[pyo3(
        signature = (
            body: "bytes | bytearray | memoryview | str",
            timestamp = None,
            *,
            encoding = SigningEncoding(Encoding::Base64),
        ) -> "dict[str, str]",
        text_signature = "($self, body, timestamp=None, *, encoding='base64')"
    )]
    fn signed_headers<'py>(
        &self,
        body: &Bound<'py, PyAny>,
        timestamp: Option<SigningTime>,
        encoding: SigningEncoding,
    ) -> Result<Bound<'py, PyDict>> {
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

    #[allow(clippy::needless_pass_by_value, reason = "the signature is pyo3's")]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.clock.as_ref().map_or(Ok(()), |clock| visit.call(&clock.0))
    }

    fn __repr__(&self) -> String {
        format!(
            "Webhook(<{} secret{}>, tolerance={}, encoding='{}', max_body={})",
            self.verifier.keys.count(),
            if self.verifier.keys.count() == 1 { "" } else { "s" },
            self.tolerance(),
            self.encoding().0,
            self.max_body(),
        )
    }
}

impl Webhook {
    /// A webhook of which nothing is logged.
    pub(crate) fn with_keys(
        keys: Keys,
        tolerance: Tolerance,
        encoding: AcceptedEncoding,
        max_body: MaxBody,
        aliases: Aliases,
        clock: Option<Clock>,
    ) -> Result<Self> {
        Ok(Self {
            verifier: Verifier {
                keys,
                tolerance: tolerance.0,
                encoding: encoding.0,
                max_body: max_body.0,
            },
            reading: Reading::new(aliases.0)
                .map_err(|path| Error::Configuration(format!("the alias {path:?} is not a path")))?,
            clock,
        })
    }

    /// Our own time, in Unix seconds.
    fn now(&self, py: Python<'_>) -> Result<i64> {
        match &self.clock {
            None => Ok(timestamp::system_now()),
            Some(clock) => clock.seconds(py),
        }
    }

    /// The caller's time, or our own.
    pub(super) fn seconds(&self, py: Python<'_>, now: Option<Now>) -> Result<i64> {
        now.map_or_else(|| self.now(py), |now| Ok(now.0))
    }

    fn verify_found(
        &self,
        body: Bound<'_, PyBytes>,
        timestamp: &HeaderValue<'_>,
        signature: &HeaderValue<'_>,
        now: Option<Now>,
    ) -> Result<Event> {
        let verified = self.verdict(&body, timestamp, signature, now)?;
        Ok(Event::new(verified, body, Arc::clone(&self.reading)))
    }

    pub(super) fn verdict(
        &self,
        body: &Bound<'_, PyBytes>,
        timestamp: &HeaderValue<'_>,
        signature: &HeaderValue<'_>,
        now: Option<Now>,
    ) -> Result<Verified> {
        let now = self.seconds(body.py(), now)?;
        let (bytes, timestamp, signature) = (body.as_bytes(), timestamp.as_bytes(), signature.as_bytes());
        let verdict = || self.verifier.verify(bytes, &timestamp, &signature, now);
        Ok(if bytes.len() < LARGE_BODY {
            verdict()
        } else {
            body.py().detach(verdict)
        }?)
    }

    /// The texts of both headers.
    fn signed(
        &self,
        body: &Bound<'_, PyAny>,
        timestamp: Option<SigningTime>,
        encoding: SigningEncoding,
    ) -> Result<(String, String)> {
        let seconds = timestamp.map_or_else(|| self.now(body.py()), |timestamp| Ok(timestamp.0))?;
        signing::signed(&self.verifier.keys, body, seconds, encoding)
    }
}
