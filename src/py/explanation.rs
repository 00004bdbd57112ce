//! Explanation: why a delivery was rejected, as Python sees it.

use std::fmt::Write as _;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::py::arguments::Now;
use crate::py::body;
use crate::py::error::{self, Error, Result};
use crate::py::headers::{self, All};
use crate::py::payload::fields::{Causes, Dict, FactsByName};
use crate::py::webhook::Webhook;
use crate::verify::explain::{Cause as Found, Facts, Received, explain};
use crate::verify::key::Keys;

/// One thing that can have happened to a delivery.
///
/// Example:
///     >>> webhook = Webhook("the HMAC secret")
///     >>> headers = webhook.signed_headers(b"{}")
///     >>> webhook.explain(b"{}\n", headers).causes
///     (Cause(name='newline_added', proven=True),)
#[pyclass(frozen, eq, hash, skip_from_py_object, module = "listrak_webhooks")]
#[derive(PartialEq, Eq, Hash, Clone)]
pub struct Cause {
    /// What it is called, such as `"body_reserialized"`; the page on debugging a signature has all names.
    #[pyo3(get)]
    name: &'static str,
    /// Whether the signature matches with this one change undone, so that it is not a guess.
    #[pyo3(get)]
    proven: bool,
    /// What happened.
    #[pyo3(get)]
    summary: String,
    /// What to do, and where.
    #[pyo3(get)]
    advice: &'static str,
}

impl Cause {
    fn of(found: &Found) -> Self {
        Self {
            name: found.accident.name(),
            proven: found.proven,
            summary: found.summary(),
            advice: found.accident.advice(),
        }
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("name", self.name)?;
        dict.set_item("proven", self.proven)?;
        dict.set_item("summary", &self.summary)?;
        dict.set_item("advice", self.advice)?;
        Ok(dict)
    }
}

#[pymethods]
impl Cause {
    fn __repr__(&self) -> String {
        let proven = if self.proven { "True" } else { "False" };
        format!("Cause(name='{}', proven={proven})", self.name)
    }
}

/// What `Webhook.explain` knows of a delivery.
///
/// Nothing in it is secret or personal: no value of the body, no secret, no MAC. It is for people and logs, and not for an
/// HTTP response.
///
/// Example:
///     >>> webhook = Webhook("the HMAC secret")
///     >>> explanation = webhook.explain(b'{"a": 1}', webhook.signed_headers(b'{"a":1}'))
///     >>> explanation.code, explanation.causes[0].name, explanation.facts["is_json"]
///     ('signature_mismatch', 'body_reserialized', True)
#[pyclass(frozen, module = "listrak_webhooks")]
pub struct Explanation {
    /// The code that `verify` rejects the delivery with; `None` if it is genuine and timely.
    #[pyo3(get)]
    code: Option<String>,
    causes: Vec<Cause>,
    facts: Facts,
}

impl Explanation {
    /// The facts of a delivery that `webhook` has rejected.
    ///
    /// # Errors
    ///
    /// As `of`.
    pub(crate) fn facts_of(
        webhook: &Webhook,
        body: &Bound<'_, PyBytes>,
        headers: &Bound<'_, PyAny>,
    ) -> Result<FactsByName> {
        let py = body.py();
        let pairs = headers::of_facts(headers)?;
        let now = webhook.seconds(py, None)?;
        let facts = Facts::of_delivery(body.as_bytes(), &pairs, webhook.verifier.keys.count(), now);
        Ok(FactsByName(facts_to_dict(&facts, py)?.unbind()))
    }

    /// What `webhook` knows of a delivery.
    ///
    /// # Errors
    ///
    /// Those of `Webhook::verify` that are not about the delivery.
    pub(crate) fn of(
        webhook: &Webhook,
        body: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        now: Option<Now>,
        others: &[Py<Webhook>],
    ) -> Result<Self> {
        let py = body.py();
        let body = body::to_bytes(body, |_| Ok(()))?;
        let headers = All::read(headers)?;
        let verdict = webhook
            .verifier
            .check_size(body.as_bytes().len())
            .map_err(Error::from)
            .and_then(|()| headers.find())
            .and_then(|(timestamp, signature)| webhook.verdict(&body, &timestamp, &signature, now));
        let verdict = match verdict {
            Ok(verified) => Ok(verified),
            Err(Error::Refused(refusal)) => Err(refusal),
            Err(error) => return Err(error),
        };
        let now = webhook.seconds(py, now)?;
        let pairs = headers.to_bytes();
        let others: Vec<&Keys> = others.iter().map(|other| &other.get().verifier.keys).collect();
        let received = Received {
            body: body.as_bytes(),
            headers: &pairs,
            now,
        };
        let explained = || explain(&webhook.verifier, &others, &received, verdict.as_ref());
        // However short the body, it takes long enough for others to run.
        let (causes, facts) = py.detach(explained);
        let code = verdict.err().map(|refusal| error::code(py, &refusal)).transpose()?;
        Ok(Self {
            code,
            causes: causes.iter().map(Cause::of).collect(),
            facts,
        })
    }
}

/// Facts by their names.
fn facts_to_dict<'py>(facts: &Facts, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "body_length"), facts.body_length)?;
    if let Some(length) = facts.content_length {
        dict.set_item(intern!(py, "content_length"), length)?;
    }
    for (name, text) in [
        (intern!(py, "content_type"), &facts.content_type),
        (intern!(py, "content_encoding"), &facts.content_encoding),
    ] {
        if let Some(text) = text {
            dict.set_item(name, text)?;
        }
    }
    for (name, fact) in [
        (intern!(py, "starts_with_bom"), facts.starts_with_bom),
        (intern!(py, "ends_with_newline"), facts.ends_with_newline),
        (intern!(py, "looks_gzipped"), facts.looks_gzipped),
        (intern!(py, "looks_base64"), facts.looks_base64),
        (intern!(py, "looks_form_encoded"), facts.looks_form_encoded),
        (intern!(py, "is_json"), facts.is_json),
    ] {
        dict.set_item(name, fact)?;
    }
    dict.set_item(intern!(py, "secrets"), facts.secrets)?;
    if let Some(skew) = facts.skew {
        dict.set_item(intern!(py, "skew"), skew)?;
    }
    Ok(dict)
}

#[pymethods]
impl Explanation {
    /// Whether `verify` accepts the delivery.
    #[getter]
    fn genuine(&self) -> bool {
        self.code.is_none()
    }

    /// What can have happened, the likeliest first; empty for a genuine delivery and for one of which nothing is known.
    #[getter]
    fn causes(&self, py: Python<'_>) -> Result<Causes> {
        Ok(Causes(PyTuple::new(py, self.causes.iter().cloned())?.unbind()))
    }

    /// Harmless facts, by name; what is not there or not known is left out.
    #[getter]
    fn facts(&self, py: Python<'_>) -> Result<FactsByName> {
        Ok(FactsByName(facts_to_dict(&self.facts, py)?.unbind()))
    }

    /// Return the attributes by their names, in plain JSON types.
    fn to_dict(&self, py: Python<'_>) -> Result<Dict> {
        let causes = PyList::empty(py);
        for cause in &self.causes {
            causes.append(cause.to_dict(py)?)?;
        }
        let dict = PyDict::new(py);
        dict.set_item("genuine", self.genuine())?;
        dict.set_item("code", &self.code)?;
        dict.set_item("causes", causes)?;
        dict.set_item("facts", facts_to_dict(&self.facts, py)?)?;
        Ok(Dict(dict.unbind()))
    }

    fn __str__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = match &self.code {
            None => "genuine".to_owned(),
            Some(code) => format!("rejected: {code}"),
        };
        for cause in &self.causes {
            let certainty = if cause.proven { "proven" } else { "likely" };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n{certainty}: {} ({})\n  {}",
                cause.summary, cause.name, cause.advice
            );
        }
        if self.code.is_some() && self.causes.is_empty() {
            text.push_str("\nno cause is known");
        }
        text.push_str("\nfacts:");
        for (name, fact) in facts_to_dict(&self.facts, py)? {
            let _ = write!(text, "\n  {name}: {fact}");
        }
        Ok(text)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let names = PyTuple::new(py, self.causes.iter().map(|cause| cause.name))?;
        let code = self
            .code
            .as_ref()
            .map_or_else(|| "None".to_owned(), |code| format!("'{code}'"));
        Ok(format!("Explanation(code={code}, causes={})", names.repr()?))
    }
}
