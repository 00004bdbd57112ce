//! The two values, out of whatever holds headers.
//!
//! A mapping in any case (dicts, Flask, Django, Starlette, httpx, Lambda), pairs (ASGI), a WSGI environ or Django's
//! `META`. Names are compared as ASCII without regard to case, so a Kelvin sign is not a `k`, and an underscore is not
//! a dash: only the exact environ keys of PEP 3333 have underscores. All of a container is looked at, because a header
//! that came twice must be refused whatever the case of its names.

use std::borrow::Cow;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use smallvec::SmallVec;

use crate::body::type_name;
use crate::error::{Error, Header};

/// A header's value, as it was received.
pub(crate) enum Value<'py> {
    /// Text, from most containers.
    Text(Bound<'py, PyString>),
    /// Bytes, from ASGI.
    Bytes(Bound<'py, PyBytes>),
}

impl<'py> Value<'py> {
    /// The single value in `object`.
    ///
    /// # Errors
    ///
    /// [`Error::MissingHeader`] for `None`, an empty value and an empty list, [`Error::RepeatedHeader`] for a list of
    /// more than one, [`Error::WrongType`] for what is not text at all.
    pub(crate) fn extract(object: Bound<'py, PyAny>, header: Header) -> Result<Self, Error> {
        // Lambda's multi-value headers, and containers that keep a list for each name.
        let object = if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
            match object.len()? {
                0 => return Err(Error::MissingHeader(header)),
                1 => object.get_item(0)?,
                _ => return Err(Error::RepeatedHeader(header)),
            }
        } else {
            object
        };
        if object.is_none() {
            return Err(Error::MissingHeader(header));
        }
        let value = match object.cast_into::<PyString>() {
            Ok(text) => Self::Text(text),
            Err(error) => match error.into_inner().cast_into::<PyBytes>() {
                Ok(bytes) => Self::Bytes(bytes),
                Err(error) => return Err(wrong_value_type(&error.into_inner(), header)),
            },
        };
        if value.as_bytes().is_empty() {
            return Err(Error::MissingHeader(header));
        }
        Ok(value)
    }

    /// The bytes of the value. A lone surrogate becomes a replacement character, which no grammar here takes.
    pub(crate) fn as_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes.as_bytes()),
            Self::Text(text) => match text.to_cow() {
                Ok(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
                Ok(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
                Err(_) => Cow::Owned(text.to_string_lossy().into_owned().into_bytes()),
            },
        }
    }
}

fn wrong_value_type(object: &Bound<'_, PyAny>, header: Header) -> Error {
    Error::WrongType(format!(
        "the {} header must be str or bytes, as it was received, not {}",
        header.name(),
        type_name(object)
    ))
}

/// The timestamp and the signature in `headers`.
///
/// # Errors
///
/// [`Error::MissingHeader`], [`Error::RepeatedHeader`], [`Error::WrongType`], and whatever a container of the caller's
/// own raises while it is read.
pub(crate) fn find<'py>(headers: &Bound<'py, PyAny>) -> Result<(Value<'py>, Value<'py>), Error> {
    let mut found = Found::default();
    if let Ok(dict) = headers.cast_exact::<PyDict>() {
        // Nothing that can run Python code, such as an exception that wakes the garbage collector, may happen while a
        // dict is being walked: it could change under us.
        let candidates: SmallVec<[_; 2]> = dict.iter().filter(|(name, _)| may_be_ours(name)).collect();
        for (name, value) in candidates {
            found.offer(&name, value, Kind::Mapping);
        }
    } else if headers.is_none() || headers.is_instance_of::<PyString>() || headers.is_instance_of::<PyBytes>() {
        return Err(wrong_container(headers));
    } else {
        found.read_container(headers)?;
    }
    Ok((
        found.timestamp.value(Header::Timestamp)?,
        found.signature.value(Header::Signature)?,
    ))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Names are keys, and may be those of an environ.
    Mapping,
    /// Names are header names, nothing else.
    Pairs,
}

#[derive(Default)]
struct Found<'py> {
    timestamp: Slot<'py>,
    signature: Slot<'py>,
}

impl<'py> Found<'py> {
    fn read_container(&mut self, headers: &Bound<'py, PyAny>) -> Result<(), Error> {
        // The methods that give every pair, repeated names included, as they were received: `raw_items` of
        // `http.client` messages, `multi_items` of httpx, and `items` of every other mapping.
        for method in ["raw_items", "multi_items", "items"] {
            if let Some(items) = headers.getattr_opt(method)? {
                return self.read_pairs(&items.call0()?, headers, Kind::Mapping);
            }
        }
        self.read_pairs(headers, headers, Kind::Pairs)
    }

    fn read_pairs(&mut self, pairs: &Bound<'py, PyAny>, headers: &Bound<'py, PyAny>, kind: Kind) -> Result<(), Error> {
        let iterator = pairs.try_iter().map_err(|error| {
            if error.is_instance_of::<PyTypeError>(headers.py()) {
                wrong_container(headers)
            } else {
                Error::Raised(error)
            }
        })?;
        for pair in iterator {
            let (name, value) = split(&pair?).ok_or_else(|| wrong_container(headers))?;
            self.offer(&name, value, kind);
        }
        Ok(())
    }

    fn offer(&mut self, name: &Bound<'py, PyAny>, value: Bound<'py, PyAny>, kind: Kind) {
        match which(name, kind) {
            // A `None` stands for no header at all.
            Some(_) if value.is_none() => {}
            Some(Header::Timestamp) => self.timestamp.fill(value),
            Some(Header::Signature) => self.signature.fill(value),
            None => {}
        }
    }
}

fn split<'py>(pair: &Bound<'py, PyAny>) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let is_pair = pair.is_instance_of::<PyTuple>() || pair.is_instance_of::<PyList>();
    if !is_pair || pair.len().ok()? != 2 {
        return None;
    }
    Some((pair.get_item(0).ok()?, pair.get_item(1).ok()?))
}

#[derive(Default)]
enum Slot<'py> {
    #[default]
    Absent,
    Once(Bound<'py, PyAny>),
    Repeated,
}

impl<'py> Slot<'py> {
    fn fill(&mut self, value: Bound<'py, PyAny>) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    fn value(self, header: Header) -> Result<Value<'py>, Error> {
        match self {
            Self::Absent => Err(Error::MissingHeader(header)),
            Self::Once(object) => Value::extract(object, header),
            Self::Repeated => Err(Error::RepeatedHeader(header)),
        }
    }
}

/// Whether `name` is worth a closer look: all but strings whose length says no.
fn may_be_ours(name: &Bound<'_, PyAny>) -> bool {
    const LENGTHS: [usize; 4] = [
        Header::Timestamp.name().len(),
        Header::Signature.name().len(),
        Header::Timestamp.environ_name().len(),
        Header::Signature.environ_name().len(),
    ];
    // Only of an exact `str` is the length sure to be its own.
    name.cast_exact::<PyString>()
        .map_or(true, |text| text.len().map_or(true, |length| LENGTHS.contains(&length)))
}

/// Which of the two headers `name` is, if either.
fn which(name: &Bound<'_, PyAny>, kind: Kind) -> Option<Header> {
    if let Ok(text) = name.cast::<PyString>() {
        // A name with a lone surrogate has no UTF-8 form, and is no name of ours.
        let text = text.to_cow().ok()?;
        which_bytes(text.as_bytes(), kind)
    } else {
        which_bytes(name.cast::<PyBytes>().ok()?.as_bytes(), kind)
    }
}

fn which_bytes(name: &[u8], kind: Kind) -> Option<Header> {
    [Header::Timestamp, Header::Signature].into_iter().find(|header| {
        name.eq_ignore_ascii_case(header.name().as_bytes())
            || (kind == Kind::Mapping && name == header.environ_name().as_bytes())
    })
}

fn wrong_container(headers: &Bound<'_, PyAny>) -> Error {
    Error::WrongType(format!(
        "headers must be a mapping, an iterable of (name, value) pairs or a WSGI environ, not {}; pass the request's \
         headers as the framework gives them",
        type_name(headers)
    ))
}
