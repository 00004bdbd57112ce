//! The kinds of attributes that the views have: how each is read, what it is where it is absent, and its type.

use std::convert::Infallible;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
#[cfg(feature = "stub")]
use pyo3::{
    inspect::{PyStaticConstant, PyStaticExpr},
    type_hint_identifier, type_hint_subscript, type_hint_union,
};

use super::collector::CollectorPause;
use super::find::{Fields, Node as _};
use super::names::Concept;
use super::value::{Reader, Value, decimal};
use super::views::LineItem;

/// One attribute of a view.
///
/// What is read is snapshot and small: a text or number of the payload itself, which nobody can change, or what is made
/// of it only if it is asked for.
pub(crate) trait Kind {
    /// Whether there is anything in it.
    fn is_there(&self) -> bool;

    /// What the attribute gives.
    fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;

    /// Shows the garbage collector what could be part of a cycle: texts, numbers and the like cannot.
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

/// Makes the type of one kind: what it holds, its type hint, how it is read, what it gives, also where it is absent, and
/// whether it can be part of a cycle.
macro_rules! kind {
    (
        $(#[$attribute:meta])* $name:ident($held:ty), typed $hint:expr, absent $absent:expr, read $read:expr,
        give $give:expr, cyclic $cyclic:expr
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

        impl Kind for $name {
            fn is_there(&self) -> bool {
                self.0.is_some()
            }

            fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                let absent: fn(Python<'py>) -> PyResult<Bound<'py, PyAny>> = $absent;
                let give: fn(Bound<'py, $held>) -> PyResult<Bound<'py, PyAny>> = $give;
                self.0.as_ref().map_or_else(|| absent(py), |held| give(held.bind(py).clone()))
            }

            fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
                self.0.as_ref().filter(|_| $cyclic).map_or(Ok(()), |held| visit.call(held))
            }
        }

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

#[allow(clippy::unnecessary_wraps, reason = "what is made of another kind may fail to be")]
fn as_it_is<T>(held: Bound<'_, T>) -> PyResult<Bound<'_, PyAny>> {
    Ok(held.into_any())
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "what else an absent one can be may fail to be made"
)]
fn none(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(py.None().into_bound(py))
}

#[cfg(feature = "stub")]
const NONE: PyStaticExpr = PyStaticExpr::Constant {
    value: PyStaticConstant::None,
};
#[cfg(feature = "stub")]
const STR: PyStaticExpr = type_hint_identifier!("builtins", "str");
#[cfg(feature = "stub")]
const ANY: PyStaticExpr = type_hint_identifier!("typing", "Any");
#[cfg(feature = "stub")]
const STR_OR_NONE: PyStaticExpr = type_hint_union!(STR, NONE);
#[cfg(feature = "stub")]
const DICT: PyStaticExpr = type_hint_subscript!(type_hint_identifier!("builtins", "dict"), STR, ANY);
#[cfg(feature = "stub")]
const LINE_ITEMS: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("builtins", "tuple"),
    <LineItem as pyo3::PyTypeInfo>::TYPE_HINT,
    PyStaticExpr::Constant {
        value: PyStaticConstant::Ellipsis
    }
);
#[cfg(feature = "stub")]
const STRINGS: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("builtins", "tuple"),
    STR,
    PyStaticExpr::Constant {
        value: PyStaticConstant::Ellipsis
    }
);
#[cfg(feature = "stub")]
const TEXTS: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("builtins", "tuple"),
    STR_OR_NONE,
    PyStaticExpr::Constant {
        value: PyStaticConstant::Ellipsis
    }
);

kind! {
    /// A string as sent, or the digits of a number.
    Text(PyString),
    typed STR_OR_NONE,
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, Value::text_or_digits),
    give as_it_is,
    cyclic false
}
kind! {
    /// An exact number.
    Number(PyAny),
    typed type_hint_union!(type_hint_identifier!("decimal", "Decimal"), NONE),
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, |value| reader.number(value)),
    give |held| decimal(&held),
    cyclic false
}
kind! {
    /// A point in time.
    Moment(PyDateTime),
    typed type_hint_union!(type_hint_identifier!("datetime", "datetime"), NONE),
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, |value| reader.moment(value)),
    give as_it_is,
    cyclic false
}
kind! {
    /// Yes or no.
    Flag(PyBool),
    typed type_hint_union!(type_hint_identifier!("builtins", "bool"), NONE),
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, |value| reader.flag(value)),
    give as_it_is,
    cyclic false
}
kind! {
    /// An object as the payload holds it.
    Object(PyDict),
    typed DICT,
    absent |py| Ok(PyDict::new(py).into_any()),
    read |reader, fields, concept| reader.find(fields, concept, |value| value.dict().cloned()),
    give as_it_is,
    cyclic true
}
kind! {
    /// Anything; JSON in a string is opened.
    Opened(PyAny),
    typed ANY,
    absent none,
    read |reader, fields, concept| reader.find(fields, concept, |value| reader.opened(value)),
    give as_it_is,
    cyclic true
}
kind! {
    /// The lines of a cart or an order.
    Lines(PyTuple),
    typed LINE_ITEMS,
    absent |py| Ok(PyTuple::empty(py).into_any()),
    read |reader, fields, concept| reader.find(fields, concept, |value| lines(reader, value)),
    give as_it_is,
    cyclic true
}
kind! {
    /// The five texts that Listrak leaves to the retailer.
    Meta(PyTuple),
    typed TEXTS,
    absent |py| Ok(PyTuple::new(py, [const { None::<Bound<'_, PyAny>> }; 5])?.into_any()),
    read |reader, fields, first| {
        let five = [first, Concept::Meta2, Concept::Meta3, Concept::Meta4, Concept::Meta5];
        let texts = five.map(|concept| reader.find(fields, concept, Value::text_or_digits));
        texts.iter().any(Option::is_some).then(|| PyTuple::new(reader.py, texts).ok())?
    },
    give as_it_is,
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
    let mut fields = Fields::default();
    let line = |element: Value<'py>| {
        let raw = element.dict()?;
        element.read_fields(raw, reader.names, &mut fields);
        let line = LineItem::of(reader, raw, &fields);
        Some(Bound::new(reader.py, line))
    };
    let elements = list.elements()?;
    let _pause = CollectorPause::for_many(reader.py, elements.len());
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
    Dict(PyDict), typed DICT
}
typed! {
    /// Lines.
    Items(PyTuple), typed LINE_ITEMS
}
typed! {
    /// Strings.
    Texts(PyTuple), typed STRINGS
}
typed! {
    /// Paths by the name of what they lead to.
    PathsByName(PyDict), typed type_hint_subscript!(
        type_hint_identifier!("builtins", "dict"),
        STR,
        type_hint_subscript!(type_hint_identifier!("builtins", "list"), STR)
    )
}
typed! {
    /// What a library of the user's made of a body.
    Parsed(PyAny), typed type_hint_identifier!("listrak_webhooks._types", "T")
}
