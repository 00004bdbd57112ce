//! What is in a genuine body, as Python objects.
//!
//! The promise is that of `json.loads(body.decode("utf-8"))` with NaN and the infinities rejected: integers of any size
//! exact, floats to the bit, the last of duplicate keys. `serde_json` does it in one pass. What it does not read goes to
//! Python's own `json`, which then decides: that is how lone surrogates, which RFC 8259 allows and Rust strings cannot
//! hold, come out as `json` gives them.
//!
//! On top of the exact object are the views, which never fail.

mod collector;
pub(super) mod contact;
pub(super) mod detect;
pub(super) mod exact;
pub(super) mod fields;
pub(super) mod kept;
pub(super) mod parse;
mod to_python;
pub(super) mod value;
pub(super) mod views;

use std::sync::{Arc, LazyLock, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use self::exact::Payload;
use self::to_python::KeyCache;
use super::error::Result;
use crate::payload::names::{Concept, Names};

/// How the payloads of one webhook are read: by which names, and with which keys already made.
pub(crate) struct Reading {
    pub(crate) names: Arc<Names>,
    keys: Mutex<KeyCache>,
}

impl Reading {
    /// # Errors
    ///
    /// The first of the user's paths that is not one.
    pub(crate) fn new(user: Vec<(Concept, Vec<String>)>) -> Result<Arc<Self>, String> {
        static BUILT_IN: LazyLock<Arc<Names>> = LazyLock::new(|| Arc::new(Names::built_in()));
        let names = if user.is_empty() {
            Arc::clone(&BUILT_IN)
        } else {
            Arc::new(Names::new(user)?)
        };
        Ok(Arc::new(Self {
            names,
            keys: Mutex::default(),
        }))
    }

    /// The payload in `body`.
    ///
    /// # Errors
    ///
    /// `Error::Payload`.
    pub(crate) fn payload(&self, body: &Bound<'_, PyBytes>) -> Result<Payload> {
        // The keys are taken out and not locked while the payload is built: what is built may set off the garbage
        // collector, and that any code at all. If there are none, it makes do with its own.
        let mut keys = self
            .keys
            .lock()
            .map_or_else(|_| KeyCache::default(), |mut keys| std::mem::take(&mut *keys));
        let payload = parse::object(body, &mut keys);
        if let Ok(mut kept) = self.keys.lock() {
            *kept = keys;
        }
        payload
    }
}
