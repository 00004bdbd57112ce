//! MemoryReplayGuard: the store of `replay.rs` as Python sees it.
//!
//! The lock is only ever taken by a thread that is attached to the interpreter, and no Python code runs under it: so it
//! is held for well under a microsecond, cannot deadlock, and is never left locked by a `fork`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::exceptions::PyStopIteration;
#[cfg(feature = "stub")]
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
#[cfg(feature = "stub")]
use pyo3::{type_hint_identifier, type_hint_subscript};

use crate::config::{Clock, Lease, MaxEntries};
use crate::error::Error;
use crate::event::Event;
use crate::replay::{Delivery, Store, Token, Verdict};

const DEFAULT_MAX_ENTRIES: MaxEntries = MaxEntries(1_000_000);

/// In milliseconds.
const DEFAULT_LEASE: Lease = Lease(60_000);

/// Lets each delivery be handled once in this process, and forgets nothing too early.
///
/// It is for one process: several workers, and a worker that is started again, know nothing of each other. It never
/// waits, so it serves `with` and `async with` alike.
///
/// Args:
///     max_entries: how many deliveries can be remembered; a million by default, which takes about 100 MB when they are
///         there. When it is full of deliveries that could still be sent again, new ones are refused.
///     lease: the seconds after which a claim may be taken over by another try, where its handler neither came to an
///         end nor failed; longer than a handler ever takes.
///     fail_open: handle deliveries all the same when it is full, though they may be handled twice then.
///     clock: returns Unix seconds; for tests. The system's by default.
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
    clock: Option<Py<PyAny>>,
}

#[pymethods]
impl MemoryReplayGuard {
    #[new]
    #[pyo3(
        signature = (max_entries = DEFAULT_MAX_ENTRIES, *, lease = DEFAULT_LEASE, fail_open = false, clock = None),
        text_signature = "(max_entries=1000000, *, lease=60, fail_open=False, clock=None)"
    )]
    fn new(max_entries: MaxEntries, lease: Lease, fail_open: bool, clock: Option<Clock>) -> Self {
        Self {
            store: Mutex::new(Store::new(max_entries.0)),
            lease: lease.0,
            fail_open,
            max_entries: max_entries.0,
            clock: clock.map(|clock| clock.0),
        }
    }

    /// Return the context in which `event` is handled, for `with` and for `async with`.
    ///
    /// In it the value is true for whoever is to handle the delivery, and false where that has been done. Leaving the
    /// block completes the claim, and an exception gives it back, so that the delivery may come again.
    ///
    /// Args:
    ///     event: a delivery, fresh from `verify`.
    ///
    /// Raises:
    ///     DuplicateDeliveryError: on entering, while another handles it.
    ///     ReplayGuardError: on entering, when the guard is full.
    fn handle(slf: Py<Self>, event: &Event) -> MemoryClaim {
        MemoryClaim {
            guard: slf,
            delivery: event.delivery(),
            held: Mutex::new(None),
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
        self.clock.as_ref().map_or(Ok(()), |clock| visit.call(clock))
    }
}

impl MemoryReplayGuard {
    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic under the lock would be a bug of ours; refusing everything from then on would make it worse.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time in Unix milliseconds.
    fn now(&self, py: Python<'_>) -> PyResult<i64> {
        let Some(clock) = &self.clock else {
            // A clock before 1970 is outside every window, and nothing that is kept is old then.
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            return Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        };
        let seconds: f64 = clock.call0(py)?.extract(py)?;
        #[allow(clippy::cast_possible_truncation, reason = "a cast to an integer saturates")]
        Ok((seconds * 1000.0).floor() as i64)
    }
}

/// What admits the holder of a claim.
#[derive(Clone, Copy)]
enum Admission {
    Claim(Token),
    /// The guard was full and lets deliveries pass.
    Unguarded,
}

/// The handling of one delivery: a context, for `with` and for `async with`.
#[pyclass(frozen, module = "listrak_webhooks.replay")]
pub struct MemoryClaim {
    guard: Py<MemoryReplayGuard>,
    delivery: Delivery,
    held: Mutex<Option<Admission>>,
}

#[pymethods]
impl MemoryClaim {
    /// Claim the delivery; return whether it is the caller's to handle.
    fn __enter__(&self, py: Python<'_>) -> Result<bool, Error> {
        let guard = self.guard.get();
        let now = guard.now(py)?;
        let verdict = guard.store().claim(&self.delivery, guard.lease, now);
        let admission = match verdict {
            Verdict::Claimed(token) => Admission::Claim(token),
            Verdict::Completed => return Ok(false),
            Verdict::Held => return Err(Error::DuplicateDelivery),
            Verdict::Full => {
                let full = Error::ReplayGuard(format!(
                    "the guard is full: each of its {} entries is a delivery that could still be sent again; raise \
                     max_entries, or lower the webhook's tolerance",
                    guard.max_entries
                ));
                if !guard.fail_open {
                    return Err(full);
                }
                log(py, "log_unguarded", &full.to_string())?;
                Admission::Unguarded
            }
        };
        *self.held() = Some(admission);
        Ok(true)
    }

    /// Complete the claim, or give it back where there is an exception, which passes on.
    #[pyo3(signature = (exc_type: "type[BaseException] | None", exc: "BaseException | None", traceback: "object"))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (exc, traceback);
        let guard = self.guard.get();
        let Some(admission) = self.held().take() else {
            return Ok(());
        };
        if !exc_type.is_none() {
            if let Admission::Claim(token) = admission {
                guard.store().release(&self.delivery, token);
            }
            return Ok(());
        }
        let now = guard.now(py)?;
        let saved = guard.store().complete(&self.delivery, now);
        if !saved {
            log(py, "log_unsaved", "the guard is full")?;
        }
        Ok(())
    }

    /// Do what `with` does, for `async with`.
    fn __aenter__(&self, py: Python<'_>) -> Result<AwaitableBool, Error> {
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
    fn held(&self) -> MutexGuard<'_, Option<Admission>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls one of the functions that log for every guard.
fn log(py: Python<'_>, function: &str, fact: &str) -> PyResult<()> {
    py.import("listrak_webhooks.replay._guard")?
        .call_method1(function, (fact,))?;
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
    ($name:ident of $module:literal $result:literal) => {
        struct $name(Py<Ready>);

        impl<'py> IntoPyObject<'py> for $name {
            type Target = Ready;
            type Output = Bound<'py, Ready>;
            type Error = std::convert::Infallible;

            #[cfg(feature = "stub")]
            const OUTPUT_TYPE: PyStaticExpr = type_hint_subscript!(
                type_hint_identifier!("collections.abc", "Awaitable"),
                type_hint_identifier!($module, $result)
            );

            fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
                Ok(self.0.into_bound(py))
            }
        }
    };
}

awaitable!(AwaitableBool of "builtins" "bool");
awaitable!(AwaitableNone of "builtins" "None");
