//! Webhook: what a user makes once and asks about every delivery.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyType};

use crate::body;
use crate::config::{self, AcceptedEncoding, Keys, MaxBody, Now, SigningEncoding, SigningTime, Tolerance};
use crate::error::{Error, Header};
use crate::event::Event;
use crate::headers::{self, Value};
use crate::signature::{Encoding, Key};
use crate::timestamp;
use crate::verifier::Verifier;

/// Fifteen minutes, the example in Listrak's article.
const DEFAULT_TOLERANCE: Tolerance = Tolerance(900);

/// Carts of over 100 kB are known from public integrations; this leaves room.
const DEFAULT_MAX_BODY: MaxBody = MaxBody(4 * 1024 * 1024);

/// From this many bytes on, other threads may run while a body is hashed. Below it, handing the interpreter over and
/// back costs more than the hashing.
const LARGE_BODY: usize = 64 * 1024;

/// One webhook integration: its secrets, and how its deliveries are taken.
///
/// Validated once, keyed once, immutable, and safe to share between threads and across `fork`.
#[pyclass(frozen, module = "listrak_webhooks")]
pub struct Webhook {
    verifier: Verifier,
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
        ),
        text_signature = "(secret, *, tolerance=900, encoding='any', max_body=4194304)"
    )]
    fn new(secret: Keys, tolerance: Tolerance, encoding: AcceptedEncoding, max_body: MaxBody) -> Self {
        Self {
            verifier: Verifier {
                keys: secret.0,
                tolerance: tolerance.0,
                encoding: encoding.0,
                max_body: max_body.0,
            },
        }
    }

    /// A Webhook with the secret in an environment variable.
    #[classmethod]
    #[pyo3(
        signature = (name = "LISTRAK_WEBHOOK_SECRET", **options),
        text_signature = "($cls, name='LISTRAK_WEBHOOK_SECRET', **options)"
    )]
    fn from_env<'py>(
        cls: &Bound<'py, PyType>,
        name: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        // Python's view of the environment, which is the one that `.env` loaders and tests change.
        let environ = cls.py().import("os")?.getattr("environ")?;
        let secrets = PyList::empty(cls.py());
        for name in [name.to_owned(), format!("{name}_PREVIOUS")] {
            let secret = environ.call_method1("get", (&name, ""))?;
            if secret
                .cast::<PyString>()
                .is_ok_and(|text| text.len().is_ok_and(|length| length > 0))
            {
                // Checked here as well, so that the message names the variable.
                config::key(&secret, &name)?;
                secrets.append(secret)?;
            } else if secrets.is_empty() {
                return Err(Error::Configuration(format!(
                    "the environment variable {name} is not set or empty; set it to the HMAC Secret that Listrak \
                     shows for the webhook"
                )));
            }
        }
        Ok(cls.call((secrets,), options)?)
    }

    /// Seconds, both ways, that the sender's clock may differ from ours.
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

    /// Raise `BodyTooLargeError` if a body of `size` bytes is over `max_body`.
    fn check_size(&self, size: usize) -> Result<(), Error> {
        self.verifier.check_size(size)
    }

    /// The event in a delivery, if it is genuine.
    #[pyo3(signature = (body, headers, *, now = None))]
    fn verify(&self, body: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>, now: Option<Now>) -> Result<Event, Error> {
        self.verifier.check_size(body::size(body)?)?;
        let (timestamp, signature) = headers::find(headers)?;
        self.verify_found(body, &timestamp, &signature, now)
    }

    /// The same, for callers that hold the two header values.
    #[pyo3(signature = (body, timestamp, signature, *, now = None))]
    fn verify_values(
        &self,
        body: &Bound<'_, PyAny>,
        timestamp: &Bound<'_, PyAny>,
        signature: &Bound<'_, PyAny>,
        now: Option<Now>,
    ) -> Result<Event, Error> {
        self.verifier.check_size(body::size(body)?)?;
        let timestamp = Value::extract(timestamp, Header::Timestamp)?;
        let signature = Value::extract(signature, Header::Signature)?;
        self.verify_found(body, &timestamp, &signature, now)
    }

    /// The signature of `body` at `timestamp`, under the current secret.
    #[pyo3(
        signature = (body, timestamp = SigningTime(timestamp::system_now()), *, encoding = SigningEncoding(Encoding::Base64)),
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

    /// The two headers of a delivery of `body` at `timestamp`, under the current secret.
    #[pyo3(
        signature = (body, timestamp = SigningTime(timestamp::system_now()), *, encoding = SigningEncoding(Encoding::Base64)),
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

    fn __repr__(&self) -> String {
        format!(
            "Webhook(<{} secret{}>, tolerance={}, encoding='{}', max_body={})",
            self.verifier.keys.len(),
            if self.verifier.keys.len() == 1 { "" } else { "s" },
            self.tolerance(),
            self.encoding(),
            self.max_body(),
        )
    }
}

impl Webhook {
    fn verify_found(
        &self,
        body: &Bound<'_, PyAny>,
        timestamp: &Value<'_>,
        signature: &Value<'_>,
        now: Option<Now>,
    ) -> Result<Event, Error> {
        let now = now.map_or_else(timestamp::system_now, |now| now.0);
        let body = body::to_bytes(body)?;
        let (bytes, timestamp, signature) = (body.as_bytes(), timestamp.as_bytes(), signature.as_bytes());
        let verdict = || self.verifier.verify(bytes, &timestamp, &signature, now);
        let verified = if bytes.len() < LARGE_BODY {
            verdict()
        } else {
            body.py().detach(verdict)
        }?;
        Ok(Event::new(verified, body))
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
        let body = body::to_bytes(body)?;
        let key: &Key = self
            .verifier
            .keys
            .first()
            .ok_or_else(|| Error::Configuration("there is no secret to sign with".to_owned()))?;
        let mac = key.mac(body.as_bytes(), timestamp.as_bytes());
        Ok((timestamp, encoding.0.encode(&mac)))
    }
}

/// Verify one delivery in one call. Make a `Webhook` once instead where there are many.
#[pyfunction]
#[pyo3(signature = (body, headers, secret, *, now = None, **options))]
pub(crate) fn verify<'py>(
    body: &Bound<'py, PyAny>,
    headers: &Bound<'py, PyAny>,
    secret: &Bound<'py, PyAny>,
    now: Option<Now>,
    options: Option<&Bound<'py, PyDict>>,
) -> Result<Event, Error> {
    let webhook = body.py().get_type::<Webhook>().call((secret,), options)?;
    let webhook = webhook.cast::<Webhook>().map_err(PyErr::from)?;
    webhook.get().verify(body, headers, now)
}

/// Sign one body in one call.
#[pyfunction]
#[pyo3(
    signature = (body, timestamp, secret, *, encoding = SigningEncoding(Encoding::Base64)),
    text_signature = "(body, timestamp, secret, *, encoding='base64')"
)]
pub(crate) fn sign(
    body: &Bound<'_, PyAny>,
    timestamp: SigningTime,
    secret: Keys,
    encoding: SigningEncoding,
) -> Result<String, Error> {
    Webhook::new(secret, DEFAULT_TOLERANCE, AcceptedEncoding(None), DEFAULT_MAX_BODY).sign(body, timestamp, encoding)
}
