//! A secret in other forms: what it may be, if what was configured is not it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use zeroize::Zeroizing;

use super::cause::Accident;
use super::spelling::{LENIENT, percent_decoded, unquoted};

/// A secret that may be the signing one, wiped when it is dropped.
pub(super) type Secret = Zeroizing<Vec<u8>>;

/// The other forms of `secret`, the likeliest first.
pub(super) fn forms(secret: &[u8]) -> Vec<(Secret, Accident)> {
    let mut found = Forms {
        of: secret,
        forms: Vec::new(),
    };
    found.white_space();
    found.quotes();
    found.encoded();
    found.escapes();
    found.decoded();
    found.forms
}

struct Forms<'s> {
    of: &'s [u8],
    forms: Vec<(Secret, Accident)>,
}

impl Forms<'_> {
    fn add(&mut self, secret: impl Into<Vec<u8>>, accident: Accident) {
        let secret = Zeroizing::new(secret.into());
        let is_known = secret.as_slice() == self.of || self.forms.iter().any(|(form, _)| **form == *secret);
        if !is_known && !secret.trim_ascii().is_empty() {
            self.forms.push((secret, accident));
        }
    }

    fn white_space(&mut self) {
        let secret = self.of;
        self.add(secret.trim_ascii(), Accident::SecretWhitespace);
        if let Ok(text) = std::str::from_utf8(secret) {
            // What a clipboard or an editor adds without showing it.
            let is_unseen =
                |each: char| each.is_whitespace() || "\u{feff}\u{200b}\u{200c}\u{200d}\u{2060}\u{ad}".contains(each);
            self.add(text.trim_matches(is_unseen), Accident::SecretWhitespace);
        }
        if secret.trim_ascii().iter().any(u8::is_ascii_whitespace) {
            self.add(without(secret, b" \t\r\n"), Accident::SecretWhitespace);
            self.add(replaced(secret.trim_ascii(), &[(" ", "+")]), Accident::SecretEscaped);
        }
        for end in ["\n", "\r\n", " "] {
            self.add([secret, end.as_bytes()].concat(), Accident::SecretWhitespace);
        }
        self.add([b" ", secret].concat(), Accident::SecretWhitespace);
    }

    fn quotes(&mut self) {
        let secret = self.of;
        let inside = unquoted(secret.trim_ascii());
        self.add(inside, Accident::SecretQuoted);
        self.add(inside.trim_ascii(), Accident::SecretQuoted);
        // One mark alone, or with the comma of a list behind it.
        let is_mark = |byte: &u8| b"\"'`,;".contains(byte) || byte.is_ascii_whitespace();
        let start = secret.iter().position(|byte| !is_mark(byte)).unwrap_or_default();
        let end = secret
            .iter()
            .rposition(|byte| !is_mark(byte))
            .map_or(start, |last| last + 1);
        self.add(secret.get(start..end).unwrap_or_default(), Accident::SecretQuoted);
        for mark in [&b"\""[..], b"'"] {
            self.add([mark, secret, mark].concat(), Accident::SecretQuoted);
        }
    }

    /// What the configured secret is the encoded form of.
    fn encoded(&mut self) {
        let text = self.of.trim_ascii();
        for engine in &LENIENT {
            if let Ok(decoded) = engine.decode(text).map(Zeroizing::new) {
                self.add(decoded.trim_ascii(), Accident::SecretEncoded);
                self.add(decoded.as_slice(), Accident::SecretEncoded);
                if let Ok(twice) = engine.decode(decoded.trim_ascii()).map(Zeroizing::new) {
                    self.add(twice.trim_ascii(), Accident::SecretEncoded);
                }
            }
        }
        if let Ok(decoded) = hex::decode(text) {
            self.add(decoded.trim_ascii(), Accident::SecretEncoded);
            self.add(decoded, Accident::SecretEncoded);
        }
    }

    fn escapes(&mut self) {
        let secret = self.of;
        if secret.contains(&b'\\') {
            let unescaped = Zeroizing::new(unescaped(secret));
            self.add(unescaped.trim_ascii(), Accident::SecretEscaped);
            self.add(unescaped.as_slice(), Accident::SecretEscaped);
            self.add(without(secret, b"\\"), Accident::SecretEscaped);
        }
        if secret.contains(&b'%') {
            self.add(percent_decoded(secret, false), Accident::SecretEscaped);
            self.add(percent_decoded(secret, true), Accident::SecretEscaped);
        }
        if secret.contains(&b'&') {
            self.add(replaced(secret, &HTML), Accident::SecretEscaped);
        }
        if secret.windows(2).any(|pair| pair == b"$$") {
            self.add(replaced(secret, &[("$$", "$")]), Accident::SecretEscaped);
        }
        if secret.contains(&b'\n') || secret.contains(&b'\r') {
            self.add(
                replaced(secret, &[("\r", "\\r"), ("\n", "\\n")]),
                Accident::SecretEscaped,
            );
        }
    }

    /// What the configured secret is the decoded form of.
    fn decoded(&mut self) {
        let secret = self.of;
        self.add(STANDARD.encode(secret), Accident::SecretDecoded);
        self.add(STANDARD_NO_PAD.encode(secret), Accident::SecretDecoded);
        self.add(URL_SAFE.encode(secret), Accident::SecretDecoded);
        self.add(hex::encode(secret), Accident::SecretDecoded);
        self.add(hex::encode_upper(secret), Accident::SecretDecoded);
    }
}

const HTML: [(&str, &str); 5] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#39;", "'"),
    ("&amp;", "&"),
];

/// `text` with the backslash escapes of most languages undone.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let pairs = [
        ("\\\\", "\\"),
        ("\\n", "\n"),
        ("\\r", "\r"),
        ("\\t", "\t"),
        ("\\\"", "\""),
        ("\\'", "'"),
        ("\\/", "/"),
        ("\\$", "$"),
        ("\\u0026", "&"),
        ("\\u003c", "<"),
        ("\\u003e", ">"),
        ("\\u003d", "="),
        ("\\u002B", "+"),
        ("\\u0022", "\""),
        ("\\u0027", "'"),
    ];
    replaced(text, &pairs)
}

/// `text` with each first of `pairs` replaced by its second, in one pass.
fn replaced(text: &[u8], pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let found = pairs
            .iter()
            .find_map(|(old, new)| Some((rest.strip_prefix(old.as_bytes())?, new)));
        if let Some((after, new)) = found {
            made.extend_from_slice(new.as_bytes());
            rest = after;
        } else {
            made.push(*byte);
            rest = after;
        }
    }
    made
}

fn without(text: &[u8], bytes: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !bytes.contains(byte)).collect()
}
