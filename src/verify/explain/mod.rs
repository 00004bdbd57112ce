//! Why a delivery was rejected, as far as that can be known: which accident, undone, makes its MAC match.
//!
//! An accident is *proven* if the MAC matches without it: nobody who does not know the secret can bring that about. What
//! cannot be undone, such as a header that is not there, is likely if the delivery shows it, and left unsaid else. The
//! work is bounded: [`MOST_PASSES`] passes over the body at most, and no body that is over the limit is looked at.

mod body;
mod cause;
mod edges;
mod facts;
mod headers;
mod json;
mod search;
mod secrets;
mod spelling;

pub use self::cause::{Accident, Cause};
pub use self::facts::Facts;
pub use self::headers::Pair;
pub use self::search::MOST_PASSES;

use self::headers::{Candidate, candidates};
use self::search::Search;
use super::header::Header;
use super::key::Keys;
use super::refusal::Refusal;
use super::timestamp::{self, OutsideWindow};
use super::{Verified, Verifier};

/// A delivery as it arrived, and when.
#[derive(Debug, Clone, Copy)]
pub struct Received<'d> {
    /// The raw body.
    pub body: &'d [u8],
    /// All headers, by name and value.
    pub headers: &'d [Pair],
    /// Our own Unix seconds when it arrived.
    pub now: i64,
}

/// Longer than any clock is wrong by, in seconds: a delivery that is older was recorded.
const A_DAY: i64 = 24 * 60 * 60;

/// What can be said of a delivery that `verifier` has judged so.
///
/// `others` are the keys of other webhooks, whose deliveries may have come here by mistake.
#[must_use]
pub fn explain(
    verifier: &Verifier,
    others: &[&Keys],
    received: &Received<'_>,
    verdict: Result<&Verified, &Refusal>,
) -> (Vec<Cause>, Facts) {
    let timestamps = candidates(received.headers, Header::Timestamp);
    let signatures = candidates(received.headers, Header::Signature);
    let named = timestamps.iter().find(|candidate| candidate.is_named);
    let sent = named.map(|candidate| candidate.value.as_slice());
    // One that is too large is not read, however long it is.
    let read = match verdict {
        Err(Refusal::BodyTooLarge { .. }) => b"",
        _ => received.body,
    };
    let facts = Facts {
        body_length: received.body.len(),
        ..Facts::of(read, received.headers, verifier.keys.count(), sent, received.now)
    };
    let Err(refusal) = verdict else {
        return (Vec::new(), facts);
    };
    let causes = match refusal {
        Refusal::BodyTooLarge { .. } => Vec::new(),
        Refusal::StaleTimestamp { .. } | Refusal::FutureTimestamp { .. } => {
            clock(verifier, sent, received.now).into_iter().collect()
        }
        _ => {
            let mut search = Search::new(verifier, others, received, &timestamps, &signatures);
            match search.run() {
                Some(mut found) => {
                    found.extend(clock(verifier, sent, received.now));
                    found
                }
                None => likely(received, &facts, &timestamps, &signatures),
            }
        }
    };
    (causes, facts)
}

/// What is wrong with the time of a delivery that is genuine, or would be with everything else undone.
fn clock(verifier: &Verifier, sent: Option<&[u8]>, now: i64) -> Option<Cause> {
    let sent = timestamp::parse(sent?)?;
    let outside = timestamp::check_window(sent, now, verifier.tolerance).err()?;
    Some(match outside {
        OutsideWindow::Stale { skew } if skew > A_DAY => {
            proven(Accident::ReplayedLate, format!("it was signed {} ago", span(skew)))
        }
        OutsideWindow::Stale { skew } => proven(Accident::ClockAhead, format!("the clocks differ by {}", span(skew))),
        OutsideWindow::Future { skew } => proven(Accident::ClockBehind, format!("the clocks differ by {}", span(skew))),
    })
}

/// A span of seconds in words: in days if it is longer than two.
fn span(seconds: i64) -> String {
    if seconds > 2 * A_DAY {
        format!("{} days", seconds / A_DAY)
    } else {
        format!("{seconds} seconds")
    }
}

fn proven(accident: Accident, detail: String) -> Cause {
    Cause {
        accident,
        proven: true,
        detail,
    }
}

/// What the delivery shows, and nobody can prove.
fn likely(received: &Received<'_>, facts: &Facts, timestamps: &[Candidate], signatures: &[Candidate]) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut add = |accident, detail: String| {
        if causes.iter().all(|cause: &Cause| cause.accident != accident) {
            causes.push(Cause {
                accident,
                proven: false,
                detail,
            });
        }
    };
    for (candidates, header) in [(timestamps, Header::Timestamp), (signatures, Header::Signature)] {
        match candidates.iter().find(|candidate| candidate.is_named) {
            None => add(Accident::HeaderMissing, header.name().to_owned()),
            Some(first) => {
                if let Some(accident) = first.accident {
                    add(accident, header.name().to_owned());
                }
            }
        }
    }
    if candidates_joined(timestamps) || candidates_joined(signatures) {
        add(Accident::HeaderRepeated, String::new());
    }
    if let Some(accident) = timestamps
        .first()
        .and_then(|first| spelling::accident_of_timestamp(&first.value))
    {
        add(accident, String::new());
    }
    if let Some(accident) = signatures
        .first()
        .and_then(|first| spelling::accident_of_signature(&first.value))
    {
        add(accident, String::new());
    }
    let length = facts.content_length;
    if received.body.is_empty() {
        add(
            Accident::BodyEmpty,
            length
                .map(|length| format!("{length} bytes were announced"))
                .unwrap_or_default(),
        );
    } else if facts.is_json && length.is_some_and(|length| u64::try_from(received.body.len()) != Ok(length)) {
        add(
            Accident::BodyReserialized,
            "it is JSON, and not as long as its Content-Length".to_owned(),
        );
    } else if length.is_some_and(|length| u64::try_from(received.body.len()).is_ok_and(|here| here < length)) {
        let detail = format!(
            "{} of {} bytes are here",
            received.body.len(),
            length.unwrap_or_default()
        );
        add(Accident::BodyTruncated, detail);
    }
    if facts.looks_gzipped {
        add(Accident::BodyCompressed, String::new());
    }
    if facts.looks_base64 && body::holds_json_in_base64(received.body) {
        add(Accident::BodyBase64Encoded, String::new());
    }
    if facts.looks_form_encoded {
        add(Accident::BodyFormEncoded, String::new());
    }
    if memchr::memmem::find(received.body, "\u{fffd}".as_bytes()).is_some() {
        add(
            Accident::CharsetChanged,
            "it holds replacement characters, which stand for lost ones".to_owned(),
        );
    }
    causes
}

fn candidates_joined(candidates: &[Candidate]) -> bool {
    candidates
        .iter()
        .any(|candidate| candidate.accident == Some(Accident::HeaderRepeated))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the failure")]

    use super::*;
    use crate::verify::key::Key;
    use crate::verify::signature::Encoding;
    use proptest::prelude::*;

    const NOW: i64 = 1_700_000_000;
    const MISMATCH: Refusal = Refusal::SignatureMismatch { secrets: 1 };

    fn verifier(secret: &str) -> Verifier {
        Verifier {
            keys: Keys::new([Key::from_text(secret).unwrap()]).unwrap(),
            tolerance: 900,
            encoding: None,
            max_body: 4 * 1024 * 1024,
        }
    }

    fn headers(timestamp: &[u8], signature: &[u8]) -> Vec<Pair> {
        vec![
            (b"LTK-Timestamp".to_vec(), timestamp.to_vec()),
            (b"LTK-HmacSignature".to_vec(), signature.to_vec()),
        ]
    }

    fn signed(secret: &str, body: &[u8]) -> Vec<Pair> {
        let mac = Key::from_text(secret).unwrap().mac(body, b"1700000000");
        headers(b"1700000000", Encoding::Base64.encode(&mac).as_bytes())
    }

    fn names(body: &[u8], headers: &[Pair]) -> Vec<&'static str> {
        let received = Received {
            body,
            headers,
            now: NOW,
        };
        let (causes, _) = explain(&verifier("secret"), &[], &received, Err(&MISMATCH));
        causes.iter().map(|cause| cause.accident.name()).collect()
    }

    #[test]
    fn a_change_that_is_undone_is_proven() {
        let genuine = signed("secret", b"{\"a\":1}");
        assert_eq!(names(b"{\"a\":1}\n", &genuine), ["newline_added"]);
        assert_eq!(names(b"{\"a\": 1}", &genuine), ["body_reserialized"]);
        assert_eq!(names(b"{\"a\":2}", &genuine), [""; 0]);
    }

    #[test]
    fn a_span_is_in_days_once_it_is_longer_than_two() {
        assert_eq!(span(901), "901 seconds");
        assert_eq!(span(2 * A_DAY), "172800 seconds");
        assert_eq!(span(95_619_244), "1106 days");
    }

    #[test]
    fn a_gzip_bomb_is_not_inflated_beyond_the_limit() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..64 {
            encoder.write_all(&vec![b' '; 1024 * 1024]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert_eq!(names(&bomb, &signed("another", b"x")), ["body_compressed"]);
    }

    proptest! {
        #[test]
        fn hostile_bytes_neither_panic_nor_prove_anything(
            body in proptest::collection::vec(any::<u8>(), 0..300),
            timestamp in proptest::collection::vec(any::<u8>(), 0..40),
            signature in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let headers = headers(&timestamp, &signature);
            let received = Received { body: &body, headers: &headers, now: NOW };
            let (causes, facts) = explain(&verifier("secret"), &[], &received, Err(&MISMATCH));
            prop_assert!(causes.iter().all(|cause| !cause.proven));
            prop_assert_eq!(facts.body_length, body.len());
        }

        #[test]
        fn json_that_is_nearly_json_does_not_panic(
            text in "[\\[\\]{}:,\"0-9a-zé\\\\ue.+ \n\t-]{0,80}",
        ) {
            let causes = names(text.as_bytes(), &signed("another", b"{}"));
            prop_assert!(!causes.contains(&"body_reserialized"));
        }
    }
}
