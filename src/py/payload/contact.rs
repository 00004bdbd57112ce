//! The contact that an event keeps.

use std::borrow::Cow;
use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::Reading;
use crate::payload::contact;
use crate::payload::lookup::{Fields, Node};

/// The email address and the phone number.
pub(crate) struct Contact {
    pub(crate) email: Option<ContactText>,
    pub(crate) phone: Option<ContactText>,
}

/// A text that was found, made a Python object of when it is asked for: most handlers want one of the two.
pub(crate) enum ContactText {
    /// It is in the body as it is, from here to there.
    InBody(Range<usize>),
    /// It was written with escapes, or as a number.
    Text(Box<str>),
    /// It was found in the payload.
    Object(Py<PyString>),
}

impl ContactText {
    /// The `text` that was found in the bytes of `body`.
    pub(crate) fn in_scanned(body: &[u8], text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => {
                let start = text.as_ptr().addr() - body.as_ptr().addr();
                Self::InBody(start..start + text.len())
            }
            Cow::Owned(text) => Self::Text(text.into()),
        }
    }

    /// The text as a Python object.
    pub(crate) fn get<'py>(&self, body: &Bound<'py, PyBytes>) -> Bound<'py, PyString> {
        let py = body.py();
        match self {
            Self::InBody(place) => {
                let bytes = body.as_bytes().get(place.clone()).unwrap_or_default();
                PyString::new(py, std::str::from_utf8(bytes).unwrap_or_default())
            }
            Self::Text(text) => PyString::new(py, text),
            Self::Object(text) => text.bind(py).clone(),
        }
    }
}

impl Contact {
    /// What of a contact is in `fields`, each part as `found` keeps it.
    pub(crate) fn new<N: Node>(reading: &Reading, fields: &Fields<N>, found: impl Fn(N::Text) -> ContactText) -> Self {
        Self {
            email: contact::email(fields, &reading.names).map(&found),
            phone: contact::phone(fields, &reading.names).map(&found),
        }
    }
}
