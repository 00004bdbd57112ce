//! What is in a genuine body: by which names, in which bytes, within which limits.

pub mod aliases;
pub mod contact;
pub mod fast_path;
pub mod lookup;
pub mod names;
pub mod number;
pub mod scan;
pub mod utf8;
