//! Event: a genuine delivery, as Python sees it.

use std::convert::Infallible;
use std::sync::OnceLock;

#[cfg(feature = "stub")]
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyDict, PyTzInfo};
use pyo3::{PyTraverseError, PyVisit};
#[cfg(feature = "stub")]
use pyo3::{type_hint_identifier, type_hint_subscript};

use crate::payload;
use crate::replay::Delivery;
use crate::verifier::Verified;

/// A delivery that is proven genuine.
///
/// Only `verify` makes one. It is immutable, hashable and equal by `id`; its `repr` shows no personal data.
///
/// Example:
///     >>> from listrak_webhooks import Webhook
///     >>> webhook = Webhook("the HMAC secret")
///     >>> body = b'{"campaign": "vip-mailer"}'
///     >>> event = webhook.verify(body, webhook.signed_headers(body))
///     >>> event.payload
///     {'campaign': 'vip-mailer'}
#[pyclass(frozen, module = "listrak_webhooks")]
pub struct Event {
    verified: Verified,
    body: Py<PyBytes>,
    // Not pyo3's own lock: `__traverse__` has no interpreter token to read it with.
    payload: OnceLock<Py<PyDict>>,
}

impl Event {
    pub(crate) fn new(verified: Verified, body: Bound<'_, PyBytes>) -> Self {
        Self {
            verified,
            body: body.unbind(),
            payload: OnceLock::new(),
        }
    }

    /// What a replay guard needs to know of it.
    pub(crate) const fn delivery(&self) -> Delivery {
        Delivery {
            mac: self.verified.mac,
            timestamp: self.verified.timestamp,
            expires_at: self.verified.expires_at,
        }
    }
}

#[pymethods]
impl Event {
    /// The raw body, byte for byte as it was received.
    #[getter]
    fn body(&self, py: Python<'_>) -> Py<PyBytes> {
        self.body.clone_ref(py)
    }

    /// The sender's time, in Unix seconds.
    #[getter]
    fn timestamp(&self) -> i64 {
        self.verified.timestamp
    }

    /// The sender's time, as an aware `datetime` in UTC.
    #[getter]
    fn sent_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        let utc = PyTzInfo::utc(py)?;
        // Ten digits: exact in a double.
        #[allow(clippy::cast_precision_loss, reason = "ten digits are far below 2^53")]
        PyDateTime::from_timestamp(py, self.verified.timestamp as f64, Some(&utc))
    }

    /// The delivery's identity: its MAC in lower-case hex, whatever the header's spelling was.
    ///
    /// Listrak sends no delivery id; header text is no identity, because one MAC has several spellings.
    #[getter]
    fn id(&self) -> String {
        hex::encode(self.verified.mac)
    }

    /// The last second, in Unix seconds, at which this delivery can still pass the time window.
    #[getter]
    fn expires_at(&self) -> i64 {
        self.verified.expires_at
    }

    /// Which of the webhook's secrets matched: 0 is the current one.
    #[getter]
    fn secret_index(&self) -> usize {
        self.verified.secret_index
    }

    /// How the signature header was written: `"base64"` or `"hex"`.
    #[getter]
    fn encoding(&self) -> &'static str {
        self.verified.encoding.name()
    }

    /// The JSON object in the body, built on first use and then kept.
    ///
    /// It is what `json.loads` gives: integers exact, up to 4,300 digits; floats to the bit; the last of duplicate
    /// keys. What RFC 8259 forbids, such as NaN, trailing data or a byte order mark, is an error, and so is nesting
    /// deeper than 201 levels, the outermost object being the first and a number or a string counting as one.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object; `body` still holds it.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Payload<'py>> {
        let payload = if let Some(kept) = self.payload.get() {
            kept
        } else {
            let parsed = payload::parse(self.body.bind(py))?.unbind();
            // Two threads may both have parsed; the first to finish is the one that is kept, and both return it.
            self.payload.get_or_init(|| parsed)
        };
        Ok(Payload(payload.bind(py).clone()))
    }

    // Of another type, pyo3 answers `NotImplemented`, so that the other may have its say.
    fn __eq__(&self, other: &Self) -> bool {
        other.verified.mac == self.verified.mac
    }

    fn __hash__(&self) -> u64 {
        // A MAC is evenly spread already: any eight bytes of it are a hash.
        self.verified
            .mac
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let id = self.id();
        format!(
            "Event(id={}..., timestamp={}, body=<{} bytes>)",
            id.get(..8).unwrap_or_default(),
            self.verified.timestamp,
            self.body.as_bytes(py).len(),
        )
    }

    #[allow(clippy::needless_pass_by_value, reason = "the signature is pyo3's")]
    // The dict is the user's to change and could be made to hold the event.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.payload.get().map_or(Ok(()), |payload| visit.call(payload))
    }
}

/// A payload on its way out, so that the stub can say what is in the dict.
struct Payload<'py>(Bound<'py, PyDict>);

impl<'py> IntoPyObject<'py> for Payload<'py> {
    type Target = PyDict;
    type Output = Bound<'py, PyDict>;
    type Error = Infallible;

    #[cfg(feature = "stub")]
    const OUTPUT_TYPE: PyStaticExpr = type_hint_subscript!(
        type_hint_identifier!("builtins", "dict"),
        type_hint_identifier!("builtins", "str"),
        type_hint_identifier!("typing", "Any")
    );

    fn into_pyobject(self, _py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(self.0)
    }
}
