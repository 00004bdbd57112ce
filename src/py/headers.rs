//! The two values, out of whatever holds headers.
//!
//! A mapping in any case (dicts, Flask, Django, Starlette, httpx, Lambda), pairs (ASGI), a WSGI environ or Django's
//! `META`. Names are compared as ASCII without regard to case, so a Kelvin sign is not a `k`, and an underscore is not
//! a dash: only the exact environ keys of PEP 3333 have underscores. All of a container is looked at, because a header
//! that came twice must be rejected whatever the case of its names.

use std::borrow::Cow;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use smallvec::SmallVec;

use crate::py::body::type_name;
use crate::py::error::{Error, Result};
use crate::py::text::{self, Given, Unreadable};
use crate::verify::header::Header;
use crate::verify::refusal::Refusal;

/// A header's value, as it was received.
pub(crate) enum HeaderValue<'py> {
    /// Text, from most containers.
    Text(Bound<'py, PyString>),
    /// Bytes, from ASGI.
    Bytes(Bound<'py, PyBytes>),
}

impl<'py> HeaderValue<'py> {
    /// The single value in `object`.
    ///
    /// # Errors
    ///
    /// [`Refusal::MissingHeader`] for `None`, an empty value and an empty list, [`Refusal::RepeatedHeader`] for a list of
    /// more than one, [`Error::WrongType`] for what is not text at all.
    pub(crate) fn extract(object: Bound<'py, PyAny>, header: Header) -> Result<Self> {
        // What nearly every container holds, in a hurry.
        let object = match object.cast_into_exact::<PyString>() {
            Ok(text) => return Self::Text(text).unless_empty(header),
            Err(error) => match error.into_inner().cast_into_exact::<PyBytes>() {
                Ok(bytes) => return Self::Bytes(bytes).unless_empty(header),
                Err(error) => error.into_inner(),
            },
        };
        match given(&object, header)? {
            Given::List(items) => {
                // Lambda's multi-value headers, and containers that keep a list for each name.
                let mut items = items.into_iter();
                match (items.next(), items.next()) {
                    (None, _) => Err(Refusal::MissingHeader(header).into()),
                    (Some(item), None) => Self::single(&item, header),
                    (Some(_), Some(_)) => Err(Refusal::RepeatedHeader(header).into()),
                }
            }
            given => Self::of(given, &object, header),
        }
    }

    fn single(object: &Bound<'py, PyAny>, header: Header) -> Result<Self> {
        Self::of(given(object, header)?, object, header)
    }

    fn of(given: Given<'py>, object: &Bound<'py, PyAny>, header: Header) -> Result<Self> {
        match given {
            Given::Text(text) => Self::Text(text).unless_empty(header),
            Given::Bytes(bytes) => Self::Bytes(bytes).unless_empty(header),
            Given::Nothing => Err(Refusal::MissingHeader(header).into()),
            Given::List(_) | Given::Other => Err(wrong_value_type(object, header)),
        }
    }

    fn unless_empty(self, header: Header) -> Result<Self> {
        if self.as_bytes().is_empty() {
            return Err(Refusal::MissingHeader(header).into());
        }
        Ok(self)
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

/// What a header's value is.
fn given<'py>(object: &Bound<'py, PyAny>, header: Header) -> Result<Given<'py>> {
    text::given(object).map_err(|unreadable| match unreadable {
        Unreadable::Raised(raised) => Error::Raised(raised),
        Unreadable::Empty => wrong_value_type(object, header),
    })
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
/// [`Refusal::MissingHeader`], [`Refusal::RepeatedHeader`], [`Error::WrongType`], and whatever a container of the caller's
/// own raises while it is read.
pub(crate) fn find<'py>(headers: &Bound<'py, PyAny>) -> Result<(HeaderValue<'py>, HeaderValue<'py>)> {
    let mut found = HeaderPair::default();
    each_pair(
        headers,
        |name| may_be_one_of(name, &OURS),
        |name, value, kind| found.offer(&name, value, kind),
    )?;
    found.values()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ContainerKind {
    /// Names are keys, and may be those of an environ.
    Mapping,
    /// Names are header names, nothing else.
    Pairs,
}

#[derive(Default)]
struct HeaderPair<'py> {
    timestamp: Slot<'py>,
    signature: Slot<'py>,
}

impl<'py> HeaderPair<'py> {
    fn offer(&mut self, name: &Bound<'py, PyAny>, value: Bound<'py, PyAny>, kind: ContainerKind) -> Result<()> {
        match which(name, kind)? {
            // A value of `None` means that there is no such header.
            Some(_) if text::is_none(&value)? => {}
            Some(Header::Timestamp) => self.timestamp.fill(value),
            Some(Header::Signature) => self.signature.fill(value),
            None => {}
        }
        Ok(())
    }

    fn values(self) -> Result<(HeaderValue<'py>, HeaderValue<'py>)> {
        Ok((
            self.timestamp.value(Header::Timestamp)?,
            self.signature.value(Header::Signature)?,
        ))
    }
}

/// Calls `take` with each name and value in a container of any kind.
///
/// Of a dict, the commonest, those are left out of which `is_worth_it` says that their names matter to nobody.
fn each_pair<'py>(
    headers: &Bound<'py, PyAny>,
    is_worth_it: impl Fn(&Bound<'py, PyAny>) -> bool,
    mut take: impl FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>, ContainerKind) -> Result<()>,
) -> Result<()> {
    if let Ok(dict) = headers.cast_exact::<PyDict>() {
        // Nothing that can run Python code, such as an exception that wakes the garbage collector, may happen while a
        // dict is being walked: it could change under us.
        let pairs: SmallVec<[_; 4]> = dict.iter().filter(|(name, _)| is_worth_it(name)).collect();
        return pairs
            .into_iter()
            .try_for_each(|(name, value)| take(name, value, ContainerKind::Mapping));
    }
    if headers.is_exact_instance_of::<PyList>() {
        return read_pairs(headers, headers, ContainerKind::Pairs, &mut take);
    }
    if headers.is_none() || headers.is_instance_of::<PyString>() || headers.is_instance_of::<PyBytes>() {
        return Err(wrong_container(headers));
    }
    match text::behind_class(headers) {
        Ok(Some(Given::List(pairs))) => {
            return pairs
                .iter()
                .try_for_each(|pair| read_pair(pair, headers, ContainerKind::Pairs, &mut take));
        }
        // A text is never to be walked, whatever holds it.
        Ok(Some(_)) | Err(Unreadable::Empty) => return Err(wrong_container(headers)),
        Err(Unreadable::Raised(raised)) => return Err(Error::Raised(raised)),
        Ok(None) => {}
    }
    // The methods that give every pair, repeated names included, as they were received: `raw_items` of
    // `http.client` messages, `multi_items` of httpx, and `items` of every other mapping.
    for method in ["raw_items", "multi_items", "items"] {
        if let Some(items) = headers.getattr_opt(method)? {
            return read_pairs(&items.call0()?, headers, ContainerKind::Mapping, &mut take);
        }
    }
    read_pairs(headers, headers, ContainerKind::Pairs, &mut take)
}

fn read_pairs<'py>(
    pairs: &Bound<'py, PyAny>,
    headers: &Bound<'py, PyAny>,
    kind: ContainerKind,
    take: &mut impl FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>, ContainerKind) -> Result<()>,
) -> Result<()> {
    let iterator = pairs.try_iter().map_err(|error| {
        // One with a traceback was raised in an `__iter__` of the caller's own, and not by `iter`.
        let py = headers.py();
        if error.is_instance_of::<PyTypeError>(py) && error.traceback(py).is_none() {
            wrong_container(headers)
        } else {
            Error::Raised(error)
        }
    })?;
    for pair in iterator {
        read_pair(&pair?, headers, kind, take)?;
    }
    Ok(())
}

fn read_pair<'py>(
    pair: &Bound<'py, PyAny>,
    headers: &Bound<'py, PyAny>,
    kind: ContainerKind,
    take: &mut impl FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>, ContainerKind) -> Result<()>,
) -> Result<()> {
    let (name, value) = split(pair)?.ok_or_else(|| wrong_container(headers))?;
    take(name, value, kind)
}

/// The headers that facts are taken from, as bytes: what is in every rejection has to be cheap.
///
/// # Errors
///
/// As [`find`], but for what is wrong with the two headers.
pub(crate) fn of_facts(headers: &Bound<'_, PyAny>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut found = Vec::new();
    each_pair(
        headers,
        |name| may_be_one_of(name, &FACTS),
        |name, value, _| {
            if let Some(name) = bytes_of_fact(&name)
                && let Some(value) = bytes_of(&value)
            {
                found.push((name, value));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

/// The names under which containers have the headers of facts.
const FACTS: [&str; 8] = [
    "content-length",
    "content-type",
    "content-encoding",
    "ltk-timestamp",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "HTTP_CONTENT_ENCODING",
    "HTTP_LTK_TIMESTAMP",
];

fn bytes_of_fact(name: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    let is_ours = |name: &[u8]| FACTS.iter().any(|fact| name.eq_ignore_ascii_case(fact.as_bytes()));
    if let Ok(bytes) = name.cast_exact::<PyBytes>() {
        return is_ours(bytes.as_bytes()).then(|| bytes.as_bytes().to_vec());
    }
    bytes_of(name).filter(|name| is_ours(name))
}

/// The headers of one delivery, read once: the container may be one that can be read only once.
pub(crate) struct All<'py> {
    pairs: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>, ContainerKind)>,
}

impl<'py> All<'py> {
    /// All names and values in `headers`.
    ///
    /// # Errors
    ///
    /// As [`find`], but for what is wrong with the two headers.
    pub(crate) fn read(headers: &Bound<'py, PyAny>) -> Result<Self> {
        let mut pairs = Vec::new();
        each_pair(
            headers,
            |_| true,
            |name, value, kind| {
                pairs.push((name, value, kind));
                Ok(())
            },
        )?;
        Ok(Self { pairs })
    }

    /// The timestamp and the signature.
    ///
    /// # Errors
    ///
    /// As [`find`].
    pub(crate) fn find(&self) -> Result<(HeaderValue<'py>, HeaderValue<'py>)> {
        let mut found = HeaderPair::default();
        for (name, value, kind) in &self.pairs {
            found.offer(name, value.clone(), *kind)?;
        }
        found.values()
    }

    /// All of them that are text, as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        for (name, value, _) in &self.pairs {
            let Some(name) = bytes_of(name) else { continue };
            match text::given(value) {
                Ok(Given::List(values)) => {
                    all.extend(values.iter().filter_map(bytes_of).map(|value| (name.clone(), value)));
                }
                _ => all.extend(bytes_of(value).map(|value| (name, value))),
            }
        }
        all
    }
}

/// The longest text of a header that is copied, in bytes: more is never looked at.
const LONGEST_COPY: usize = 1024;

fn bytes_of(object: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    let value = match text::given(object).ok()? {
        Given::Text(text) => HeaderValue::Text(text),
        Given::Bytes(bytes) => HeaderValue::Bytes(bytes),
        _ => return None,
    };
    let bytes = value.as_bytes();
    Some(bytes.get(..LONGEST_COPY).unwrap_or(&bytes).to_vec())
}

/// A name and a value.
type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The name and the value in `pair`; `None` if it is not a pair.
fn split<'py>(pair: &Bound<'py, PyAny>) -> PyResult<Option<Pair<'py>>> {
    // Of a tuple or a list the items are read that are there, whatever a class of the caller's own says of them.
    if let Ok(tuple) = pair.cast::<PyTuple>() {
        return match tuple.len() {
            2 => Ok(Some((tuple.get_item(0)?, tuple.get_item(1)?))),
            _ => Ok(None),
        };
    }
    match text::given(pair) {
        Ok(Given::List(items)) => Ok(<[_; 2]>::try_from(items).ok().map(Into::into)),
        Ok(_) | Err(Unreadable::Empty) => Ok(None),
        Err(Unreadable::Raised(raised)) => Err(raised),
    }
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

    fn value(self, header: Header) -> Result<HeaderValue<'py>> {
        match self {
            Self::Absent => Err(Refusal::MissingHeader(header).into()),
            Self::Once(object) => HeaderValue::extract(object, header),
            Self::Repeated => Err(Refusal::RepeatedHeader(header).into()),
        }
    }
}

/// The names under which containers have the two headers.
const OURS: [&str; 4] = [
    Header::Timestamp.name(),
    Header::Signature.name(),
    Header::Timestamp.environ_name(),
    Header::Signature.environ_name(),
];

/// Whether `name` is worth a closer look: all but strings whose length says no.
fn may_be_one_of(name: &Bound<'_, PyAny>, names: &[&str]) -> bool {
    // Only of an exact `str` is the length sure to be its own.
    name.cast_exact::<PyString>().map_or(true, |text| {
        text.len()
            .map_or(true, |length| names.iter().any(|each| each.len() == length))
    })
}

/// Which of the two headers `name` is, if either.
fn which(name: &Bound<'_, PyAny>, kind: ContainerKind) -> Result<Option<Header>, PyErr> {
    // A name with a lone surrogate has no UTF-8 form, and is not one of ours.
    let of_text = |text: &Bound<'_, PyString>| which_bytes(text.to_cow().ok()?.as_bytes(), kind);
    if let Ok(text) = name.cast::<PyString>() {
        return Ok(of_text(text));
    }
    if let Ok(bytes) = name.cast::<PyBytes>() {
        return Ok(which_bytes(bytes.as_bytes(), kind));
    }
    match text::given(name) {
        Ok(Given::Text(text)) => Ok(of_text(&text)),
        Ok(Given::Bytes(bytes)) => Ok(which_bytes(bytes.as_bytes(), kind)),
        Ok(_) | Err(Unreadable::Empty) => Ok(None),
        Err(Unreadable::Raised(raised)) => Err(raised),
    }
}

fn which_bytes(name: &[u8], kind: ContainerKind) -> Option<Header> {
    [Header::Timestamp, Header::Signature].into_iter().find(|header| {
        name.eq_ignore_ascii_case(header.name().as_bytes())
            || (kind == ContainerKind::Mapping && name == header.environ_name().as_bytes())
    })
}

fn wrong_container(headers: &Bound<'_, PyAny>) -> Error {
    Error::WrongType(format!(
        "headers must be a mapping, an iterable of (name, value) pairs or a WSGI environ, not {}; pass the request's \
         headers as the framework gives them",
        type_name(headers)
    ))
}
