//! The accidents that can befall a delivery: what each is called, and what it says to people.
//!
//! Everything that is known of an accident is in one row below. The texts are the fact and the next step, as those of
//! [`Refusal`](crate::verify::refusal::Refusal) are, and hold nothing of a delivery.

/// One accident, and whether it is certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What happened.
    pub accident: Accident,
    /// Whether the MAC matches with this undone: no guess.
    pub proven: bool,
    /// What else is known of it, in words; empty if nothing is.
    pub detail: String,
}

impl Cause {
    /// The fact, in a sentence without its full stop.
    #[must_use]
    pub fn summary(&self) -> String {
        let (_, summary, _) = self.accident.row();
        if self.detail.is_empty() {
            summary.to_owned()
        } else {
            format!("{summary}: {}", self.detail)
        }
    }
}

macro_rules! accidents {
    ($($accident:ident $name:literal $summary:literal $advice:literal)*) => {
        /// What can happen to a delivery between its sender and the check of its signature.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Accident {
            $(#[doc = $summary] $accident,)*
        }

        impl Accident {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$accident),*];

            const fn row(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Self::$accident => ($name, $summary, $advice),)*
                }
            }
        }
    };
}

impl Accident {
    /// What the public interface calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// What to do about it, and where.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        self.row().2
    }
}

accidents! {
    BodyReserialized "body_reserialized"
        "the body was parsed as JSON and written again on its way"
        "verify the raw request body, before anything parses it: request.get_data() in Flask, await request.body() in FastAPI, request.body in Django; and look for a proxy, gateway or function trigger that hands on JSON instead of bytes"
    NewlineAdded "newline_added"
        "a line break was added to the body"
        "look for what writes the body to a file or prints it on its way (echo adds one, printf '%s' does not)"
    NewlineRemoved "newline_removed"
        "a line break was removed from the body"
        "look for what trims the body, or reads it line by line, before it is verified"
    WhitespaceTrimmed "whitespace_trimmed"
        "white space was removed from the ends of the body"
        "look for a strip() or trim() of the body before it is verified"
    LineEndingsChanged "line_endings_changed"
        "the line endings of the body were changed"
        "read and write the body as bytes, never in text mode, and look for a transfer that converts line endings"
    BomAdded "bom_added"
        "a byte order mark was put in front of the body"
        "write the body as UTF-8 without a byte order mark (in .NET: new UTF8Encoding(false))"
    BomRemoved "bom_removed"
        "the byte order mark in front of the body was removed"
        "verify the raw bytes, before anything decodes them"
    CharsetChanged "charset_changed"
        "the body was decoded and encoded again in another character set"
        "verify the raw bytes, and look for what reads the body as text: it takes UTF-8 for Latin-1, Windows-1252 or UTF-16"
    BodyBase64Encoded "body_base64_encoded"
        "the body is base64 of what was signed"
        "decode it before it is verified: API gateways send such a body with isBase64Encoded"
    BodyCompressed "body_compressed"
        "the body is compressed, and what was signed is not"
        "decompress it before it is verified, or have the proxy that compresses it leave requests alone"
    BodyFormEncoded "body_form_encoded"
        "the body is form-encoded, and what was signed is not"
        "send the body as it is (curl: --data-binary with a Content-Type), and look for a client or proxy that posts it as a form"
    BodyTruncated "body_truncated"
        "the body is shorter than its Content-Length"
        "look for a limit or a timeout on the way that cuts bodies off, and for code that reads only a part"
    BodyEmpty "body_empty"
        "the body arrived empty, and Listrak always sends one"
        "look for a middleware or hook that has read the body before, and for a redirect or proxy that drops it"
    SecretWhitespace "secret_whitespace"
        "the secret differs from the signing one by white space at its ends"
        "set the secret without the line break or space at its end (printf '%s', not echo), exactly as Listrak shows it"
    SecretQuoted "secret_quoted"
        "the secret differs from the signing one by quotation marks around it"
        "remove the quotation marks from the setting: Docker's --env-file and Kubernetes take them as part of the value"
    SecretDecoded "secret_decoded"
        "the secret here is what the signing one is when it is decoded from base64 or hex"
        "use the secret exactly as Listrak shows it, as text; do not decode it"
    SecretEncoded "secret_encoded"
        "the secret here is the signing one encoded in base64 or hex"
        "decode it once: a Kubernetes manifest has its values in base64, and the container has to get them decoded"
    SecretEscaped "secret_escaped"
        "the secret differs from the signing one by escapes, such as a literal \\n or a percent code"
        "set the secret exactly as Listrak shows it, and look for what escapes it: JSON, YAML, a URL, a shell or HTML"
    OtherSecret "other_secret"
        "it was signed with the secret of another webhook"
        "each webhook in Listrak has its own secret: give this endpoint the one of this webhook, or send the webhook to its own endpoint"
    OrderSwapped "order_swapped"
        "the timestamp was signed in front of the body"
        "sign the body first and then the timestamp, as Listrak does"
    SeparatorAdded "separator_added"
        "something between the body and the timestamp was signed too"
        "sign the body followed directly by the timestamp, as Listrak does: no dot, no line break"
    TimestampReformatted "timestamp_reformatted"
        "another form of the timestamp was signed than the header has"
        "sign the very text of the LTK-Timestamp header, and look for what rewrites the header"
    HexOfBase64 "hex_of_base64"
        "the signature is the hex of the base64 text"
        "encode the 32 bytes of the MAC once: base64 or hex, not both"
    Base64OfHex "base64_of_hex"
        "the signature is the base64 of the hex text"
        "encode the 32 bytes of the MAC once: base64 or hex, not both"
    SignatureUrlsafe "signature_urlsafe"
        "the signature is in the URL-safe alphabet of base64, or has lost characters to URL decoding"
        "use the standard alphabet with padding, and look for what treats the header as part of a URL"
    SignaturePrefixed "signature_prefixed"
        "the signature has a prefix, such as sha256="
        "send the base64 or hex of the MAC and nothing else; another sender's scheme has a prefix"
    SignatureTruncated "signature_truncated"
        "the signature is cut off"
        "look for what shortens the header: a column, a log or a copy that ends early"
    SignatureQuoted "signature_quoted"
        "the signature is in quotation marks"
        "send the header's value without quotation marks"
    TimestampInMilliseconds "timestamp_in_milliseconds"
        "the timestamp is in milliseconds, or finer"
        "send whole Unix seconds, ten digits, as Listrak does"
    TimestampIso "timestamp_iso"
        "the timestamp is a date and not Unix seconds"
        "send whole Unix seconds, ten digits, as Listrak does"
    ClockBehind "clock_behind"
        "this machine's clock is behind the sender's"
        "synchronize this machine's clock (NTP)"
    ClockAhead "clock_ahead"
        "this machine's clock is ahead of the sender's, or the delivery was held up or is a replay"
        "synchronize this machine's clock (NTP); if it is right, look for a queue or proxy that holds requests back"
    HeaderMissing "header_missing"
        "a header of Listrak's did not arrive"
        "look for a proxy, gateway or firewall that drops unknown headers; nginx drops names with underscores"
    HeaderRenamed "header_renamed"
        "a header arrived under another name"
        "look for the proxy or gateway that renames it, and have it pass LTK-Timestamp and LTK-HmacSignature on"
    HeaderRepeated "header_repeated"
        "a header arrived more than once"
        "look for the proxy that adds the header instead of passing it on"
    ReplayedLate "replayed_late"
        "the delivery is genuine, and older than any clock is wrong by"
        "it is a replay of recorded traffic, or was kept somewhere; nothing is wrong with the secret or the body"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the failure")]

    use super::*;

    #[test]
    fn each_accident_has_its_own_name() {
        let mut names: Vec<_> = Accident::ALL.iter().map(|accident| accident.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Accident::ALL.len());
    }

    #[test]
    fn texts_are_facts_without_a_full_stop() {
        for accident in Accident::ALL {
            let cause = Cause {
                accident: *accident,
                proven: true,
                detail: String::new(),
            };
            for text in [cause.summary(), accident.advice().to_owned()] {
                assert!(!text.ends_with('.') && text.len() > 20, "{text}");
                assert!(text.chars().next().unwrap().is_lowercase(), "{text}");
            }
        }
    }
}
