//! Python's cyclic garbage collector, kept quiet while very many objects are made.

use pyo3::prelude::*;

/// From this many objects on the collector would go through all of them several times while they are made, which takes
/// longer than making them.
const MANY: usize = 1000;

/// While this is there, the collector does not run.
///
/// Nobody else sees it off: no Python code and no other thread runs meanwhile.
pub(crate) struct CollectorPause<'py>(Option<Bound<'py, PyModule>>);

impl<'py> CollectorPause<'py> {
    /// Pauses the collector if it runs, for as many objects as make it worthwhile.
    pub(crate) fn for_many(py: Python<'py>, objects: usize) -> Self {
        let pause = || {
            let collector = py.import("gc")?;
            let runs: bool = collector.call_method0("isenabled")?.extract()?;
            if runs {
                collector.call_method0("disable")?;
            }
            PyResult::Ok(runs.then_some(collector))
        };
        Self((objects >= MANY).then(|| pause().ok().flatten()).flatten())
    }
}

impl Drop for CollectorPause<'_> {
    fn drop(&mut self) {
        if let Some(collector) = &self.0 {
            // Cannot fail in the module that was just asked.
            let _ = collector.call_method0("enable");
        }
    }
}
