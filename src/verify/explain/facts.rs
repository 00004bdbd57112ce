//! What can be said of a delivery without showing any of it.

use serde::de::IgnoredAny;

use super::headers::{Pair, first};
use crate::verify::timestamp;

/// Harmless facts. `None` is what is not there or not known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are what they are: facts")]
pub struct Facts {
    /// The body's size, in bytes.
    pub body_length: usize,
    /// The number in the `Content-Length` header.
    pub content_length: Option<u64>,
    /// The `Content-Type` header, escaped and cut.
    pub content_type: Option<String>,
    /// The `Content-Encoding` header, escaped and cut.
    pub content_encoding: Option<String>,
    /// Whether the body begins with UTF-8's byte order mark.
    pub starts_with_bom: bool,
    /// Whether it ends with a line break.
    pub ends_with_newline: bool,
    /// Whether it begins as gzip does.
    pub looks_gzipped: bool,
    /// Whether it is base64 and nothing else.
    pub looks_base64: bool,
    /// Whether it is a form.
    pub looks_form_encoded: bool,
    /// Whether it is JSON.
    pub is_json: bool,
    /// How many secrets there are.
    pub secrets: usize,
    /// Our time minus the sender's, in seconds.
    pub skew: Option<i64>,
}

/// The most of a header that a fact shows, in characters.
const EXCERPT: usize = 80;

/// The byte order mark in UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

impl Facts {
    /// The facts of a delivery.
    #[must_use]
    pub fn of_delivery(body: &[u8], headers: &[Pair], secrets: usize, now: i64) -> Self {
        let sent = first(headers, "ltk-timestamp");
        Self::of(body, headers, secrets, sent, now)
    }

    /// The facts of a delivery of which the timestamp is known.
    pub(super) fn of(body: &[u8], headers: &[Pair], secrets: usize, sent: Option<&[u8]>, now: i64) -> Self {
        Self {
            body_length: body.len(),
            content_length: first(headers, "content-length").and_then(number),
            content_type: first(headers, "content-type").map(excerpt),
            content_encoding: first(headers, "content-encoding").map(excerpt),
            starts_with_bom: body.starts_with(BOM),
            ends_with_newline: body.ends_with(b"\n"),
            looks_gzipped: body.starts_with(b"\x1f\x8b"),
            looks_base64: looks_base64(body),
            looks_form_encoded: looks_form_encoded(body),
            is_json: is_json(body),
            secrets,
            skew: sent
                .and_then(timestamp::parse)
                .map(|seconds| now.saturating_sub(seconds)),
        }
    }
}

/// Whether `body` is JSON, nested as deeply as an ordinary parser reads.
#[must_use]
pub(super) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// Whether `body` is base64 and nothing else, and long enough not to be a word.
fn looks_base64(body: &[u8]) -> bool {
    let text = body.trim_ascii();
    text.len() >= 16
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(byte))
}

/// Whether `body` is `name=value` pairs in percent codes.
fn looks_form_encoded(body: &[u8]) -> bool {
    body.contains(&b'=')
        && body
            .trim_ascii_end()
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~*%+&=".contains(byte))
        && !looks_base64(body)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

fn excerpt(text: &[u8]) -> String {
    let mut excerpt: String = text.escape_ascii().take(EXCERPT).map(char::from).collect();
    if text.escape_ascii().nth(EXCERPT).is_some() {
        excerpt.push_str("...");
    }
    excerpt
}
