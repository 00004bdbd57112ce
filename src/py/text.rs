//! What Python calls text, whatever holds it.
//!
//! A value can be text without being a `str`: settings are fetched lazily, and the object in their place says that its
//! class is `str` (Django's `SimpleLazyObject`, `wrapt.ObjectProxy`, werkzeug's `LocalProxy`). Such an object can be
//! iterated over, as a `str` can, and what is taken apart like that is not a secret any more but a list of characters. So
//! each argument that is text, or one or several of them, is looked at here first: what Python's own `isinstance` calls
//! text is text, only lists and tuples are lists, and nothing is ever walked to find that out.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyNone, PySlice, PyString, PyTuple, PyType};
use pyo3::{PyTypeCheck, PyTypeInfo};

use crate::py::body::type_name;

/// What an argument is.
pub(crate) enum Given<'py> {
    /// `None`.
    Nothing,
    Text(Bound<'py, PyString>),
    Bytes(Bound<'py, PyBytes>),
    /// The items of a list or a tuple.
    List(Vec<Bound<'py, PyAny>>),
    /// Whatever else.
    Other,
}

/// Why it cannot be told.
pub(crate) enum Unreadable {
    /// The object raised this when it was asked.
    Raised(PyErr),
    /// The object says that it is a text, bytes or a list, and gives none.
    Empty,
}

impl From<PyErr> for Unreadable {
    fn from(raised: PyErr) -> Self {
        Self::Raised(raised)
    }
}

impl Unreadable {
    /// What to say of it, unless it is not our business, such as a `KeyboardInterrupt`, which is passed on.
    ///
    /// What was raised is named and not shown: it may hold what it was about to give.
    pub(crate) fn explain(self, object: &Bound<'_, PyAny>) -> Result<String, PyErr> {
        let name = type_name(object);
        match self {
            Self::Raised(raised) if raised.is_instance_of::<PyException>(object.py()) => {
                let raised = raised.get_type(object.py()).name()?;
                Ok(format!(
                    "could not be read: this {name} raised {raised}; read it by itself to see why"
                ))
            }
            Self::Raised(raised) => Err(raised),
            Self::Empty => Ok(format!(
                "could not be read: this {name} has the class of another type and does not give its value; pass the \
                 value itself"
            )),
        }
    }
}

/// What `object` is, read once.
pub(crate) fn given<'py>(object: &Bound<'py, PyAny>) -> Result<Given<'py>, Unreadable> {
    if let Some(given) = real(object) {
        return Ok(given);
    }
    match behind_class(object)? {
        Some(given) => Ok(given),
        None => promise(object),
    }
}

/// What `object` is by the class that it says it has, if that is another than its type: the rest of what `isinstance`
/// looks at.
pub(crate) fn behind_class<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Given<'py>>, Unreadable> {
    let Some(class) = said_class(object)? else {
        return Ok(None);
    };
    let given = if class.is_subclass_of::<PyString>()? {
        held(object, "__str__")?.map(Given::Text)
    } else if class.is_subclass_of::<PyBytes>()? {
        held(object, "__bytes__")?.map(Given::Bytes)
    } else if class.is_subclass_of::<PyList>()? || class.is_subclass_of::<PyTuple>()? {
        let list = behind(object)?;
        list.as_ref()
            .and_then(real)
            .filter(|given| matches!(given, Given::List(_)))
    } else if class.is_subclass_of::<PyNone>()? {
        Some(Given::Nothing)
    } else {
        return Ok(None);
    };
    given.map(Some).ok_or(Unreadable::Empty)
}

/// The class that `object` says it has, if that is another than its type.
fn said_class<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyType>>> {
    let class = object.getattr("__class__")?.cast_into::<PyType>().ok();
    Ok(class.filter(|class| !class.is(object.get_type())))
}

/// Whether `object` is `None`, or says that it is.
pub(crate) fn is_none(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    if object.is_instance_of::<PyString>() || object.is_instance_of::<PyBytes>() {
        return Ok(false);
    }
    match said_class(object)? {
        Some(class) => class.is_subclass_of::<PyNone>(),
        None => Ok(object.is_none()),
    }
}

/// What `object` is by its real type, and so without asking it anything.
fn real<'py>(object: &Bound<'py, PyAny>) -> Option<Given<'py>> {
    if let Ok(text) = object.cast::<PyString>() {
        Some(Given::Text(text.clone()))
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Some(Given::Bytes(bytes.clone()))
    } else if let Ok(list) = object.cast::<PyList>() {
        Some(Given::List(list.iter().collect()))
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        Some(Given::List(tuple.iter().collect()))
    } else if object.is_none() {
        Some(Given::Nothing)
    } else {
        None
    }
}

/// The text or the bytes that `object` gives.
fn held<'py, T: PyTypeCheck + PyTypeInfo>(
    object: &Bound<'py, PyAny>,
    conversion: &str,
) -> Result<Option<Bound<'py, T>>, Unreadable> {
    if let Some(Ok(value)) = behind(object)?.map(Bound::cast_into) {
        return Ok(Some(value));
    }
    // An object that hands on no attributes, and has written out how it is converted. What it inherits, or has from C,
    // says something else: `object.__str__` shows an address.
    let Some(convert) = object.get_type().getattr_opt(conversion)? else {
        return Ok(None);
    };
    let slot = object.py().get_type::<PyAny>().getattr("__str__")?.get_type();
    if convert.is_instance(&slot)? {
        return Ok(None);
    }
    Ok(convert.call1((object,))?.cast_into().ok())
}

/// The very object behind a proxy: what a method that the proxy hands on is bound to.
///
/// This is surer than any conversion. `str(proxy)` is what the text's own `__str__` makes of it, which of an enum's
/// member is its name.
fn behind<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyAny>>, Unreadable> {
    // `index` is a method of `str`, `bytes`, `list` and `tuple`.
    let Some(method) = object.getattr_opt("index")? else {
        return Ok(None);
    };
    Ok(method.getattr_opt("__self__")?)
}

/// What is behind a promise of Django's, such as `gettext_lazy` makes. It does not say that it is a `str`.
fn promise<'py>(object: &Bound<'py, PyAny>) -> Result<Given<'py>, Unreadable> {
    let py = object.py();
    let modules = py.import("sys")?.getattr("modules")?;
    let module = modules.call_method1("get", ("django.utils.functional",))?;
    if module.is_none() || !object.is_instance(&module.getattr("Promise")?)? {
        return Ok(Given::Other);
    }
    // A slice of all of it, which of a text is the text that it holds.
    let whole = object.get_item(PySlice::full(py))?;
    Ok(real(&whole).unwrap_or(Given::Other))
}
