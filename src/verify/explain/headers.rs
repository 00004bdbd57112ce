//! The two headers as they may have arrived: under another name, twice, or in another form.

use super::cause::Accident;
use crate::verify::header::Header;
use crate::verify::{signature, timestamp};

/// A header's name and value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A value that may be one of the two headers', and the accident that it takes.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The value, without the white space around it, which is not part of it (RFC 9110, section 5.5).
    pub(super) value: Vec<u8>,
    /// What must have happened, if it is this.
    pub(super) accident: Option<Accident>,
    /// Whether its name says so, and not its form alone.
    pub(super) is_named: bool,
}

/// The longest value that is tried, in bytes.
const LONGEST: usize = 256;

/// Values of one header that are tried at most: whoever sends more of them is not a proxy.
const MOST: usize = 4;

/// The value of the first header called `name`, in lower case with dashes.
#[must_use]
pub(super) fn first<'h>(headers: &'h [Pair], name: &str) -> Option<&'h [u8]> {
    headers
        .iter()
        .find(|(each, _)| is_called(each, name.as_bytes()))
        .map(|(_, value)| value.as_slice())
}

/// What may be the value of `header`, the likeliest first.
#[must_use]
pub(super) fn candidates(headers: &[Pair], header: Header) -> Vec<Candidate> {
    let wanted = header.name().to_ascii_lowercase();
    let values = |is_it: &dyn Fn(&Pair) -> bool| -> Vec<Vec<u8>> {
        headers
            .iter()
            .filter(|pair| is_it(pair))
            .map(|(_, value)| trimmed(value))
            .filter(|value| (1..=LONGEST).contains(&value.len()))
            .take(MOST)
            .map(<[u8]>::to_vec)
            .collect()
    };
    let exact = values(&|(name, _)| is_called(name, wanted.as_bytes()));
    let mut is_named = true;
    let (values, accident) = if exact.is_empty() {
        let mut renamed = values(&|(name, _)| is_like(name, header));
        if renamed.is_empty() {
            is_named = false;
            renamed = values(&|(_, value)| has_form(trimmed(value), header));
        }
        (renamed, Some(Accident::HeaderRenamed))
    } else {
        let accident = (exact.len() > 1).then_some(Accident::HeaderRepeated);
        (exact, accident)
    };
    // A comma is how two values of one header are joined (RFC 9110, section 5.3).
    let parts = values.iter().filter(|value| value.contains(&b',')).flat_map(|value| {
        let parts = value.split(|byte| *byte == b',').map(trimmed);
        // What is shorter than a timestamp is a prefix, such as `v1`.
        let are_whole = parts.clone().all(|part| part.len() >= timestamp::DIGITS);
        parts.filter(move |_| are_whole).take(MOST)
    });
    let parts = parts.map(|part| (part.to_vec(), Some(Accident::HeaderRepeated)));
    parts
        .chain(values.iter().map(|value| (value.clone(), accident)))
        .map(|(value, accident)| Candidate {
            value,
            accident,
            is_named,
        })
        .collect()
}

fn trimmed(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !is_space(byte))
        .map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

/// Whether a name is `wanted`, which is in lower case with dashes, in any case or as WSGI has it (PEP 3333).
fn is_called(name: &[u8], wanted: &[u8]) -> bool {
    let (name, is_environ) = match name.strip_prefix(b"HTTP_") {
        Some(rest) => (rest, true),
        None => (name, name == b"CONTENT_LENGTH" || name == b"CONTENT_TYPE"),
    };
    let byte = |byte: &u8| {
        if is_environ && *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    name.len() == wanted.len() && name.iter().map(byte).eq(wanted.iter().copied())
}

/// Whether a name is nearly that of `header`: with `X-` in front, underscores for dashes, or without either.
fn is_like(name: &[u8], header: Header) -> bool {
    let letters: Vec<u8> = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
    let holds = |part: &[u8]| letters.windows(part.len()).any(|window| window == part);
    match header {
        Header::Timestamp => holds(b"ltktimestamp") || (holds(b"listrak") && holds(b"timestamp")),
        Header::Signature => {
            (holds(b"ltk") || holds(b"listrak")) && (holds(b"signature") || holds(b"hmac") || holds(b"sig"))
        }
    }
}

fn has_form(value: &[u8], header: Header) -> bool {
    match header {
        Header::Timestamp => timestamp::parse(value).is_some(),
        Header::Signature => signature::decode(value, None).is_ok(),
    }
}
