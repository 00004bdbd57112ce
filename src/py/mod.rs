//! Everything that touches the interpreter: what `import listrak_webhooks._core` finds, and what it is made of.

mod arguments;
mod body;
mod clock;
mod error;
mod event;
mod explanation;
mod headers;
#[cfg(feature = "stub")]
mod hints;
mod literals;
mod memory_guard;
mod one_call;
mod package;
mod payload;
mod serialize;
mod signing;
mod text;
mod webhook;

/// What `import listrak_webhooks._core` finds.
#[pyo3::pymodule]
mod _core {
    /// The version of the package, which is written in `Cargo.toml` alone.
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    // What both languages need.

    /// The name of the header with the sender's Unix seconds.
    #[pymodule_export]
    const TIMESTAMP_HEADER: &str = Header::Timestamp.name();

    /// The name of the header with the MAC.
    #[pymodule_export]
    const SIGNATURE_HEADER: &str = Header::Signature.name();

    /// How many seconds a `Webhook` tolerates unless it is told otherwise.
    #[pymodule_export]
    const DEFAULT_TOLERANCE: i64 = super::arguments::DEFAULT_TOLERANCE.0;

    /// The most seconds that can be tolerated: a year of 365 days.
    #[pymodule_export]
    const MAX_TOLERANCE: i64 = super::arguments::MAX_TOLERANCE;

    /// How many seconds a claim lasts unless a replay guard is told otherwise.
    #[pymodule_export]
    const DEFAULT_LEASE: f64 = super::memory_guard::DEFAULT_LEASE_SECONDS;

    /// How many seconds an entry of a replay guard lives beyond what the tolerance asks for.
    #[pymodule_export]
    const MARGIN: i64 = crate::replay::MARGIN;

    /// What a guard says whose store a test has made fail.
    #[pymodule_export]
    const FAILS_IN_TEST: &str = super::memory_guard::FAILS_IN_TEST;

    /// The most digits of an integer in a payload.
    #[pymodule_export]
    const MAX_INT_DIGITS: usize = crate::payload::fast_path::MAX_INT_DIGITS;

    /// From how many bytes on other threads may run while a body is worked on.
    #[pymodule_export]
    const LARGE_BODY: usize = super::body::LARGE_BODY;

    use crate::verify::header::Header;

    #[pymodule_export]
    use super::arguments::built_in_aliases;
    #[pymodule_export]
    use super::clock::{freeze_clock, frozen_clock, now};
    #[pymodule_export]
    use super::event::Event;
    #[pymodule_export]
    use super::explanation::{Cause, Explanation};
    #[pymodule_export]
    use super::memory_guard::{MemoryClaim, MemoryReplayGuard};
    #[pymodule_export]
    use super::one_call::{sign, verify};
    #[pymodule_export]
    use super::payload::views::{Cart, LineItem, Order, Page, Product};
    #[pymodule_export]
    use super::webhook::Webhook;
}
