//! What an event keeps of its payload once it was asked for.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::views::{Cart, Order, Page, Product};
use crate::py::error::{Error, Result};

/// The views that were read so far.
#[derive(Default)]
pub(crate) struct Views {
    pub(crate) coupons: OnceLock<Py<PyTuple>>,
    pub(crate) items: OnceLock<Py<PyTuple>>,
    pub(crate) cart: OnceLock<Option<Py<Cart>>>,
    pub(crate) order: OnceLock<Option<Py<Order>>>,
    pub(crate) product: OnceLock<Option<Py<Product>>>,
    pub(crate) page: OnceLock<Option<Py<Page>>>,
    pub(crate) journey: OnceLock<&'static str>,
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

/// What was made of a body, or why it is not a JSON object.
pub(crate) type Kept<T> = std::result::Result<T, String>;

/// As [`kept`]; that a body is not a JSON object is kept too, so that it is found out once.
pub(crate) fn kept_or_error<T>(cell: &OnceLock<Kept<T>>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    let result = kept(cell, || match make() {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Payload(text)) => Ok(Err(text)),
        Err(error) => Err(error),
    })?;
    result.as_ref().map_err(|text| Error::Payload(text.clone()))
}
