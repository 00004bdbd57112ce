//! The whole verdict on a delivery, as plain Rust: no interpreter, no clock, no allocation on the way to a yes.

pub mod explain;
pub mod header;
pub mod key;
pub mod refusal;
pub mod secret;
pub mod signature;
pub mod timestamp;

use sha2::{Digest as _, Sha256};

use self::key::Keys;
use self::refusal::Refusal;
use self::signature::Encoding;
use self::timestamp::OutsideWindow;

/// What a delivery is checked against.
#[derive(Debug)]
pub struct Verifier {
    /// The keys that are accepted.
    pub keys: Keys,
    /// Whole seconds that the sender's clock may be behind or ahead of ours.
    pub tolerance: i64,
    /// The one encoding that is accepted, or `None` for both.
    pub encoding: Option<Encoding>,
    /// The largest body that is looked at, in bytes.
    pub max_body: usize,
}

/// What is known of a delivery once it is proven genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The MAC: the delivery's identity, whatever the header's spelling.
    pub mac: [u8; signature::MAC_LEN],
    /// How the header spelled it.
    pub encoding: Encoding,
    /// The sender's Unix seconds.
    pub timestamp: i64,
    /// Which of the keys it matched.
    pub secret_index: usize,
    /// The last second at which it can pass the window again.
    pub expires_at: i64,
}

impl Verified {
    /// An identity from which nobody can get back to the MAC, and so to a signature: its SHA-256.
    #[must_use]
    pub fn public_id(&self) -> [u8; 32] {
        Sha256::digest(self.mac).into()
    }
}

impl Verifier {
    /// Whether a body of `size` bytes is looked at at all.
    ///
    /// # Errors
    ///
    /// [`Refusal::BodyTooLarge`].
    pub fn check_size(&self, size: usize) -> Result<(), Refusal> {
        if size > self.max_body {
            return Err(Refusal::BodyTooLarge { limit: self.max_body });
        }
        Ok(())
    }

    /// The verdict on `body` and the two header values, `now` being our own Unix seconds.
    ///
    /// The order is part of the contract: the window comes after the MAC, so that a stale or future error only ever
    /// speaks of a genuine delivery, which means a wrong clock or a replay.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first check that fails.
    pub fn verify(&self, body: &[u8], timestamp: &[u8], signature: &[u8], now: i64) -> Result<Verified, Refusal> {
        self.check_size(body.len())?;
        let sent = timestamp::parse(timestamp).ok_or_else(|| Refusal::malformed_timestamp(timestamp))?;
        let claim = signature::decode(signature, self.encoding)?;
        let secret_index = self
            .keys
            .find(body, timestamp, &claim.mac)
            .ok_or(Refusal::SignatureMismatch {
                secrets: self.keys.count(),
            })?;
        timestamp::check_window(sent, now, self.tolerance).map_err(|outside| match outside {
            OutsideWindow::Stale { skew } => Refusal::StaleTimestamp {
                skew,
                tolerance: self.tolerance,
            },
            OutsideWindow::Future { skew } => Refusal::FutureTimestamp {
                skew,
                tolerance: self.tolerance,
            },
        })?;
        Ok(Verified {
            mac: claim.mac,
            encoding: claim.encoding,
            timestamp: sent,
            secret_index,
            expires_at: timestamp::expires_at(sent, self.tolerance),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the failure")]

    use super::header::Header;
    use super::key::Key;
    use super::signature::{MAC_LEN, SignatureFault};
    use super::*;
    use proptest::prelude::*;

    const SENT: i64 = 1_700_000_000;
    const TEXT: &[u8] = b"1700000000";
    const BODY: &[u8] = b"{\"campaign\":\"vip-mailer\"}";

    fn verifier(secrets: &[&str]) -> Verifier {
        Verifier {
            keys: Keys::new(secrets.iter().map(|secret| Key::from_text(secret).unwrap())).unwrap(),
            tolerance: 900,
            encoding: None,
            max_body: 1024,
        }
    }

    fn signature(secret: &str, body: &[u8], timestamp: &[u8]) -> Vec<u8> {
        let mac = Key::from_text(secret).unwrap().mac(body, timestamp);
        Encoding::Base64.encode(&mac).into_bytes()
    }

    #[test]
    fn a_genuine_delivery() {
        let verified = verifier(&["new", "old"])
            .verify(BODY, TEXT, &signature("old", BODY, TEXT), SENT + 60)
            .unwrap();
        let mac = Key::from_text("old").unwrap().mac(BODY, TEXT);
        assert_eq!(
            verified,
            Verified {
                mac,
                encoding: Encoding::Base64,
                timestamp: SENT,
                secret_index: 1,
                expires_at: SENT + 900,
            }
        );
    }

    #[test]
    fn the_public_identity_is_the_digest_of_the_mac() {
        let verified = Verified {
            mac: [0xab; MAC_LEN],
            encoding: Encoding::Hex,
            timestamp: SENT,
            secret_index: 0,
            expires_at: SENT,
        };
        assert_eq!(
            hex::encode(verified.public_id()),
            "9a2db2e23f1504cd056606553ac049c5e718e8f9ce9233876df1a7a1821af885"
        );
    }

    #[test]
    fn the_first_of_equal_secrets_counts() {
        let verdict = verifier(&["same", "same"]).verify(BODY, TEXT, &signature("same", BODY, TEXT), SENT);
        assert_eq!(verdict.unwrap().secret_index, 0);
    }

    #[test]
    fn a_verifier_needs_a_key() {
        assert!(Keys::new([]).is_none());
    }

    #[test]
    fn the_edges_of_the_size_limit() {
        let verifier = verifier(&["secret"]);
        let (full, over) = (vec![b'x'; 1024], vec![b'x'; 1025]);
        assert!(
            verifier
                .verify(&full, TEXT, &signature("secret", &full, TEXT), SENT)
                .is_ok()
        );
        let verdict = verifier.verify(&over, TEXT, &signature("secret", &over, TEXT), SENT);
        assert!(matches!(verdict, Err(Refusal::BodyTooLarge { limit: 1024 })));
        assert!(verifier.check_size(1024).is_ok());
        assert!(verifier.check_size(1025).is_err());
        assert!(verifier.check_size(usize::MAX).is_err());
    }

    #[test]
    fn a_digit_that_moves_from_the_timestamp_to_the_body() {
        let mut verifier = verifier(&["secret"]);
        verifier.tolerance = i64::MAX;
        let genuine = signature("secret", b"B", TEXT);
        assert_eq!(genuine, signature("secret", b"B1", b"700000000"));
        assert!(verifier.verify(b"B", TEXT, &genuine, SENT).is_ok());
        for moved in 1..=TEXT.len() {
            let (digits, rest) = TEXT.split_at(moved);
            let verdict = verifier.verify(&[b"B", digits].concat(), rest, &genuine, SENT);
            assert!(matches!(verdict, Err(Refusal::MalformedTimestamp { .. })), "{moved}");
        }
    }

    #[test]
    fn an_earlier_fault_is_reported_before_a_later_one() {
        // Each turn mends one more fault; what is left is reported in the order of the contract.
        let over = vec![b'x'; 1025];
        let verifier = verifier(&["secret"]);
        let late = SENT + 901;
        let forged = signature("another", BODY, TEXT);
        let genuine = signature("secret", BODY, TEXT);
        let verdict = |body: &[u8], timestamp: &[u8], signature: &[u8], now| {
            verifier.verify(body, timestamp, signature, now).map(|_| ())
        };
        assert!(matches!(
            verdict(&over, b"1e9", b"junk", late),
            Err(Refusal::BodyTooLarge { .. })
        ));
        assert!(matches!(
            verdict(BODY, b"1e9", b"junk", late),
            Err(Refusal::MalformedTimestamp { .. })
        ));
        assert!(matches!(
            verdict(BODY, TEXT, b"junk", late),
            Err(Refusal::MalformedSignature(SignatureFault::Length { bytes: 4, .. }))
        ));
        assert!(matches!(
            verdict(BODY, TEXT, &forged, late),
            Err(Refusal::SignatureMismatch { secrets: 1 })
        ));
        assert!(matches!(
            verdict(BODY, TEXT, &genuine, late),
            Err(Refusal::StaleTimestamp {
                skew: 901,
                tolerance: 900
            })
        ));
        assert!(matches!(
            verdict(BODY, TEXT, &genuine, SENT - 901),
            Err(Refusal::FutureTimestamp {
                skew: 901,
                tolerance: 900
            })
        ));
        assert!(verdict(BODY, TEXT, &genuine, SENT).is_ok());
    }

    #[test]
    fn a_pinned_encoding_is_a_matter_of_the_signature() {
        let mut verifier = verifier(&["secret"]);
        verifier.encoding = Some(Encoding::Hex);
        let verdict = verifier.verify(BODY, TEXT, &signature("secret", BODY, TEXT), SENT);
        assert!(matches!(
            verdict,
            Err(Refusal::MalformedSignature(SignatureFault::OtherEncoding {
                found: Encoding::Base64
            }))
        ));
    }

    #[test]
    fn a_message_shows_little_of_a_strangers_text() {
        let long = [b'\x1b'; 5000];
        let text = Refusal::malformed_timestamp(&long).to_string();
        assert!(text.len() < 300);
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
        assert!(
            Refusal::MissingHeader(Header::Timestamp)
                .to_string()
                .contains("LTK-Timestamp")
        );
    }

    /// A value that is the genuine one, or nearly, or anything.
    fn around(genuine: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
        let nearly = (Just(genuine.clone()), any::<prop::sample::Index>(), any::<u8>()).prop_map(
            |(mut text, place, replacement)| {
                let place = place.index(text.len());
                if let Some(byte) = text.get_mut(place) {
                    *byte = replacement;
                }
                text
            },
        );
        prop_oneof![Just(genuine), nearly, proptest::collection::vec(any::<u8>(), 0..80)]
    }

    proptest! {
        #[test]
        fn only_what_was_signed_is_accepted(
            body in around(BODY.to_vec()),
            timestamp in around(TEXT.to_vec()),
            claim in around(signature("secret", BODY, TEXT)),
            now in prop_oneof![Just(SENT), SENT - 1000..SENT + 1000, any::<i64>()],
        ) {
            if let Ok(verified) = verifier(&["first", "secret"]).verify(&body, &timestamp, &claim, now) {
                let mac = Key::from_text("secret").unwrap().mac(&body, &timestamp);
                prop_assert_eq!(verified.mac, mac);
                prop_assert_eq!(verified.secret_index, 1);
                prop_assert_eq!(verified.timestamp.to_string().into_bytes(), timestamp);
                prop_assert!(now.abs_diff(verified.timestamp) <= 900);
            }
        }

        #[test]
        fn what_was_signed_is_accepted_inside_the_window_and_nowhere_else(
            body in proptest::collection::vec(any::<u8>(), 0..1024),
            sent in timestamp::FIRST..=timestamp::LAST,
            distance in prop_oneof![-1000..1000_i64, Just(900), Just(-900), Just(901), Just(-901)],
            hex in any::<bool>(),
        ) {
            let text = sent.to_string().into_bytes();
            let mac = Key::from_text("secret").unwrap().mac(&body, &text);
            let encoding = if hex { Encoding::Hex } else { Encoding::Base64 };
            let claim = encoding.encode(&mac).into_bytes();
            match verifier(&["secret"]).verify(&body, &text, &claim, sent + distance) {
                Ok(verified) => {
                    prop_assert!(distance.abs() <= 900);
                    prop_assert_eq!(verified.encoding, encoding);
                    prop_assert_eq!(verified.expires_at, sent + 900);
                }
                Err(Refusal::StaleTimestamp { skew, .. }) => prop_assert!(distance > 900 && skew == distance),
                Err(Refusal::FutureTimestamp { skew, .. }) => prop_assert!(distance < -900 && skew == -distance),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        #[test]
        fn a_guessed_mac_is_a_mismatch(guess in any::<[u8; MAC_LEN]>(), now in any::<i64>()) {
            let mac = Key::from_text("secret").unwrap().mac(BODY, TEXT);
            prop_assume!(guess != mac);
            for encoding in [Encoding::Base64, Encoding::Hex] {
                let verdict = verifier(&["secret"]).verify(BODY, TEXT, encoding.encode(&guess).as_bytes(), now);
                let mismatch = matches!(verdict, Err(Refusal::SignatureMismatch { secrets: 1 }));
                prop_assert!(mismatch, "{verdict:?}");
            }
        }
    }
}
