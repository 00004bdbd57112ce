//! The clock that the test kit stops, as Python sees it.

use pyo3::prelude::*;

use crate::verify::timestamp;

/// Stop the package's clock, move a stopped one, or let it run again. It is for `listrak_webhooks.testing` alone.
///
/// Args:
///     seconds: the Unix second at which it is stopped; `None` lets it run.
#[pyfunction]
#[pyo3(name = "_freeze_clock", signature = (seconds))]
pub(crate) fn freeze_clock(seconds: Option<i64>) {
    timestamp::freeze(seconds);
}

/// Return the Unix second that the package goes by: the system's, or the one at which its clock was stopped.
#[pyfunction]
#[pyo3(name = "_now")]
pub(crate) fn now() -> i64 {
    timestamp::system_now()
}

/// Return the second at which the clock is stopped and by how many seconds it was moved since it was stopped.
///
/// Returns:
///     `None` while it runs.
#[pyfunction]
#[pyo3(name = "_frozen_clock")]
pub(crate) fn frozen_clock() -> Option<(i64, i64)> {
    timestamp::frozen().map(|seconds| (seconds, timestamp::moved()))
}
