//! All that the core asks of the Python package.

use pyo3::prelude::*;

/// A module of the package.
///
/// What is in one is looked up each time and not kept: if a server runs several interpreters in one process, each has
/// its own.
pub(crate) struct Module(&'static str);

/// The exceptions, which `error.rs` raises.
pub(crate) const EXCEPTIONS: Module = Module("listrak_webhooks.exceptions");

/// `parse(text)`: what Python's own `json` makes of the bodies that `serde_json` does not read.
pub(crate) const JSON: Module = Module("listrak_webhooks._payload.json");

/// `parse(event, type)`: a payload as a type of the user's.
pub(crate) const MODELS: Module = Module("listrak_webhooks._payload.models");

/// `event_schema(source, handler)`: what Pydantic is told about an event.
pub(crate) const PYDANTIC: Module = Module("listrak_webhooks._payload.pydantic_hook");

/// What the guards have in common: `check_lease`, `State`, and what is logged of a claim.
pub(crate) const GUARDS: Module = Module("listrak_webhooks.replay._guard");

impl Module {
    /// What the module has under this name.
    ///
    /// # Errors
    ///
    /// What Python raises if it cannot be imported.
    pub(crate) fn get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        py.import(self.0)?.getattr(name)
    }
}
