//! The two encodings of a MAC.
//!
//! The header is base64 in the Python and C# samples of Listrak's article and hex in its JavaScript sample; both are read
//! here, told apart by their length.

use base64::Engine as _;
// Canonical only: the standard alphabet, the padding required, no stray bits in the last character.
use base64::engine::general_purpose::STANDARD as BASE64;

/// Bytes in an HMAC-SHA256.
pub const MAC_LEN: usize = 32;
/// Characters of a MAC in base64.
pub const BASE64_LEN: usize = 44;
/// Characters of a MAC in hex.
pub const HEX_LEN: usize = 64;

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
pub struct ReceivedMac {
    /// The claimed MAC.
    pub mac: [u8; MAC_LEN],
    /// How the header spelled it.
    pub encoding: Encoding,
}

/// Why a header does not hold a signature.
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
/// # use _core::verify::signature::{Encoding, decode};
/// let claim = decode(b"P00nxEZtRTZz6hDi5/38JlNSPh0UAlr9dBfEULU5ChM=", None).unwrap();
/// assert_eq!(claim.encoding, Encoding::Base64);
/// assert!(decode(b"v1,P00nxEZtRTZz6hDi5/38JlNSPh0UAlr9dBfEULU5ChM=", None).is_err());
/// ```
pub fn decode(text: &[u8], only: Option<Encoding>) -> Result<ReceivedMac, SignatureFault> {
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
        Some(mac) => Ok(ReceivedMac { mac, encoding }),
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

    #[test]
    fn both_spellings_are_one_claim() {
        let claims = [TEXT_BASE64, TEXT_HEX].map(|text| decode(text, None).unwrap());
        assert_eq!(claims[0].mac, claims[1].mac);
        assert_eq!(claims[0].encoding, Encoding::Base64);
        assert_eq!(claims[1].encoding, Encoding::Hex);
        assert_eq!(decode(&TEXT_HEX.to_ascii_uppercase(), None), Ok(claims[1]));
        assert_eq!(hex::encode(claims[0].mac).as_bytes(), TEXT_HEX);
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
    fn text_that_is_not_base64_of_32_bytes() {
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
    fn text_that_is_not_hex() {
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
                    prop_assert_eq!(decode(text.as_bytes(), only), Ok(ReceivedMac { mac, encoding }));
                }
            }
        }

        #[test]
        fn only_what_would_be_encoded_the_same_decodes(text in nearly()) {
            match decode(&text, None) {
                Ok(ReceivedMac { mac, encoding: Encoding::Base64 }) => {
                    prop_assert_eq!(BASE64.encode(mac).into_bytes(), text);
                }
                Ok(ReceivedMac { mac, encoding: Encoding::Hex }) => {
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
    }
}
