//! The user's own names for the views.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};

use super::text_of;
use crate::payload::names::{Concept, Names, Path};
use crate::py::body::type_name;
use crate::py::error::{Error, Result};
use crate::py::payload::fields::PathsByName;
use crate::py::text::{Given, given};

/// Paths by what they lead to, as the user gave them.
pub(crate) type UsersNames = Vec<(Concept, Vec<String>)>;

/// Fails with [`Error::Configuration`].
pub(super) fn optional_aliases(object: &Bound<'_, PyAny>) -> Result<UsersNames> {
    if object.is_none() {
        Ok(Vec::new())
    } else {
        aliases(object)
    }
}

/// Fails with [`Error::Configuration`], which names what is wrong.
pub(crate) fn aliases(object: &Bound<'_, PyAny>) -> Result<UsersNames> {
    const EXAMPLE: &str = "such as {\"email\": [\"shopper_mail\"], \"items\": [\"basket.lines\"]}";
    let Ok(mapping) = object.cast::<PyMapping>() else {
        return Err(Error::Configuration(format!(
            "aliases must be a mapping of names to lists of paths, not {}; pass one {EXAMPLE}",
            type_name(object)
        )));
    };
    let mut aliases = Vec::new();
    for entry in mapping.items()? {
        let (name, paths): (Bound<'_, PyAny>, Bound<'_, PyAny>) = entry.extract()?;
        let name = text_of(&name, "a name in aliases", "one of the names of the views")?;
        let concept = Concept::from_name(&name)
            .map_err(|known| Error::Configuration(format!("aliases has no name {name:?}; the names are {known}")))?;
        aliases.push((concept, paths_of(&name, &paths)?));
    }
    Ok(aliases)
}

fn paths_of(name: &str, object: &Bound<'_, PyAny>) -> Result<Vec<String>> {
    let wrong = |fact: &str| {
        Error::Configuration(format!(
            "the aliases of {name} {fact}; pass [\"a_field\"], or [\"an_object.a_field\"]"
        ))
    };
    // A text by itself, whatever holds it, is not taken apart: it is a slip here.
    let paths = match given(object) {
        Ok(Given::List(paths)) => paths,
        Ok(_) => return Err(wrong(&format!("must be a list of str, not {}", type_name(object)))),
        Err(unreadable) => return Err(wrong(&unreadable.explain(object)?)),
    };
    paths
        .iter()
        .map(|path| {
            let path = text_of(path, &format!("each of the aliases of {name}"), "a path to a field")?;
            if Path::new(&path).is_none() {
                return Err(Error::Configuration(format!(
                    "the alias {path:?} of {name} is not a path; write one name, or several with dots between them"
                )));
            }
            Ok(path)
        })
        .collect()
}

/// The user's own names in `names`, as they were given.
pub(crate) fn aliases_to_dict<'py>(py: Python<'py>, names: &Names) -> PyResult<Bound<'py, PyDict>> {
    let aliases = PyDict::new(py);
    for (concept, paths) in names.user() {
        aliases.set_item(concept.name(), paths)?;
    }
    Ok(aliases)
}

/// Return the alias table: under which names the views look for what.
///
/// It is what docs/reference/payload.md lists.
#[pyfunction]
pub(crate) fn built_in_aliases(py: Python<'_>) -> PyResult<PathsByName> {
    let table = PyDict::new(py);
    for concept in Concept::ALL {
        table.set_item(concept.name(), concept.built_in().to_vec())?;
    }
    Ok(PathsByName(table.unbind()))
}
