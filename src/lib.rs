//! The core of the Python package `listrak_webhooks`: pure Rust below, its Python face above.
//!
//! The modules are in the order in which a delivery meets them: is it genuine and timely, what does it mean, was it
//! handled before. They know nothing of Python, so tests and fuzzers reach them without an interpreter. `py` is what
//! Python sees of them.

pub mod verify;

pub mod payload;

pub mod replay;

#[cfg(feature = "python")]
mod py;
