//! MemoryReplayGuard: the store of `replay.rs` as Python sees it.
//!
//! The lock is only ever taken by a thread that is attached to the interpreter, and no Python code runs under it: so it
//! is held for well under a microsecond, cannot deadlock, and is never left locked by a `fork`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTypeError};
#[cfg(feature = "stub")]
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use crate::py::arguments::DEFAULT_TOLERANCE;
use crate::py::arguments::{Clock, Lease, MaxEntries, Tolerance};
use crate::py::error::{Error, Result};
use crate::py::event::Event;
#[cfg(feature = "stub")]
use crate::py::hints;
use crate::py::package;
use crate::replay::{self, Delivery, Ending, Store, Token, Verdict};
use crate::verify::timestamp;

/// What the test kit has guards say.
pub(super) const FAILS_IN_TEST: &str =
    "the store does not respond, because a test has said so; leave the block of fail_store";

const DEFAULT_MAX_ENTRIES: MaxEntries = MaxEntries(1_000_000);

const DEFAULT_LEASE: Lease = Lease(replay::DEFAULT_LEASE);

/// In seconds.
pub(super) const DEFAULT_LEASE_SECONDS: f64 = seconds(DEFAULT_LEASE.0);

/// Lets each delivery be handled once in this process, and forgets nothing too early.
///
/// It is for one process: several workers, and a worker that is started again, know nothing of each other. It never
/// waits, so it serves `with` and `async with` alike.
///
/// A delivery is remembered for twice the tolerance and a minute after it came last: until no clock that is within the
/// tolerance can accept it any more, fast or slow. Nothing depends on the system's time, which may be set at any time.
///
/// Args:
///     max_entries: how many deliveries can be remembered; a million by default, which takes about 100 MB when they are
///         there. When it is full of deliveries that could still be sent again, new ones are rejected.
///     lease: the seconds after which a claim may be taken over by another try, if its handler has neither come to an
///         end nor failed; longer than a handler ever takes. If a handler outlives its lease, the delivery may be
///         handled twice, which is a WARNING on the logger `listrak_webhooks`.
///     fail_open: handle deliveries all the same when it is full, though they may be handled twice then.
///     tolerance: the longest tolerance, in seconds or as a `timedelta`, of the webhooks whose deliveries the guard sees.
///         A guard that sees a longer one goes by that from then on.
///     clock: returns seconds, such as Unix seconds; for tests. By default a clock that nobody sets. If it raises an
///         exception, or returns something that is not a finite `int` or `float`, what reads it raises
///         `ConfigurationError`.
///
/// Raises:
///     ConfigurationError: an argument cannot be right.
///
/// Example:
///     >>> from listrak_webhooks import Webhook
///     >>> from listrak_webhooks.replay import MemoryReplayGuard
///     >>> webhook, guard = Webhook("the HMAC secret"), MemoryReplayGuard()
///     >>> event = webhook.verify(b"{}", webhook.signed_headers(b"{}"))
///     >>> for _ in range(2):
///     ...     with guard.handle(event) as first:
///     ...         print(first)
///     True
///     False
#[pyclass(frozen, module = "listrak_webhooks.replay")]
pub struct MemoryReplayGuard {
    store: Mutex<Store>,
    lease: i64,
    fail_open: bool,
    max_entries: usize,
    clock: Option<Clock>,
    made: Instant,
    /// The test kit lets it fail, as a store does that is not in this process.
    failing: AtomicBool,
}

#[pymethods]
impl MemoryReplayGuard {
    #[new]
    #[pyo3(
        signature = (
            max_entries = DEFAULT_MAX_ENTRIES,
            *,
            lease = DEFAULT_LEASE,
            fail_open = false,
            tolerance = DEFAULT_TOLERANCE,
            clock = None,
        ),
        text_signature = "(max_entries=1000000, *, lease=60, fail_open=False, tolerance=900, clock=None)"
    )]
    fn new(max_entries: MaxEntries, lease: Lease, fail_open: bool, tolerance: Tolerance, clock: Option<Clock>) -> Self {
        Self {
            store: Mutex::new(Store::new(max_entries.0, tolerance.0)),
            lease: lease.0,
            fail_open,
            max_entries: max_entries.0,
            clock,
            made: Instant::now(),
            failing: AtomicBool::new(false),
        }
    }

    /// Let each claim fail from now on, or no more; return which it was. It is for `listrak_webhooks.testing` alone.
    fn _fail(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    /// Return the context in which `event` is handled, for `with` and for `async with`; it can be entered once.
    ///
    /// In it the value is true for the one that is to handle the delivery, and false if that has been done. Leaving the
    /// block completes the claim, and an exception gives it back, so that the delivery may come again. A claim that was
    /// lost to another, because its lease ran out, neither completes nor gives back the other's.
    ///
    /// Args:
    ///     event: a delivery, fresh from `verify`.
    ///
    /// Raises:
    ///     DuplicateDeliveryError: on entering, while another handles it.
    ///     ReplayGuardError: on entering, when the guard is full.
    ///     RuntimeError: on entering a second time.
    fn handle(slf: Py<Self>, event: &Event) -> MemoryClaim {
        MemoryClaim {
            guard: slf,
            delivery: event.delivery(),
            stage: Mutex::new(Stage::New),
        }
    }

    fn __len__(&self) -> usize {
        self.store().len()
    }

    fn __repr__(&self) -> String {
        format!(
            "MemoryReplayGuard(<{} of {} entries>)",
            self.store().len(),
            self.max_entries
        )
    }

    #[allow(clippy::needless_pass_by_value, reason = "the signature is pyo3's")]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.clock.as_ref().map_or(Ok(()), |clock| visit.call(&clock.0))
    }
}

impl MemoryReplayGuard {
    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic under the lock would be a bug of ours; rejecting everything from then on would make it worse.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing can be claimed.
    fn why_not(&self) -> String {
        if self.failing.load(Ordering::Relaxed) {
            return FAILS_IN_TEST.to_owned();
        }
        format!(
            "the guard is full: each of its {} entries is a delivery that could still be sent again; raise \
             max_entries, or lower the webhook's tolerance",
            self.max_entries
        )
    }

    /// Milliseconds on a clock that nobody sets, or on the user's own.
    fn now(&self, py: Python<'_>) -> Result<i64> {
        match &self.clock {
            None => {
                let elapsed = i64::try_from(self.made.elapsed().as_millis()).unwrap_or(i64::MAX);
                Ok(elapsed.saturating_add(timestamp::moved().saturating_mul(1000)))
            }
            Some(clock) => clock.milliseconds(py),
        }
    }
}

/// What admits a delivery to its handler.
#[derive(Clone, Copy)]
enum Admission {
    /// A claim, and when it was made.
    Claim(Token, i64),
    /// The guard was full and lets deliveries pass.
    Unguarded,
}

/// How far a context has come.
#[derive(Clone, Copy)]
enum Stage {
    New,
    Admitted(Admission),
    Over,
}

/// The handling of one delivery: a context, for `with` and for `async with`, that is entered once.
// The garbage collector does not see it, which saves a sixth of the time of a claim: it can be part of a cycle only if
// the guard's own clock, which is for tests, holds it.
#[pyclass(frozen, module = "listrak_webhooks.replay")]
pub struct MemoryClaim {
    guard: Py<MemoryReplayGuard>,
    delivery: Delivery,
    stage: Mutex<Stage>,
}

#[pymethods]
impl MemoryClaim {
    // In the words of the guards that are written in Python.
    #[allow(clippy::unused_self, reason = "the signature is pyo3's")]
    fn __bool__(&self) -> PyResult<bool> {
        Err(PyTypeError::new_err(
            "a claim is neither true nor false; write `with guard.handle(event) as first:` (or `async with`), and then \
             `if first:`",
        ))
    }

    /// Claim the delivery; return whether it is the caller's to handle.
    fn __enter__(&self, py: Python<'_>) -> Result<bool> {
        let before = self.go_to(Stage::Over);
        if !matches!(before, Stage::New) {
            // The first entry is not disturbed.
            self.go_to(before);
            return Err(Error::Raised(PyRuntimeError::new_err(
                "this claim was entered before; call guard.handle(event) for each try",
            )));
        }
        let guard = self.guard.get();
        let now = guard.now(py)?;
        let verdict = if guard.failing.load(Ordering::Relaxed) {
            Verdict::Full
        } else {
            guard.store().claim(&self.delivery, guard.lease, now)
        };
        let admission = match verdict {
            Verdict::Claimed(token) => Admission::Claim(token, now),
            Verdict::Completed => return Ok(false),
            Verdict::Held => return Err(Error::DuplicateDelivery),
            Verdict::Full => {
                let full = Error::ReplayGuard(guard.why_not());
                if !guard.fail_open {
                    return Err(full);
                }
                log(py, "log_unguarded", (full.to_string(),), None)?;
                Admission::Unguarded
            }
        };
        self.go_to(Stage::Admitted(admission));
        Ok(true)
    }

    /// Complete the claim, or give it back if there is an exception, which passes on.
    #[pyo3(signature = (exc_type: "type[BaseException] | None", exc: "BaseException | None", traceback: "object"))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (exc, traceback);
        let Stage::Admitted(admission) = self.go_to(Stage::Over) else {
            return Ok(());
        };
        match admission {
            Admission::Claim(token, since) => self.leave(py, token, since, exc_type.is_none()),
            Admission::Unguarded if exc_type.is_none() => self.leave_unguarded(py),
            Admission::Unguarded => Ok(()),
        }
    }

    /// Do what `with` does, for `async with`.
    fn __aenter__(&self, py: Python<'_>) -> Result<AwaitableBool> {
        Ok(AwaitableBool(Py::new(py, Ready(Some(self.__enter__(py)?)))?))
    }

    /// Do what `with` does, for `async with`.
    #[pyo3(signature = (exc_type: "type[BaseException] | None", exc: "BaseException | None", traceback: "object"))]
    fn __aexit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<AwaitableNone> {
        self.__exit__(py, exc_type, exc, traceback)?;
        Ok(AwaitableNone(Py::new(py, Ready(None))?))
    }
}

impl MemoryClaim {
    /// Goes to `stage`, and returns the one before.
    fn go_to(&self, stage: Stage) -> Stage {
        let mut now = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, stage)
    }

    /// Completes the claim, or gives it back, and logs it if it was not this one's any more.
    fn leave(&self, py: Python<'_>, token: Token, since: i64, handled: bool) -> PyResult<()> {
        let guard = self.guard.get();
        let clock = guard.now(py);
        // Whatever the user's own clock does: the claim comes to its end.
        let now = *clock.as_ref().unwrap_or(&since);
        let ending = if handled {
            guard.store().complete(&self.delivery, Some(token), now)
        } else {
            guard.store().release(&self.delivery, token, now)
        };
        clock?;
        let took = now.saturating_sub(since);
        match ending {
            Ending::Own => Ok(()),
            Ending::Full => log(py, "log_unsaved", (FULL,), None),
            Ending::Held => self.log_lost(py, "HELD", took),
            Ending::Completed => self.log_lost(py, "COMPLETED", took),
            Ending::Free => self.log_lost(py, "FREE", took),
        }
    }

    /// Remembers, if there is room by now, what was handled without a claim.
    fn leave_unguarded(&self, py: Python<'_>) -> PyResult<()> {
        let guard = self.guard.get();
        let now = guard.now(py)?;
        let ending = guard.store().complete(&self.delivery, None, now);
        if ending == Ending::Full {
            log(py, "log_unsaved", (FULL,), None)?;
        }
        Ok(())
    }

    /// `state` is a name in the `State` of the guards that are written in Python; `took` is in milliseconds.
    fn log_lost(&self, py: Python<'_>, state: &str, took: i64) -> PyResult<()> {
        let state = package::GUARDS.get(py, "State")?.getattr(state)?;
        let options = PyDict::new(py);
        options.set_item("took", seconds(took))?;
        options.set_item("lease", seconds(self.guard.get().lease))?;
        log(
            py,
            "log_lost_claim",
            (hex::encode(self.delivery.mac), state),
            Some(&options),
        )
    }
}

#[allow(clippy::cast_precision_loss, reason = "for a message")]
const fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

const FULL: &str = "the guard is full";

fn log<'py>(
    py: Python<'py>,
    function: &str,
    arguments: impl PyCallArgs<'py>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<()> {
    package::GUARDS.get(py, function)?.call(arguments, options)?;
    Ok(())
}

/// Something to await whose result is there already.
#[pyclass(frozen, module = "listrak_webhooks.replay")]
struct Ready(Option<bool>);

#[pymethods]
impl Ready {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self) -> PyResult<()> {
        Err(PyStopIteration::new_err(self.0))
    }
}

/// Makes a return type that says in the stub what awaiting gives.
macro_rules! awaitable {
    ($name:ident typed $hint:expr) => {
        struct $name(Py<Ready>);

        impl<'py> IntoPyObject<'py> for $name {
            type Target = Ready;
            type Output = Bound<'py, Ready>;
            type Error = std::convert::Infallible;

            #[cfg(feature = "stub")]
            const OUTPUT_TYPE: PyStaticExpr = $hint;

            fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
                Ok(self.0.into_bound(py))
            }
        }
    };
}

awaitable!(AwaitableBool typed hints::AWAITABLE_BOOL);
awaitable!(AwaitableNone typed hints::AWAITABLE_NONE);
