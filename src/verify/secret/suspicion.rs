//! What a secret looks like that it hardly is meant to be. Nothing of it is copied, and nothing of it is shown.

use std::fmt;

use super::{SecretFault, check_text};

/// What a secret looks like that it hardly is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// Quotation marks around it.
    Quoted,
    /// The `repr` of bytes.
    BytesLiteral,
    /// A variable of a shell or a template.
    Unexpanded,
    /// A JSON document, or a PEM file.
    Document,
    /// A line of a `.env` file.
    Assignment,
    /// Where the secret is to be found.
    Reference,
    /// What is in an example, or what a language writes for nothing.
    Placeholder,
    /// Asterisks or dots.
    Masked,
    /// A replacement character.
    Undecodable,
    /// Bytes that could not be a text secret.
    Bytes(SecretFault),
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Quoted => "is in quotation marks; take them off, unless Listrak shows them",
            Self::BytesLiteral => "looks like the repr of bytes; decode the bytes instead, with .decode()",
            Self::Unexpanded => {
                "looks like a variable that was not expanded; check the quoting of the shell or the template that sets it"
            }
            Self::Document => "looks like a whole document; pass the one value in it that is the secret",
            Self::Assignment => "looks like a whole assignment; pass what is on the right of the equals sign",
            Self::Reference => "looks like the place of a secret; pass what is there",
            Self::Placeholder => {
                "looks like a placeholder; set it to the HMAC Secret that Listrak shows for the webhook"
            }
            Self::Masked => "looks masked; copy the HMAC Secret itself, and not what a page shows in its place",
            Self::Undecodable => "has a replacement character (U+FFFD) in it; read it with the encoding that it is in",
            Self::Bytes(fault) => {
                return write!(
                    f,
                    "is bytes and {fault}, and bytes are taken as they are; strip it, or pass a str, unless Listrak \
                     shows it so"
                );
            }
        };
        f.write_str(text)
    }
}

/// What is suspicious of a secret that is a text, if anything is. Nothing of the text is copied.
#[must_use]
pub fn suspicion_of_text(secret: &str) -> Option<Suspicion> {
    type Looks = fn(&str) -> bool;
    const CHECKS: [(Looks, Suspicion); 9] = [
        (is_bytes_literal, Suspicion::BytesLiteral),
        (is_quoted, Suspicion::Quoted),
        (is_unexpanded, Suspicion::Unexpanded),
        (is_placeholder, Suspicion::Placeholder),
        (is_document, Suspicion::Document),
        (is_assignment, Suspicion::Assignment),
        (is_reference, Suspicion::Reference),
        (is_masked, Suspicion::Masked),
        (is_undecodable, Suspicion::Undecodable),
    ];
    CHECKS
        .into_iter()
        .find_map(|(looks, suspicion)| looks(secret).then_some(suspicion))
}

/// What is suspicious of a secret that is bytes, if anything is.
#[must_use]
pub fn suspicion_of_bytes(secret: &[u8]) -> Option<Suspicion> {
    let text = str::from_utf8(secret).ok()?;
    match check_text(text) {
        Err(fault) => Some(Suspicion::Bytes(fault)),
        Ok(()) => suspicion_of_text(text),
    }
}

/// What is between `start` and `end`, if `text` has both.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

fn is_quoted(secret: &str) -> bool {
    const MARKS: [(&str, &str); 7] = [
        ("\"", "\""),
        ("'", "'"),
        ("`", "`"),
        ("\u{201c}", "\u{201d}"),
        ("\u{2018}", "\u{2019}"),
        ("\u{201e}", "\u{201c}"),
        ("\u{ab}", "\u{bb}"),
    ];
    MARKS.iter().any(|(start, end)| between(secret, start, end).is_some())
}

fn is_bytes_literal(secret: &str) -> bool {
    secret.strip_prefix(['b', 'B']).is_some_and(is_quoted)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit()) && text.bytes().all(is_name_byte)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_unexpanded(secret: &str) -> bool {
    const AROUND: [(&str, &str); 4] = [("$(", ")"), ("{{", "}}"), ("#{", "}"), ("<%", "%>")];
    secret.split_once("${").is_some_and(|(_, rest)| rest.contains('}'))
        || AROUND.iter().any(|(start, end)| between(secret, start, end).is_some())
        || between(secret, "%", "%").is_some_and(is_name)
        || secret.strip_prefix('$').is_some_and(is_name)
}

/// What an example has in place of a secret: of letters and digits alone, in lower case.
const WORDS: [&str; 50] = [
    "asecret",
    "changeit",
    "changeme",
    "changethis",
    "dummy",
    "empty",
    "example",
    "examplehmacsecret",
    "examplesecret",
    "false",
    "filtered",
    "fixme",
    "foo",
    "foobar",
    "hidden",
    "hmackey",
    "hmacsecret",
    "listrakhmacsecret",
    "listraksecret",
    "listrakwebhooksecret",
    "masked",
    "mysecret",
    "nil",
    "none",
    "notset",
    "null",
    "password",
    "placeholder",
    "redacted",
    "replaceme",
    "replacethis",
    "sample",
    "secret",
    "secretkey",
    "sharedsecret",
    "supersecret",
    "tbd",
    "test",
    "testing",
    "testsecret",
    "thehmacsecret",
    "thenewhmacsecret",
    "thenewsecret",
    "theoldhmacsecret",
    "theoldsecret",
    "thesecret",
    "todo",
    "true",
    "undefined",
    "unset",
];

fn is_placeholder(secret: &str) -> bool {
    const BEGINNINGS: [&str; 6] = [
        "enteryour",
        "insertyour",
        "pasteyour",
        "replacewith",
        "yourhmac",
        "yoursecret",
    ];
    const ENDS: [&str; 3] = ["secret", "key", "here"];
    const LONGEST: usize = 64;
    let plain = || {
        secret
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|character| character.to_ascii_lowercase())
    };
    let starts_with = |beginning: &&str| plain().take(beginning.len()).eq(beginning.chars());
    let ends_with = |end: &&str| plain().rev().take(end.len()).eq(end.chars().rev());
    secret.len() <= LONGEST
        && (between(secret, "<", ">").is_some()
            || WORDS.iter().any(|word| plain().eq(word.chars()))
            || BEGINNINGS.iter().any(starts_with)
            || (starts_with(&"your") && ENDS.iter().any(ends_with)))
}

fn is_document(secret: &str) -> bool {
    between(secret, "{", "}").is_some() || between(secret, "[", "]").is_some() || secret.starts_with("-----BEGIN ")
}

fn is_assignment(secret: &str) -> bool {
    let exported = secret.strip_prefix("export ");
    exported.unwrap_or(secret).split_once('=').is_some_and(|(name, value)| {
        // Of base64, an equals sign is at the end.
        is_name(name) && !value.trim_matches('=').is_empty() && (exported.is_some() || ends_in_secret(name))
    })
}

fn ends_in_secret(name: &str) -> bool {
    const ENDS: [&str; 4] = ["secret", "key", "secret_previous", "webhook"];
    ENDS.iter().any(|end| {
        let start = name.len().checked_sub(end.len());
        start
            .and_then(|start| name.get(start..))
            .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    })
}

fn is_reference(secret: &str) -> bool {
    const BEGINNINGS: [&str; 16] = [
        "/run/secrets/",
        "/var/run/secrets/",
        "@Microsoft.KeyVault(",
        "akv://",
        "arn:aws",
        "awssm://",
        "file:",
        "gcpsm://",
        "http://",
        "https://",
        "keyring:",
        "op://",
        "projects/",
        "secretsmanager:",
        "ssm:",
        "vault:",
    ];
    BEGINNINGS.iter().any(|beginning| secret.starts_with(beginning))
}

fn is_masked(secret: &str) -> bool {
    const FEWEST: usize = 3;
    const MASKS: &str = "*\u{2022}\u{25cf}\u{2219}\u{b7}.\u{2026}xX#?_-";
    secret.chars().next().is_some_and(|first| {
        MASKS.contains(first) && secret.chars().all(|character| character == first) && secret.chars().count() >= FEWEST
    })
}

fn is_undecodable(secret: &str) -> bool {
    secret.contains('\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_looks_like_a_slip() {
        let cases: [(Suspicion, &[&str]); 9] = [
            (
                Suspicion::Quoted,
                &[
                    "\"secret one\"",
                    "'secret one'",
                    "`x`",
                    "\u{201c}secret\u{201d}",
                    "\"\"",
                ],
            ),
            (Suspicion::BytesLiteral, &["b'secret one'", "b\"secret\"", "B'x'"]),
            (
                Suspicion::Unexpanded,
                &[
                    "${LISTRAK_WEBHOOK_SECRET}",
                    "prefix-${NAME:-}",
                    "$LISTRAK_WEBHOOK_SECRET",
                    "$(cat secret)",
                    "{{ secret }}",
                    "%LISTRAK_WEBHOOK_SECRET%",
                    "#{Secret}",
                    "<%= secret %>",
                ],
            ),
            (
                Suspicion::Placeholder,
                &[
                    "<secret>",
                    "<your HMAC secret>",
                    "changeme",
                    "CHANGE-ME",
                    "your-hmac-secret",
                    "Your Secret Here",
                    "your_listrak_secret",
                    "None",
                    "null",
                    "undefined",
                    "the HMAC secret",
                    "example-hmac-secret",
                    "[REDACTED]",
                ],
            ),
            (
                Suspicion::Document,
                &[
                    "{\"secret\": \"x1\"}",
                    "[\"new one\", \"old one\"]",
                    "-----BEGIN X-----",
                ],
            ),
            (
                Suspicion::Assignment,
                &["LISTRAK_WEBHOOK_SECRET=x1", "export SHOP=x1", "hmac_key=x1"],
            ),
            (
                Suspicion::Reference,
                &[
                    "arn:aws:secretsmanager:eu-west-1:1:secret:x",
                    "op://vault/item",
                    "/run/secrets/listrak",
                ],
            ),
            (
                Suspicion::Masked,
                &["********", "\u{2022}\u{2022}\u{2022}\u{2022}", "xxxx", "..."],
            ),
            (Suspicion::Undecodable, &["schl\u{fffd}ssel"]),
        ];
        for (suspicion, secrets) in cases {
            for secret in secrets {
                assert_eq!(suspicion_of_text(secret), Some(suspicion), "{secret}");
                assert_eq!(suspicion_of_bytes(secret.as_bytes()), Some(suspicion), "{secret}");
            }
        }
    }

    #[test]
    fn what_does_not_look_like_a_slip() {
        let sound = [
            "c2VjcmV0LXNlY3JldA==",
            "dGVzdA==",
            "4f6d2a09b8e3417c9d5a0b7e6c1f8243",
            "3f2b8c1e-94d7-4a60-b5e1-0c9d7f6a2b83",
            "p@ss w\u{f6}rd \u{2603}",
            "don't",
            "a$b",
            "$ 5",
            "100%",
            "key=",
            "a=b",
            "listrak-test-secret",
            "secretary",
            "-",
        ];
        for secret in sound {
            assert_eq!(suspicion_of_text(secret), None, "{secret}");
            assert_eq!(suspicion_of_bytes(secret.as_bytes()), None, "{secret}");
        }
        assert_eq!(suspicion_of_bytes(b"\xff\xfe\x00"), None);
    }

    #[test]
    fn bytes_that_could_not_be_a_text_are_suspicious() {
        for (secret, fault) in [
            (&b"secret\n"[..], SecretFault::SurroundingSpace),
            (b"secret\0", SecretFault::Control),
            (b"s\0e\0c\0", SecretFault::Control),
            (b"\xef\xbb\xbfsecret", SecretFault::ByteOrderMark),
            (b"sec\xe2\x80\x8bret", SecretFault::Invisible),
        ] {
            assert_eq!(suspicion_of_bytes(secret), Some(Suspicion::Bytes(fault)));
        }
    }

    proptest! {
        #[test]
        fn random_secrets_are_not_suspected(secret in "[A-Za-z0-9+/]{24,43}={0,2}", hex in "[0-9a-f]{32,64}") {
            prop_assert_eq!(suspicion_of_text(&secret), None);
            prop_assert_eq!(suspicion_of_text(&hex), None);
        }

        #[test]
        fn no_secret_makes_the_checks_fail(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let _ = suspicion_of_text(&text);
            let _ = suspicion_of_bytes(&bytes);
        }
    }
}
