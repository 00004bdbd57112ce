//! The secrets: one, or a list of them, or what is in the environment.

use pyo3::prelude::*;

use crate::py::body::type_name;
use crate::py::error::{Error, Result};
use crate::py::text::{Given, Unreadable, given};
use crate::verify::key::{Key, Keys};
use crate::verify::secret::{self, Suspicion};

/// The keys, and what is to be said of them to the person who set them.
pub(crate) struct Checked {
    pub(crate) keys: Keys,
    warnings: Vec<String>,
}

impl Checked {
    /// Logs what looks like a slip, without anything that shows what it is.
    pub(crate) fn warn(&self, py: Python<'_>) -> PyResult<()> {
        if self.warnings.is_empty() {
            return Ok(());
        }
        let logger = py.import("logging")?.call_method1("getLogger", ("listrak_webhooks",))?;
        for warning in &self.warnings {
            logger.call_method1("warning", (warning,))?;
        }
        Ok(())
    }
}

/// Where a secret comes from, in the words of a message.
struct Source(String);

impl Source {
    fn wrong(&self, fact: &str) -> Error {
        Error::Configuration(format!("{} {fact}", self.0))
    }

    fn unreadable(&self, object: &Bound<'_, PyAny>, unreadable: Unreadable) -> Error {
        match unreadable.explain(object) {
            Ok(fact) => self.wrong(&fact),
            Err(raised) => Error::Raised(raised),
        }
    }

    fn unset(&self) -> Error {
        self.wrong(
            "is None: the variable or setting that it comes from is unset; set it to the HMAC Secret that Listrak shows \
             for the webhook",
        )
    }

    /// What `object` is; `None` is an error.
    fn given<'py>(&self, object: &Bound<'py, PyAny>) -> Result<Given<'py>> {
        match given(object) {
            Ok(Given::Nothing) => Err(self.unset()),
            Ok(given) => Ok(given),
            Err(unreadable) => Err(self.unreadable(object, unreadable)),
        }
    }
}

/// Fails with [`Error::Configuration`], which never shows the secret.
pub(super) fn keys(secret: &Bound<'_, PyAny>) -> Result<Keys> {
    Ok(read(secret, |_| None)?.keys)
}

/// As [`keys`], with warnings.
pub(super) fn checked_keys(secret: &Bound<'_, PyAny>) -> Result<Checked> {
    read(secret, suspicion)
}

type Suspect = fn(&Given<'_>) -> Option<Suspicion>;

fn suspicion(secret: &Given<'_>) -> Option<Suspicion> {
    match secret {
        Given::Text(text) => secret::suspicion_of_text(&text.to_cow().ok()?),
        Given::Bytes(bytes) => secret::suspicion_of_bytes(bytes.as_bytes()),
        _ => None,
    }
}

fn read(secret: &Bound<'_, PyAny>, suspect: Suspect) -> Result<Checked> {
    let mut reader = Reader::new(suspect);
    let source = Source("the secret".to_owned());
    match source.given(secret)? {
        Given::List(secrets) => {
            for (index, secret) in secrets.iter().enumerate() {
                let source = Source(format!("secret number {}", index + 1));
                let item = source.given(secret)?;
                reader.read(&source, &item, secret)?;
                if is_one_character(&item) {
                    return Err(source.wrong(
                        "is a single character, and so the list looks like one secret taken apart; pass the secret \
                         itself, not list(secret)",
                    ));
                }
            }
        }
        Given::Other => {
            return Err(Error::Configuration(format!(
                "secret must be str, bytes, or a list or tuple of them, not {}; pass the HMAC Secret that Listrak shows \
                 for the webhook",
                type_name(secret)
            )));
        }
        text => reader.read(&source, &text, secret)?,
    }
    reader.finish()
}

fn is_one_character(secret: &Given<'_>) -> bool {
    match secret {
        Given::Text(text) => text
            .to_cow()
            .is_ok_and(|text| secret::is_one_character(text.as_bytes())),
        Given::Bytes(bytes) => secret::is_one_character(bytes.as_bytes()),
        _ => false,
    }
}

/// The keys in the environment variable `name` and, if it is set, `<name>_PREVIOUS`.
///
/// # Errors
///
/// [`Error::Configuration`], which names the variable.
pub(crate) fn keys_in_environment(py: Python<'_>, name: &str) -> Result<Checked> {
    // Python's view of the environment, which is the one that `.env` loaders and tests change.
    let environ = py.import("os")?.getattr("environ")?;
    let mut reader = Reader::new(suspicion);
    for name in [name, &format!("{name}_PREVIOUS")] {
        let source = Source(format!("the environment variable {name}"));
        let value = environ.call_method1("get", (name, ""))?;
        let secret = given(&value).map_err(|unreadable| source.unreadable(&value, unreadable))?;
        if !is_unset(&secret) {
            reader.read(&source, &secret, &value)?;
        } else if reader.keys.is_empty() {
            return Err(source.wrong("is unset or empty; set it to the HMAC Secret that Listrak shows for the webhook"));
        }
    }
    reader.finish()
}

fn is_unset(secret: &Given<'_>) -> bool {
    match secret {
        Given::Nothing => true,
        Given::Text(text) => text.len().is_ok_and(|length| length == 0),
        Given::Bytes(bytes) => bytes.as_bytes().is_empty(),
        _ => false,
    }
}

/// Makes keys of one secret after another.
struct Reader {
    suspect: Suspect,
    keys: Vec<Key>,
    warnings: Vec<String>,
}

impl Reader {
    const fn new(suspect: Suspect) -> Self {
        Self {
            suspect,
            keys: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds the key for `secret`, which is what `object` is.
    fn read(&mut self, source: &Source, secret: &Given<'_>, object: &Bound<'_, PyAny>) -> Result<()> {
        let key = match secret {
            Given::Text(text) => {
                let Ok(text) = text.to_cow() else {
                    return Err(source.wrong("has no UTF-8 form (a lone surrogate); copy it again from Listrak"));
                };
                Key::from_text(&text)
            }
            Given::Bytes(bytes) => Key::from_bytes(bytes.as_bytes()),
            _ => {
                return Err(source.wrong(&format!(
                    "must be str or bytes, not {}; pass the HMAC Secret that Listrak shows for the webhook",
                    type_name(object)
                )));
            }
        };
        let key = key.map_err(|fault| {
            source.wrong(&format!(
                "{fault}; copy the HMAC Secret again from Listrak, exactly as it is shown"
            ))
        })?;
        if let Some(suspicion) = (self.suspect)(secret) {
            self.warnings.push(format!("{} {suspicion}", source.0));
        }
        self.keys.push(key);
        Ok(())
    }

    fn finish(self) -> Result<Checked> {
        let keys = Keys::new(self.keys).ok_or_else(|| {
            Error::Configuration("the list of secrets is empty; without a secret nothing can be verified".to_owned())
        })?;
        Ok(Checked {
            keys,
            warnings: self.warnings,
        })
    }
}
