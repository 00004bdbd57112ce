//! What is in a genuine body.
//!
//! The promise is that of `json.loads(body.decode("utf-8"))` with NaN and the infinities refused: integers of any size
//! exact, floats to the bit, the last of duplicate keys. `serde_json` does it in one pass. What it does not read goes to
//! Python's own `json`, which then decides: that is how lone surrogates, which RFC 8259 allows and Rust strings cannot
//! hold, come out as `json` gives them.
//!
//! On top of the exact object stand the views, which never fail; all that they know of names is in [`names`].

pub mod concepts;
pub mod contact;
pub mod find;
pub mod limits;
pub mod names;
pub mod number;
pub mod scan;
pub mod utf8;

#[cfg(feature = "python")]
pub(crate) mod build;
#[cfg(feature = "python")]
pub(crate) mod collector;
#[cfg(feature = "python")]
pub(crate) mod exact;
#[cfg(feature = "python")]
pub(crate) mod json;
#[cfg(feature = "python")]
pub(crate) mod kinds;
#[cfg(feature = "python")]
pub(crate) mod shape;
#[cfg(feature = "python")]
pub(crate) mod value;
#[cfg(feature = "python")]
pub(crate) mod views;

#[cfg(feature = "python")]
pub(crate) use python::Reading;

#[cfg(feature = "python")]
mod python {
    use std::sync::{Arc, LazyLock, Mutex};

    use pyo3::prelude::*;
    use pyo3::types::PyBytes;

    use super::build::Keys;
    use super::exact::Payload;
    use super::json;
    use super::names::{Concept, Names};
    use crate::error::Error;

    /// How the payloads of one webhook are read: by which names, and with which keys already made.
    pub(crate) struct Reading {
        pub(crate) names: Arc<Names>,
        keys: Mutex<Keys>,
    }

    impl Reading {
        /// # Errors
        ///
        /// The first of the user's paths that is none.
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
        /// [`Error::Payload`].
        pub(crate) fn payload(&self, body: &Bound<'_, PyBytes>) -> Result<Payload, Error> {
            // The keys are taken out and not locked while the payload is built: what is built may set off the garbage
            // collector, and that any code at all. Whoever finds none there makes do with its own.
            let mut keys = self
                .keys
                .lock()
                .map_or_else(|_| Keys::default(), |mut keys| std::mem::take(&mut *keys));
            let payload = json::object(body, &mut keys);
            if let Ok(mut kept) = self.keys.lock() {
                *kept = keys;
            }
            payload
        }
    }
}
