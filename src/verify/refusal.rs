//! Every way a delivery can be rejected by itself, and what each says.
//!
//! The texts are lower case, without a full stop: the fact, then the next step. None of them ever holds a secret, a
//! body, a whole signature, or the MAC that a rejected delivery should have had.

use std::fmt;

use super::header::Header;
use super::signature::{Encoding, SignatureFault};
use super::timestamp::DIGITS;

/// Why a delivery was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A header that is absent, `None` or empty.
    MissingHeader(Header),
    /// A header that came more than once.
    RepeatedHeader(Header),
    /// A timestamp that is not ten digits.
    MalformedTimestamp {
        /// The beginning of what came instead, escaped.
        excerpt: String,
        /// Whether it is thirteen digits: milliseconds.
        milliseconds: bool,
    },
    /// A signature header that holds no MAC.
    MalformedSignature(SignatureFault),
    /// A MAC that none of the secrets makes.
    SignatureMismatch {
        /// How many secrets were tried.
        secrets: usize,
    },
    /// A genuine delivery, older than the tolerance.
    StaleTimestamp {
        /// Seconds between the two clocks, positive.
        skew: i64,
        /// The seconds that are tolerated.
        tolerance: i64,
    },
    /// A genuine delivery, further in the future than the tolerance.
    FutureTimestamp {
        /// Seconds between the two clocks, positive.
        skew: i64,
        /// The seconds that are tolerated.
        tolerance: i64,
    },
    /// A body larger than `max_body`.
    BodyTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// The most of a header that a message ever shows, in characters: enough for a date, too little for a whole MAC.
const EXCERPT: usize = 24;

impl Refusal {
    /// The rejection of the timestamp header `text`, with as much of it as is safe to show.
    #[must_use]
    pub fn malformed_timestamp(text: &[u8]) -> Self {
        let mut excerpt: String = text.escape_ascii().take(EXCERPT).map(char::from).collect();
        if text.escape_ascii().nth(EXCERPT).is_some() {
            excerpt.push_str("...");
        }
        Self::MalformedTimestamp {
            excerpt,
            milliseconds: text.len() == DIGITS + 3 && text.iter().all(u8::is_ascii_digit),
        }
    }
}

impl From<SignatureFault> for Refusal {
    fn from(fault: SignatureFault) -> Self {
        Self::MalformedSignature(fault)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingHeader(header) => write!(
                f,
                "the {} header is missing or empty; Listrak sends it with every delivery, so check that no proxy drops it",
                header.name()
            ),
            Self::RepeatedHeader(header) => write!(
                f,
                "the {} header came more than once; Listrak sends it once, so check what adds the other",
                header.name()
            ),
            Self::MalformedTimestamp { excerpt, milliseconds } => write_malformed_timestamp(f, excerpt, *milliseconds),
            Self::MalformedSignature(fault) => write_signature_fault(f, *fault),
            Self::SignatureMismatch { secrets } => {
                match secrets {
                    1 => f.write_str("the signature does not match under the secret; ")?,
                    _ => write!(f, "the signature does not match under any of the {secrets} secrets; ")?,
                }
                f.write_str(
                    "if the delivery is genuine, check that the secret is this webhook's HMAC Secret and that the body \
                     is the raw request body, byte for byte",
                )
            }
            Self::StaleTimestamp { skew, tolerance } => write!(
                f,
                "the delivery is genuine but {skew} seconds old and {tolerance} are tolerated; it is a replay, or this \
                 machine's clock is fast: check the clock"
            ),
            Self::FutureTimestamp { skew, tolerance } => write!(
                f,
                "the delivery is genuine but {skew} seconds in the future and {tolerance} are tolerated; this \
                 machine's clock is slow: check the clock"
            ),
            Self::BodyTooLarge { limit } => write!(
                f,
                "the body is larger than max_body, {limit} bytes; raise max_body if Listrak really sends that much"
            ),
        }
    }
}

fn write_malformed_timestamp(f: &mut fmt::Formatter<'_>, excerpt: &str, milliseconds: bool) -> fmt::Result {
    write!(f, "the LTK-Timestamp header is \"{excerpt}\"")?;
    f.write_str(if milliseconds {
        ", which looks like milliseconds; it must be whole Unix seconds, ten digits, so check what rewrites it"
    } else {
        " and not ten digits of Unix seconds; pass it as it was received, and check that nothing rewrites it"
    })
}

fn write_signature_fault(f: &mut fmt::Formatter<'_>, fault: SignatureFault) -> fmt::Result {
    match fault {
        SignatureFault::Length { bytes, comma } => {
            write!(
                f,
                "the LTK-HmacSignature header is {bytes} bytes long; it must be 44 (base64) or 64 (hex)"
            )?;
            if comma {
                f.write_str(", and it holds a comma: two values joined on the way, or another sender's scheme")
            } else {
                f.write_str(", as it was received: nothing added, trimmed or quoted")
            }
        }
        SignatureFault::NotBase64 => f.write_str(
            "the LTK-HmacSignature header has the 44 characters of base64 but is not the canonical base64 of 32 bytes \
             (standard alphabet, padded); pass it as it was received",
        ),
        SignatureFault::NotHex => f.write_str(
            "the LTK-HmacSignature header has the 64 characters of hex but others than 0-9 and a-f among them; pass it \
             as it was received",
        ),
        SignatureFault::OtherEncoding { found } => {
            let pinned = match found {
                Encoding::Base64 => Encoding::Hex,
                Encoding::Hex => Encoding::Base64,
            };
            write!(
                f,
                "the LTK-HmacSignature header is {} and this webhook takes only {}; use encoding=\"any\" to take both",
                found.name(),
                pinned.name()
            )
        }
    }
}

impl std::error::Error for Refusal {}
