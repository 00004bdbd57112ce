//! The kinds of attributes that the views have: how each is read, what it is where it is absent, and its type.

use std::convert::Infallible;

#[cfg(feature = "stub")]
use crate::py::hints;
#[cfg(feature = "stub")]
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyFloat, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::collector::CollectorPause;
use super::value::{Reader, Value};
use super::views::LineItem;
use crate::payload::lookup::{Fields, Node as _};
use crate::payload::names::Concept;

/// One attribute of a view.
///
/// What is read is snapshot and small: a text or number of the payload itself, which nobody can change, or what is made
/// of it only if it is asked for.
pub(crate) trait Field {
    /// Whether there is anything in it.
    fn is_there(&self) -> bool;

    /// What the attribute gives.
    fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;

    /// Shows the garbage collector what could be part of a cycle: texts, numbers and the like cannot.
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

macro_rules! impl_into_py_object {
    ($name:ident, typed $hint:expr) => {
        impl<'py> IntoPyObject<'py> for &$name {
            type Target = PyAny;
            type Output = Bound<'py, PyAny>;
            type Error = PyErr;

            #[cfg(feature = "stub")]
            const OUTPUT_TYPE: PyStaticExpr = $hint;

            fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                self.object(py)
            }
        }
    };
}

/// Makes the type of one kind: what it holds, its type hint, how it is read, what it gives where it is absent, and
/// whether it can be part of a cycle.
macro_rules! kind {
    (
        $(#[$attribute:meta])* $name:ident($held:ty), typed $hint:expr, absent $absent:expr, read $read:expr,
        cyclic $cyclic:expr
    ) => {
        $(#[$attribute])*
        pub(crate) struct $name(Option<Py<$held>>);

        impl $name {
            /// One with nothing in it.
            pub(crate) const ABSENT: &Self = &Self(None);

            /// Reads what can be `concept` in the object that has `fields`.
            pub(crate) fn read<'py>(reader: &Reader<'_, 'py>, fields: &Fields<Value<'py>>, concept: Concept) -> Self {
                let read: fn(&Reader<'_, 'py>, &Fields<Value<'py>>, Concept) -> Option<Bound<'py, $held>> = $read;
                Self(read(reader, fields, concept).map(Bound::unbind))
            }
        }

        impl Field for $name {
            fn is_there(&self) -> bool {
                self.0.is_some()
            }

            fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                let absent: fn(Python<'py>) -> PyResult<Bound<'py, PyAny>> = $absent;
                self.0.as_ref().map_or_else(|| absent(py), |held| Ok(held.bind(py).clone().into_any()))
            }

            fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
                self.0.as_ref().filter(|_| $cyclic).map_or(Ok(()), |held| visit.call(held))
            }
        }

        impl_into_py_object! { $name, typed $hint }
    };
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "what else an absent one can be may fail to be made"
)]
fn none(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(py.None().into_bound(py))
}

kind! {
    /// A string as sent, or the digits of a number.
    Text(PyString),
    typed hints::STR_OR_NONE,
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, Value::text_or_digits),
    cyclic false
}
/// An exact number.
pub(crate) struct Number(Option<Making>);

/// What a `Decimal` is made of: the class, and a number or the text of one. To make it takes longer than all else, and
/// most are never asked for.
struct Making {
    class: Py<PyAny>,
    of: Py<PyAny>,
}

impl Number {
    /// One with nothing in it.
    pub(crate) const ABSENT: &Self = &Self(None);

    /// Reads what can be `concept` in the object that has `fields`.
    pub(crate) fn read<'py>(reader: &Reader<'_, 'py>, fields: &Fields<Value<'py>>, concept: Concept) -> Self {
        let number = reader.find(fields, concept, |value| reader.number(value));
        let making = |of: Bound<'py, PyAny>| {
            let class = reader.decimal()?.clone().unbind();
            Some(Making { class, of: of.unbind() })
        };
        Self(number.and_then(making))
    }
}

impl Field for Number {
    fn is_there(&self) -> bool {
        self.0.is_some()
    }

    fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Some(Making { class, of }) = &self.0 else {
            return none(py);
        };
        match of.bind(py).cast_exact::<PyFloat>() {
            // What Python writes for a double is the shortest text that means it, and so what the sender wrote.
            Ok(float) => class.bind(py).call1((float.repr()?,)),
            Err(_) => class.bind(py).call1((of,)),
        }
    }

    fn visit(&self, _: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        Ok(())
    }
}

impl_into_py_object! {
    Number, typed hints::DECIMAL_OR_NONE
}

kind! {
    /// A point in time.
    Moment(PyDateTime),
    typed hints::DATETIME_OR_NONE,
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, |value| reader.moment(value)),
    cyclic false
}
kind! {
    /// Yes or no.
    Flag(PyBool),
    typed hints::BOOL_OR_NONE,
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, |value| reader.flag(value)),
    cyclic false
}
kind! {
    /// An object as the payload holds it.
    Object(PyDict),
    typed hints::DICT,
    absent |py| Ok(PyDict::new(py).into_any()),
    read |reader, fields, concept| reader.find(fields, concept, |value| value.dict().cloned()),
    cyclic true
}
kind! {
    /// Anything; JSON in a string is opened.
    Opened(PyAny),
    typed hints::ANY,
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, |value| reader.opened(value)),
    cyclic true
}
kind! {
    /// The lines of a cart or an order.
    Lines(PyTuple),
    typed hints::LINE_ITEMS,
    absent |py| Ok(PyTuple::empty(py).into_any()),
    read |reader, fields, concept| reader.find(fields, concept, |value| lines(reader, value)),
    cyclic true
}
kind! {
    /// The five texts that Listrak leaves to the retailer.
    Meta(PyTuple),
    typed hints::TEXTS,
    absent |py| Ok(PyTuple::new(py, [const { None::<Bound<'_, PyAny>> }; 5])?.into_any()),
    read |reader, fields, first| {
        let five = [first, Concept::Meta2, Concept::Meta3, Concept::Meta4, Concept::Meta5];
        let texts = five.map(|concept| reader.find(fields, concept, Value::text_or_digits));
        texts.iter().any(Option::is_some).then(|| PyTuple::new(reader.py, texts).ok())?
    },
    cyclic false
}

impl Lines {
    /// The lines, if there are any.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        self.0.as_ref().map(|lines| lines.bind(py).clone())
    }
}

/// The objects in a list, as lines; `None` if there are none.
pub(crate) fn lines<'py>(reader: &Reader<'_, 'py>, list: &Value<'py>) -> Option<Bound<'py, PyTuple>> {
    let elements = list.elements()?;
    let _pause = CollectorPause::for_many(reader.py, elements.len());
    let mut fields = Fields::default();
    let line = |element: Value<'py>| {
        let raw = element.dict()?;
        element.read_fields(raw, reader.names, &mut fields);
        Some(Bound::new(reader.py, LineItem::of(reader, raw, &fields)))
    };
    let lines = elements.filter_map(line).collect::<PyResult<Vec<_>>>().ok()?;
    (!lines.is_empty()).then(|| PyTuple::new(reader.py, lines).ok())?
}

/// Makes a type for what a getter returns, so that the stub can say more of it than its class.
macro_rules! typed {
    ($(#[$attribute:meta])* $name:ident($held:ty), typed $hint:expr) => {
        $(#[$attribute])*
        pub(crate) struct $name(pub(crate) Py<$held>);

        impl<'py> IntoPyObject<'py> for $name {
            type Target = $held;
            type Output = Bound<'py, $held>;
            type Error = Infallible;

            #[cfg(feature = "stub")]
            const OUTPUT_TYPE: PyStaticExpr = $hint;

            fn into_pyobject(self, py: Python<'py>) -> Result<Bound<'py, $held>, Infallible> {
                Ok(self.0.into_bound(py))
            }
        }
    };
}

typed! {
    /// A JSON object.
    Dict(PyDict), typed hints::DICT
}
typed! {
    /// Lines.
    Items(PyTuple), typed hints::LINE_ITEMS
}
typed! {
    /// Strings.
    Texts(PyTuple), typed hints::STRINGS
}
typed! {
    /// Paths by the name of what they lead to.
    PathsByName(PyDict), typed hints::PATHS_BY_NAME
}
typed! {
    /// Harmless facts of a delivery, by name.
    FactsByName(PyDict), typed hints::FACTS
}
typed! {
    /// Causes, the likeliest first.
    Causes(PyTuple), typed hints::CAUSES
}
typed! {
    /// What a library of the user's made of a body.
    Parsed(PyAny), typed hints::PARSED
}
