//! Event: a genuine delivery, as Python sees it.

use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyString, PyTuple, PyType, PyTzInfo};
use pyo3::{PyTraverseError, PyVisit};

use crate::payload::lookup::Node as _;
use crate::payload::scan;
use crate::py::arguments::{Data, Model};
use crate::py::body::LARGE_BODY;
use crate::py::error::Result;
use crate::py::literals::{EncodingName, JourneyName};
use crate::py::package;
use crate::py::payload::contact::{Contact, ContactText};
use crate::py::payload::exact::Payload;
use crate::py::payload::fields::{Dict, Items, Parsed, Texts};
use crate::py::payload::kept::{self, Views, kept};
use crate::py::payload::value::{Reader, Value};
use crate::py::payload::views::{Cart, Order, Page, Product};
use crate::py::payload::{Reading, detect, parse};
use crate::py::serialize;
use crate::replay::Delivery;
use crate::verify::Verified;

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
    pub(crate) verified: Verified,
    pub(crate) body: Py<PyBytes>,
    pub(crate) reading: Arc<Reading>,
    // Not pyo3's own locks: `__traverse__` has no interpreter token to read them with.
    payload: OnceLock<Payload>,
    contact: OnceLock<Contact>,
    // Apart, so that an event whose views nobody reads is small and quickly made.
    views: OnceLock<Box<Views>>,
}

impl Event {
    pub(crate) fn new(verified: Verified, body: Bound<'_, PyBytes>, reading: Arc<Reading>) -> Self {
        Self {
            verified,
            body: body.unbind(),
            reading,
            payload: OnceLock::new(),
            contact: OnceLock::new(),
            views: OnceLock::new(),
        }
    }

    fn views(&self) -> &Views {
        self.views.get_or_init(Box::default)
    }

    fn kept_payload(&self, py: Python<'_>) -> Result<&Payload> {
        kept(&self.payload, || {
            kept::check(&self.views)?;
            let payload = self.reading.payload(self.body.bind(py));
            payload.inspect_err(|error| self.views().note(error))
        })
    }

    fn kept_contact(&self, py: Python<'_>) -> Result<&Contact> {
        kept(&self.contact, || {
            kept::check(&self.views)?;
            let body = self.body.as_bytes(py);
            let text = parse::text(body)?;
            let scan = || scan::scan(text, &self.reading.names);
            let scanned = if body.len() < LARGE_BODY {
                scan()
            } else {
                py.detach(scan)
            };
            if let Some(fields) = scanned {
                return Ok(Contact::new(&self.reading, &fields, |text| {
                    ContactText::in_scanned(body, text)
                }));
            }
            let payload = self.kept_payload(py)?.value(py);
            let found = payload.fields(&self.reading.names, |fields| {
                Contact::new(&self.reading, fields, |text| ContactText::Object(text.unbind()))
            });
            Ok(found.unwrap_or(Contact {
                email: None,
                phone: None,
            }))
        })
    }

    /// What `read` makes of the payload.
    fn read<'py, T>(
        &self,
        py: Python<'py>,
        read: impl FnOnce(&Reader<'_, 'py>, &Value<'py>) -> PyResult<T>,
    ) -> Result<T> {
        let payload = self.kept_payload(py)?;
        let text = parse::text(self.body.as_bytes(py))?;
        let reader = Reader::new(py, &self.reading.names, text, payload);
        Ok(read(&reader, &payload.value(py))?)
    }

    fn kept_cart(&self, py: Python<'_>) -> Result<Option<&Py<Cart>>> {
        let cart = kept(&self.views().cart, || {
            self.read(py, |reader, payload| {
                detect::cart(reader, payload).map(|cart| Py::new(py, cart)).transpose()
            })
        })?;
        Ok(cart.as_ref())
    }

    fn kept_order(&self, py: Python<'_>) -> Result<Option<&Py<Order>>> {
        let order = kept(&self.views().order, || {
            self.read(py, |reader, payload| {
                detect::order(reader, payload)
                    .map(|order| Py::new(py, order))
                    .transpose()
            })
        })?;
        Ok(order.as_ref())
    }

    /// What a replay guard needs to know of it.
    pub(crate) const fn delivery(&self) -> Delivery {
        Delivery {
            mac: self.verified.mac,
            timestamp: self.verified.timestamp,
            tolerance: self.verified.expires_at.saturating_sub(self.verified.timestamp),
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
    /// Listrak sends no delivery id; header text is not an identity, because one MAC has several spellings. The MAC is the
    /// signature too: with the body and the timestamp, the id is enough to send the delivery again while it can pass the
    /// time window. So keep it among your own systems, and give `public_id` to others.
    #[getter]
    fn id(&self) -> String {
        hex::encode(self.verified.mac)
    }

    /// An identity to give to others, such as an analytics service or a support ticket: 64 hexadecimal digits.
    ///
    /// It is the SHA-256 of the 32 bytes of the MAC: the same for the same delivery, and no way back to `id`, which is
    /// the signature and must stay among your own systems.
    #[getter]
    fn public_id(&self) -> String {
        hex::encode(self.verified.public_id())
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
    fn encoding(&self) -> EncodingName {
        EncodingName(self.verified.encoding.name())
    }

    /// The JSON object in the body, built on first use and then kept.
    ///
    /// It is what `json.loads` gives: integers exact, up to 4,300 digits; floats to the bit; the last of duplicate
    /// keys. A byte order mark in front is passed over. What RFC 8259 forbids, such as NaN or trailing data, is an
    /// error, and so is nesting deeper than 201 levels, the outermost object being the first and a number or a string
    /// counting as one.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object; `body` still holds it.
    #[getter]
    fn payload(&self, py: Python<'_>) -> Result<Dict> {
        Ok(Dict(self.kept_payload(py)?.dict.clone_ref(py)))
    }

    /// The contact's email address, or `None`: a best effort, like all the views.
    ///
    /// Listrak documents that it appends the address if it knows it, and not under which name. Reading it does not
    /// build the payload: one pass over the bytes finds it and `phone`.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object; nothing else in a body can make a view fail.
    #[getter]
    fn email<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyString>>> {
        let found = self.kept_contact(py)?.email.as_ref();
        Ok(found.map(|found| found.get(self.body.bind(py))))
    }

    /// The contact's phone number as sent, or the digits of an integer, or `None`; found together with `email`.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn phone<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyString>>> {
        let found = self.kept_contact(py)?.phone.as_ref();
        Ok(found.map(|found| found.get(self.body.bind(py))))
    }

    /// The coupon codes, in the order in which they came.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn coupons(&self, py: Python<'_>) -> Result<Texts> {
        let coupons = kept(&self.views().coupons, || {
            self.read(py, |reader, payload| {
                Ok(PyTuple::new(py, detect::coupons(reader, payload))?.unbind())
            })
        })?;
        Ok(Texts(coupons.clone_ref(py)))
    }

    /// The lines of the cart or the order, else those at the top level.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn items(&self, py: Python<'_>) -> Result<Items> {
        let items = kept(&self.views().items, || {
            let (cart, order) = (self.kept_cart(py)?, self.kept_order(py)?);
            self.read(py, |reader, payload| {
                let lines = detect::users_items(reader, payload)
                    .or_else(|| cart?.get().lines(py))
                    .or_else(|| order?.get().lines(py))
                    .or_else(|| detect::items(reader, payload));
                Ok(lines.unwrap_or_else(|| PyTuple::empty(py)).unbind())
            })
        })?;
        Ok(Items(items.clone_ref(py)))
    }

    /// The cart that was left, or `None`.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn cart(&self, py: Python<'_>) -> Result<Option<Py<Cart>>> {
        Ok(self.kept_cart(py)?.map(|cart| cart.clone_ref(py)))
    }

    /// The order that was placed, or `None`.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn order(&self, py: Python<'_>) -> Result<Option<Py<Order>>> {
        Ok(self.kept_order(py)?.map(|order| order.clone_ref(py)))
    }

    /// The product that was browsed or that an alert is about, or `None`.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn product(&self, py: Python<'_>) -> Result<Option<Py<Product>>> {
        let product = kept(&self.views().product, || {
            self.read(py, |reader, payload| {
                detect::product(reader, payload)
                    .map(|product| Py::new(py, product))
                    .transpose()
            })
        })?;
        Ok(product.as_ref().map(|product| product.clone_ref(py)))
    }

    /// The page that was browsed, or `None`.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn page(&self, py: Python<'_>) -> Result<Option<Py<Page>>> {
        let page = kept(&self.views().page, || {
            self.read(py, |reader, payload| {
                detect::page(reader, payload).map(|page| Py::new(py, page)).transpose()
            })
        })?;
        Ok(page.as_ref().map(|page| page.clone_ref(py)))
    }

    /// What set the journey off: `"cart"`, `"order"`, `"product"`, `"page"`, `"alert"` or `"custom"`.
    ///
    /// A guess from the shape of the payload and no more: nothing that Listrak documents says it. Where it matters, let
    /// the marketer write a field of your own into the webhook's JSON.
    ///
    /// Raises:
    ///     PayloadError: the body is not a JSON object.
    #[getter]
    fn journey(&self, py: Python<'_>) -> Result<JourneyName> {
        let journey = kept(&self.views().journey, || {
            self.read(py, |reader, payload| Ok(detect::journey(reader, payload)))
        })?;
        Ok(JourneyName(journey))
    }

    /// Read the body as a type of your own: a Pydantic model or anything that its `TypeAdapter` takes, a msgspec
    /// `Struct`, a dataclass or a `TypedDict`.
    ///
    /// The library reads the verified bytes directly: msgspec for its own `Struct`s, Pydantic for all else, and msgspec
    /// where Pydantic is not installed.
    ///
    /// Args:
    ///     model: the type.
    ///
    /// Raises:
    ///     PayloadError: the body is not JSON, or does not fit. The message and `problems` tell where and what was
    ///         expected, and none of the values.
    ///     ImportError: the library that the type needs is not installed, or too old.
    ///     TypeError: neither library can read such a type.
    ///
    /// Example:
    ///     >>> from typing import TypedDict
    ///     >>> from listrak_webhooks import Webhook
    ///     >>> class Mail(TypedDict):
    ///     ...     campaign: str
    ///     >>> webhook = Webhook("the HMAC secret")
    ///     >>> body = b'{"campaign": "vip-mailer"}'
    ///     >>> webhook.verify(body, webhook.signed_headers(body)).parse_as(Mail)
    ///     {'campaign': 'vip-mailer'}
    #[pyo3(signature = (model, /))]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]
    fn parse_as(&self, py: Python<'_>, model: Model<'_>) -> Result<Parsed> {
        Ok(Parsed(parse::parse_as(self.body.bind(py), &model.0)?.unbind()))
    }

    /// Return everything that makes this event, in plain JSON types, to travel through a task queue.
    ///
    /// It holds the body (in base64) and the id, and no secret. What was changed in `payload` stays behind.
    ///
    /// Example:
    ///     >>> from listrak_webhooks import Event, Webhook
    ///     >>> webhook = Webhook("the HMAC secret")
    ///     >>> event = webhook.verify(b"{}", webhook.signed_headers(b"{}"))
    ///     >>> Event.from_dict(event.to_dict()) == event
    ///     True
    fn to_dict(&self, py: Python<'_>) -> Result<Dict> {
        Ok(Dict(
            serialize::to_dict(self, py, serialize::BodyForm::Base64)?.unbind(),
        ))
    }

    /// Return the event that `to_dict` was called on.
    ///
    /// Nothing is verified again: pass only what comes from a queue of your own that nobody else can write to.
    ///
    /// Raises:
    ///     ValueError: it is not what `to_dict` returns in this version.
    #[classmethod]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]
    fn from_dict(_class: &Bound<'_, PyType>, data: Data<'_>) -> Result<Self> {
        serialize::from_dict(&data)
    }

    /// What Pydantic asks a class about itself: that FastAPI cannot make an event out of a request is said there.
    #[classmethod]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        source: &Bound<'py, PyAny>,
        handler: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>> {
        let schema = package::PYDANTIC.get(class.py(), "event_schema")?;
        Ok(schema.call1((source, handler))?)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (Dict,))> {
        let py = slf.py();
        let back = py.get_type::<Self>().getattr("from_dict")?;
        let data = serialize::to_dict(slf.get(), py, serialize::BodyForm::Bytes)?;
        Ok((back, (Dict(data.unbind()),)))
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
    // The payload is the user's to change and could be made to hold the event; and the views hold parts of it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.payload.get().map(|payload| &payload.dict))?;
        let Some(views) = self.views.get() else { return Ok(()) };
        visit.call(views.items.get())?;
        visit.call(views.cart.get().and_then(Option::as_ref))?;
        visit.call(views.order.get().and_then(Option::as_ref))?;
        visit.call(views.product.get().and_then(Option::as_ref))?;
        visit.call(views.page.get().and_then(Option::as_ref))
    }
}
