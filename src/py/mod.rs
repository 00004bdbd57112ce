//! Everything that touches the interpreter: what `import listrak_webhooks._core` finds, and what it is made of.

mod arguments;
mod body;
mod error;
mod event;
mod headers;
#[cfg(feature = "stub")]
mod hints;
mod memory_guard;
mod one_call;
mod package;
mod payload;
mod serialize;
mod text;
mod webhook;

/// What `import listrak_webhooks._core` finds.
#[pyo3::pymodule]
mod _core {
    /// The version of the package, which is written in `Cargo.toml` alone.
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::event::Event;
    #[pymodule_export]
    use super::memory_guard::{MemoryClaim, MemoryReplayGuard};
    #[pymodule_export]
    use super::one_call::{sign, verify};
    #[pymodule_export]
    use super::payload::views::{Cart, LineItem, Order, Page, Product};
    #[pymodule_export]
    use super::webhook::Webhook;
}
