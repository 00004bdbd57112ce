//! The core of the Python package `listrak_webhooks`.
//!
//! The modules stand in the order in which a delivery meets them. Those behind the `python` feature talk to the
//! interpreter; the others are plain Rust, so tests and fuzzers reach them without one.

pub mod error;
pub mod key;
pub mod payload;
pub mod replay;
pub mod secret;
pub mod signature;
pub mod timestamp;
pub mod verifier;

#[cfg(feature = "python")]
mod body;
#[cfg(feature = "python")]
mod config;
#[cfg(feature = "python")]
mod event;
#[cfg(feature = "python")]
mod headers;
#[cfg(feature = "python")]
mod memory_guard;
#[cfg(feature = "python")]
mod one_call;
#[cfg(feature = "python")]
mod text;
#[cfg(feature = "python")]
mod travel;
#[cfg(feature = "python")]
mod webhook;

/// What `import listrak_webhooks._core` finds.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _core {
    /// The version of the package, which is written in `Cargo.toml` alone.
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use crate::event::Event;
    #[pymodule_export]
    use crate::memory_guard::{MemoryClaim, MemoryReplayGuard};
    #[pymodule_export]
    use crate::one_call::{sign, verify};
    #[pymodule_export]
    use crate::payload::views::{Cart, LineItem, Order, Page, Product};
    #[pymodule_export]
    use crate::webhook::Webhook;
}
