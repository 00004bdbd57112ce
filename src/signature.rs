//! The key, the MAC, and the two spellings of a MAC.
//!
//! Listrak's article signs `body + timestamp`, without a separator, with HMAC-SHA256 under the UTF-8 bytes of the
//! secret as it is shown (its C# and JavaScript samples). The header is base64 in its Python and C# samples and hex in
//! its JavaScript sample; both are read here, told apart by their length.

use std::fmt;

use base64::Engine as _;
// Canonical only: the standard alphabet, the padding required, no stray bits in the last character.
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes in an HMAC-SHA256.
pub const MAC_LEN: usize = 32;
/// Characters of a MAC in base64.
pub const BASE64_LEN: usize = 44;
/// Characters of a MAC in hex.
pub const HEX_LEN: usize = 64;

/// A secret, keyed once: the state after its two key blocks, so that no delivery pays for them again.
///
/// `hmac` and `sha2` wipe that state when it is dropped.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What is wrong with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretFault {
    /// Nothing in it.
    Empty,
    /// Nothing but white space in it.
    Blank,
    /// A text with white space before or after it: a slip of the clipboard.
    SurroundingSpace,
    /// A text with a byte order mark in it: a slip of an editor.
    ByteOrderMark,
    /// A text with a control character in it.
    Control,
}

impl Key {
    /// The key for a secret as Listrak shows it: its UTF-8 bytes, never decoded from base64 or hex.
    ///
    /// # Errors
    ///
    /// [`SecretFault`] for what can only be a slip of the clipboard or the editor.
    pub fn from_text(secret: &str) -> Result<Self, SecretFault> {
        if secret.contains('\u{feff}') {
            return Err(SecretFault::ByteOrderMark);
        }
        let trimmed = secret.trim();
        if trimmed.is_empty() && !secret.is_empty() {
            return Err(SecretFault::Blank);
        }
        if trimmed.len() != secret.len() {
            return Err(SecretFault::SurroundingSpace);
        }
        if secret.chars().any(char::is_control) {
            return Err(SecretFault::Control);
        }
        Self::from_bytes(secret.as_bytes())
    }

    /// The key for a secret that is already bytes, taken as they are.
    ///
    /// # Errors
    ///
    /// [`SecretFault::Empty`] and [`SecretFault::Blank`].
    pub fn from_bytes(secret: &[u8]) -> Result<Self, SecretFault> {
        if secret.is_empty() {
            return Err(SecretFault::Empty);
        }
        if secret.trim_ascii().is_empty() {
            return Err(SecretFault::Blank);
        }
        // HMAC takes a key of any length, so this cannot fail; if it ever did, no key is the safe answer.
        Hmac::new_from_slice(secret).map(Self).map_err(|_| SecretFault::Empty)
    }

    fn over(&self, body: &[u8], timestamp: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(body);
        mac.update(timestamp);
        mac
    }

    /// The MAC of `body + timestamp`.
    #[must_use]
    pub fn mac(&self, body: &[u8], timestamp: &[u8]) -> [u8; MAC_LEN] {
        self.over(body, timestamp).finalize().into_bytes().into()
    }

    /// Whether `mac` is the MAC of `body + timestamp`, compared in constant time.
    #[must_use]
    pub fn matches(&self, body: &[u8], timestamp: &[u8], mac: &[u8; MAC_LEN]) -> bool {
        self.over(body, timestamp).verify_slice(mac).is_ok()
    }
}

/// The keys of one webhook: never none, so that there is always one to sign with and never nothing to check against.
#[derive(Debug, Clone)]
pub struct Keys {
    current: Key,
    previous: Vec<Key>,
}

impl Keys {
    /// The keys in `keys`, of which the first is the current one; `None` where there is none.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self {
            current: keys.next()?,
            previous: keys.collect(),
        })
    }

    /// The key to sign with.
    #[must_use]
    pub fn current(&self) -> &Key {
        &self.current
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.previous.len()
    }

    /// The index of the first key under which `mac` is the MAC of `body + timestamp`; 0 is the current one.
    #[must_use]
    pub fn find(&self, body: &[u8], timestamp: &[u8], mac: &[u8; MAC_LEN]) -> Option<usize> {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .position(|key| key.matches(body, timestamp, mac))
    }
}

/// How a MAC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Standard alphabet, padded: 44 characters.
    Base64,
    /// 64 characters, in either case.
    Hex,
}

impl Encoding {
    /// The encoding called `name` in the public interface.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "base64" => Some(Self::Base64),
            "hex" => Some(Self::Hex),
            _ => None,
        }
    }

    /// What the public interface calls it: `"base64"` or `"hex"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }

    /// `mac` written this way (hex in lower case).
    #[must_use]
    pub fn encode(self, mac: &[u8; MAC_LEN]) -> String {
        match self {
            Self::Base64 => BASE64.encode(mac),
            Self::Hex => hex::encode(mac),
        }
    }
}

/// A signature header, decoded: what it claims the MAC to be. Nothing is proven yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The claimed MAC.
    pub mac: [u8; MAC_LEN],
    /// How the header spelled it.
    pub encoding: Encoding,
}

/// Why a signature header is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFault {
    /// Neither 44 nor 64 bytes long.
    Length {
        /// How long it is, in bytes.
        bytes: usize,
        /// Whether it holds a comma: two values that a proxy joined, or another sender's scheme.
        comma: bool,
    },
    /// 44 characters that are not the canonical base64 of 32 bytes.
    NotBase64,
    /// 64 characters that are not hex.
    NotHex,
    /// Well-formed, but in the encoding that the user's `encoding` option rules out.
    OtherEncoding {
        /// What the header is written in.
        found: Encoding,
    },
}

/// The claim in the header `text`: canonical base64 or hex of exactly 32 bytes, nothing trimmed.
///
/// `only` pins one encoding; `None` takes both, told apart by their length.
///
/// # Errors
///
/// [`SignatureFault`], for everything else.
///
/// ```
/// # use _core::signature::{Encoding, decode};
/// let claim = decode(b"P00nxEZtRTZz6hDi5/38JlNSPh0UAlr9dBfEULU5ChM=", None).unwrap();
/// assert_eq!(claim.encoding, Encoding::Base64);
/// assert!(decode(b"v1,P00nxEZtRTZz6hDi5/38JlNSPh0UAlr9dBfEULU5ChM=", None).is_err());
/// ```
pub fn decode(text: &[u8], only: Option<Encoding>) -> Result<Claim, SignatureFault> {
    let (mac, encoding) = match text.len() {
        BASE64_LEN => (decode_base64(text), Encoding::Base64),
        HEX_LEN => (decode_hex(text), Encoding::Hex),
        bytes => {
            return Err(SignatureFault::Length {
                bytes,
                comma: text.contains(&b','),
            });
        }
    };
    match mac {
        None if encoding == Encoding::Base64 => Err(SignatureFault::NotBase64),
        None => Err(SignatureFault::NotHex),
        Some(_) if only.is_some_and(|pinned| pinned != encoding) => {
            Err(SignatureFault::OtherEncoding { found: encoding })
        }
        Some(mac) => Ok(Claim { mac, encoding }),
    }
}

fn decode_base64(text: &[u8]) -> Option<[u8; MAC_LEN]> {
    // 44 characters are 31, 32 or 33 bytes, by their padding; the estimate that sizes the buffer is always 33.
    let mut buffer = [0; MAC_LEN + 1];
    let length = BASE64.decode_slice(text, &mut buffer).ok()?;
    buffer.get(..length)?.try_into().ok()
}

fn decode_hex(text: &[u8]) -> Option<[u8; MAC_LEN]> {
    let mut mac = [0; MAC_LEN];
    hex::decode_to_slice(text, &mut mac).ok().map(|()| mac)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "in a test a panic is the failure"
    )]

    use super::*;
    use proptest::prelude::*;

    /// The two spellings of one MAC: that of an empty body at 1700000000 under `listrak-test-secret`.
    const TEXT_BASE64: &[u8] = b"ZNPNaIR3QhCCVQS1ScxUbgxBs6aqmgLEvAur6HNq+Ys=";
    const TEXT_HEX: &[u8] = b"64d3cd6884774210825504b549cc546e0c41b3a6aa9a02c4bc0babe8736af98b";

    /// The test cases of RFC 4231, section 4, but for the truncated one: key, data, MAC.
    fn rfc_4231() -> Vec<(Vec<u8>, Vec<u8>, &'static str)> {
        vec![
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                (1..=25).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs \
                  to be hashed before being used by the HMAC algorithm."
                    .to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ]
    }

    #[test]
    fn the_test_cases_of_rfc_4231() {
        for (key, data, mac) in rfc_4231() {
            let key = Key::from_bytes(&key).unwrap();
            assert_eq!(hex::encode(key.mac(&data, b"")), mac);
            assert_eq!(hex::encode(key.mac(b"", &data)), mac);
        }
    }

    #[test]
    fn the_truncated_test_case_of_rfc_4231() {
        // Its key is twenty form feeds, which is white space and so no secret here: keyed past that check.
        let key = Key(Hmac::new_from_slice(&[0x0c; 20]).unwrap());
        let mac = key.mac(b"Test With Truncation", b"");
        assert_eq!(hex::encode(&mac[..16]), "a3b6167473100ee06e0c796c2955552b");
    }

    #[test]
    fn nothing_stands_between_body_and_timestamp() {
        for (key, data, mac) in rfc_4231() {
            let key = Key::from_bytes(&key).unwrap();
            for place in 0..=data.len() {
                let (body, timestamp) = data.split_at(place);
                assert_eq!(hex::encode(key.mac(body, timestamp)), mac);
                assert!(key.matches(body, timestamp, &key.mac(&data, b"")));
            }
        }
    }

    #[test]
    fn a_text_secret_is_its_bytes() {
        for secret in ["s", "two words", "ключ", "c2VjcmV0", "deadbeef"] {
            let (text, bytes) = (Key::from_text(secret), Key::from_bytes(secret.as_bytes()));
            assert_eq!(text.unwrap().mac(b"a", b"b"), bytes.unwrap().mac(b"a", b"b"));
        }
    }

    #[test]
    fn what_can_be_no_text_secret() {
        let cases = [
            ("", SecretFault::Empty),
            (" ", SecretFault::Blank),
            ("\t\r\n", SecretFault::Blank),
            ("\u{a0}\u{3000}", SecretFault::Blank),
            (" secret", SecretFault::SurroundingSpace),
            ("secret\n", SecretFault::SurroundingSpace),
            ("secret\u{a0}", SecretFault::SurroundingSpace),
            ("\u{feff}secret", SecretFault::ByteOrderMark),
            ("sec\u{feff}ret", SecretFault::ByteOrderMark),
            ("\u{feff}", SecretFault::ByteOrderMark),
            ("sec\nret", SecretFault::Control),
            ("sec\0ret", SecretFault::Control),
            ("sec\u{7f}ret", SecretFault::Control),
            ("sec\u{9f}ret", SecretFault::Control),
        ];
        for (secret, fault) in cases {
            assert_eq!(Key::from_text(secret).err(), Some(fault), "{}", secret.escape_debug());
        }
    }

    #[test]
    fn what_can_be_no_secret_in_bytes() {
        assert_eq!(Key::from_bytes(b"").err(), Some(SecretFault::Empty));
        for blank in [&b" "[..], b"\n", b" \t\r\n\x0c"] {
            assert_eq!(Key::from_bytes(blank).err(), Some(SecretFault::Blank));
        }
        for secret in [&b"\0"[..], b" padded\n", b"\xff\xfe", &[b'k'; 1000]] {
            assert!(Key::from_bytes(secret).is_ok());
        }
    }

    #[test]
    fn a_key_shows_nothing_of_the_secret() {
        let key = Key::from_text("correct horse").unwrap();
        assert_eq!(format!("{key:?}"), "Key(..)");
        assert_eq!(format!("{key:#?}"), "Key(..)");
    }

    #[test]
    fn any_one_of_the_256_bits_flipped_is_no_match() {
        let key = Key::from_text("listrak-test-secret").unwrap();
        let mac = key.mac(b"body", b"1700000000");
        assert!(key.matches(b"body", b"1700000000", &mac));
        for bit in 0..256 {
            let mut flipped = mac;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.matches(b"body", b"1700000000", &flipped), "bit {bit}");
        }
    }

    #[test]
    fn both_spellings_are_one_claim() {
        let claims = [TEXT_BASE64, TEXT_HEX].map(|text| decode(text, None).unwrap());
        assert_eq!(claims[0].mac, claims[1].mac);
        assert_eq!(claims[0].encoding, Encoding::Base64);
        assert_eq!(claims[1].encoding, Encoding::Hex);
        assert_eq!(decode(&TEXT_HEX.to_ascii_uppercase(), None), Ok(claims[1]));
        let key = Key::from_text("listrak-test-secret").unwrap();
        assert!(key.matches(b"", b"1700000000", &claims[0].mac));
    }

    #[test]
    fn a_pinned_encoding_rules_the_other_out() {
        let (base64, hex) = (Encoding::Base64, Encoding::Hex);
        assert!(decode(TEXT_BASE64, Some(base64)).is_ok());
        assert!(decode(TEXT_HEX, Some(hex)).is_ok());
        assert_eq!(
            decode(TEXT_BASE64, Some(hex)),
            Err(SignatureFault::OtherEncoding { found: base64 })
        );
        assert_eq!(
            decode(TEXT_HEX, Some(base64)),
            Err(SignatureFault::OtherEncoding { found: hex })
        );
        // Junk is junk first.
        assert_eq!(decode(&[b'!'; BASE64_LEN], Some(hex)), Err(SignatureFault::NotBase64));
        assert_eq!(decode(&[b'!'; HEX_LEN], Some(base64)), Err(SignatureFault::NotHex));
    }

    #[test]
    fn what_is_no_base64_of_32_bytes() {
        let no_padding = [&TEXT_BASE64[..BASE64_LEN - 1], b"A"].concat();
        let stray_bits = [&TEXT_BASE64[..BASE64_LEN - 2], b"t="].concat();
        let url_safe = TEXT_BASE64.iter().map(|&byte| if byte == b'+' { b'-' } else { byte });
        let cases: Vec<Vec<u8>> = vec![
            BASE64.encode([7; 31]).into_bytes(),
            BASE64.encode([7; 33]).into_bytes(),
            no_padding,
            stray_bits,
            url_safe.collect(),
            [b" ", &TEXT_BASE64[1..]].concat(),
            [&TEXT_BASE64[..BASE64_LEN - 1], b"\n"].concat(),
            vec![b'='; BASE64_LEN],
            vec![0; BASE64_LEN],
            vec![0xff; BASE64_LEN],
        ];
        for text in cases {
            assert_eq!(text.len(), BASE64_LEN);
            assert_eq!(
                decode(&text, None),
                Err(SignatureFault::NotBase64),
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_no_hex() {
        for (place, byte) in [
            (0, b'g'),
            (1, b' '),
            (31, b'\n'),
            (63, b'\0'),
            (63, 0xff),
            (0, b'+'),
            (1, b'x'),
        ] {
            let mut text = TEXT_HEX.to_vec();
            text[place] = byte;
            assert_eq!(decode(&text, None), Err(SignatureFault::NotHex));
        }
    }

    #[test]
    fn any_other_length_is_told_with_its_comma() {
        for bytes in (0..200).filter(|length| ![BASE64_LEN, HEX_LEN].contains(length)) {
            let fault = SignatureFault::Length { bytes, comma: false };
            assert_eq!(decode(&vec![b'a'; bytes], None), Err(fault));
        }
        let joined = [TEXT_BASE64, TEXT_BASE64].join(&b", "[..]);
        let fault = SignatureFault::Length { bytes: 90, comma: true };
        assert_eq!(decode(&joined, None), Err(fault));
    }

    #[test]
    fn the_names_of_the_encodings() {
        for encoding in [Encoding::Base64, Encoding::Hex] {
            assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
        }
        for name in ["", "any", "Base64", "HEX", "hex "] {
            assert_eq!(Encoding::from_name(name), None);
        }
    }

    /// Bytes that are often nearly a signature.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let text = |pattern| proptest::string::string_regex(pattern).unwrap();
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            proptest::collection::vec(any::<u8>(), BASE64_LEN),
            proptest::collection::vec(any::<u8>(), HEX_LEN),
            text("[A-Za-z0-9+/]{42}[A-Za-z0-9+/=]{2}").prop_map(String::into_bytes),
            text("[A-Za-z0-9+/]{43}=").prop_map(String::into_bytes),
            text("[0-9a-fA-Fg]{64}").prop_map(String::into_bytes),
            text("[0-9a-fA-F]{64}").prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(mac in any::<[u8; MAC_LEN]>()) {
            for encoding in [Encoding::Base64, Encoding::Hex] {
                let text = encoding.encode(&mac);
                for only in [None, Some(encoding)] {
                    prop_assert_eq!(decode(text.as_bytes(), only), Ok(Claim { mac, encoding }));
                }
            }
        }

        #[test]
        fn only_what_would_be_encoded_the_same_decodes(text in nearly()) {
            match decode(&text, None) {
                Ok(Claim { mac, encoding: Encoding::Base64 }) => {
                    prop_assert_eq!(BASE64.encode(mac).into_bytes(), text);
                }
                Ok(Claim { mac, encoding: Encoding::Hex }) => {
                    prop_assert_eq!(hex::encode(mac).into_bytes(), text.to_ascii_lowercase());
                }
                Err(SignatureFault::NotHex) => {
                    prop_assert_eq!(text.len(), HEX_LEN);
                    prop_assert!(!text.iter().all(u8::is_ascii_hexdigit));
                }
                Err(SignatureFault::NotBase64) => {
                    prop_assert_eq!(text.len(), BASE64_LEN);
                    prop_assert!(BASE64.decode(&text).map_or(true, |bytes| bytes.len() != MAC_LEN));
                }
                Err(SignatureFault::Length { bytes, comma }) => {
                    prop_assert_eq!(bytes, text.len());
                    prop_assert!(bytes != BASE64_LEN && bytes != HEX_LEN);
                    prop_assert_eq!(comma, text.contains(&b','));
                }
                Err(fault @ SignatureFault::OtherEncoding { .. }) => prop_assert!(false, "{fault:?}"),
            }
        }

        #[test]
        fn only_the_mac_matches(
            secret in proptest::collection::vec(1_u8.., 1..200),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            timestamp in proptest::collection::vec(any::<u8>(), 0..20),
            other in any::<[u8; MAC_LEN]>(),
        ) {
            let Ok(key) = Key::from_bytes(&secret) else {
                prop_assert!(secret.trim_ascii().is_empty());
                return Ok(());
            };
            let mac = key.mac(&body, &timestamp);
            prop_assert!(key.matches(&body, &timestamp, &mac));
            prop_assert_eq!(key.matches(&body, &timestamp, &other), mac == other);
        }

        #[test]
        fn any_text_is_a_secret_or_has_a_fault(secret in any::<String>()) {
            let fault = Key::from_text(&secret).err();
            let sound = !secret.is_empty()
                && secret.trim() == secret
                && !secret.chars().any(|character| character.is_control() || character == '\u{feff}');
            prop_assert_eq!(fault.is_none(), sound);
        }
    }
}
