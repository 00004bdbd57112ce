//! What an event keeps of its payload once it was asked for.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::views::{Cart, Order, Page, Product};
use crate::py::error::{Error, Result};

/// What was read so far, apart from the payload and the contact.
#[derive(Default)]
pub(crate) struct Views {
    /// Why the body is not a JSON object.
    pub(crate) misfit: OnceLock<String>,
    pub(crate) coupons: OnceLock<Py<PyTuple>>,
    pub(crate) items: OnceLock<Py<PyTuple>>,
    pub(crate) cart: OnceLock<Option<Py<Cart>>>,
    pub(crate) order: OnceLock<Option<Py<Order>>>,
    pub(crate) product: OnceLock<Option<Py<Product>>>,
    pub(crate) page: OnceLock<Option<Py<Page>>>,
    pub(crate) journey: OnceLock<&'static str>,
}

impl Views {
    /// Keeps that the body is not a JSON object, if that is the `error`.
    #[cold]
    pub(crate) fn note(&self, error: &Error) {
        if let Error::Payload(text) = error {
            self.misfit.get_or_init(|| text.clone());
        }
    }
}

/// Fails if it is known that the body is not a JSON object.
///
/// # Errors
///
/// [`Error::Payload`].
pub(crate) fn check(views: &OnceLock<Box<Views>>) -> Result<()> {
    match views.get().and_then(|views| views.misfit.get()) {
        Some(text) => Err(Error::Payload(text.clone())),
        None => Ok(()),
    }
}

/// What `cell` keeps, made by `make` on first use. Two threads may both make it; the first to finish is the one whose
/// work is kept, and both return it.
pub(crate) fn kept<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(kept) = cell.get() {
        return Ok(kept);
    }
    let new = make()?;
    Ok(cell.get_or_init(|| new))
}
