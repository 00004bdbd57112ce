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
