//! Strings of which there are few: the stub lists them.

use std::convert::Infallible;

#[cfg(feature = "stub")]
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::PyString;

#[cfg(feature = "stub")]
use super::hints;

macro_rules! literal {
    ($(#[$attribute:meta])* $name:ident, typed $hint:expr) => {
        $(#[$attribute])*
        pub(crate) struct $name(pub(crate) &'static str);

        impl<'py> IntoPyObject<'py> for $name {
            type Target = PyString;
            type Output = Bound<'py, PyString>;
            type Error = Infallible;

            #[cfg(feature = "stub")]
            const OUTPUT_TYPE: PyStaticExpr = $hint;

            fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Infallible> {
                Ok(PyString::new(py, self.0))
            }
        }
    };
}

literal! {
    /// Which encodings a webhook takes.
    AcceptedEncodingName, typed hints::ACCEPTED_ENCODING
}
literal! {
    /// How a signature was written.
    EncodingName, typed hints::SIGNING_ENCODING
}
literal! {
    /// What set a journey off.
    JourneyName, typed hints::JOURNEY
}
