//! The key: a secret, keyed once, and the MAC under it.
//!
//! Listrak's article signs `body + timestamp`, without a separator, with HMAC-SHA256 under the UTF-8 bytes of the
//! secret as it is shown (its C# and JavaScript samples).
//!
//! A key's state is as good as the secret. It is in one place of the heap from the moment when it is made until it is
//! wiped there, and each MAC works on a copy that is wiped where it is. A value of Rust that is moved leaves its bytes
//! behind, so neither is ever moved: hence the box, and the block-level interface of `hmac`, whose last step takes a
//! reference (that of [`hmac::Mac`] takes the state itself). What the processor's registers still hold of a state gets
//! into memory with the next signal, or when a function is linked on its first call, so it is wiped as well.

use std::fmt;
use std::hint::black_box;

use hmac::block_api::HmacCore;
use hmac::digest::block_api::{Buffer, FixedOutputCore as _, UpdateCore as _};
use hmac::digest::{CtOutput, Output};
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;
use sha2::block_api::compress256;
use zeroize::Zeroizing;

use crate::verify::secret::{self, SecretFault};
use crate::verify::signature::MAC_LEN;

type State = HmacCore<Sha256>;

/// A secret, keyed once: the state after its two key blocks, so that no delivery pays for them again.
///
/// `sha2` wipes that state when it is dropped. The secret itself is kept too, and wiped then: to say why a signature does
/// not match, its other forms are tried.
pub struct Key {
    state: Box<State>,
    secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The key for a secret as Listrak shows it: its UTF-8 bytes, never decoded from base64 or hex.
    ///
    /// # Errors
    ///
    /// [`SecretFault`] for what can only be a slip of the clipboard or the editor.
    pub fn from_text(secret: &str) -> Result<Self, SecretFault> {
        secret::check_text(secret)?;
        Self::from_any(secret.as_bytes())
    }

    /// The key for a secret that is already bytes, taken as they are.
    ///
    /// # Errors
    ///
    /// [`SecretFault::Empty`] and [`SecretFault::Blank`].
    pub fn from_bytes(secret: &[u8]) -> Result<Self, SecretFault> {
        secret::check_bytes(secret)?;
        Self::from_any(secret)
    }

    fn from_any(secret: &[u8]) -> Result<Self, SecretFault> {
        let key = Self::keyed(secret);
        // Where the secret's state went through registers, that of no secret at all goes through them now.
        drop(black_box(Self::keyed(&[])));
        wipe_stack();
        key
    }

    // A function of its own, so that all that it leaves on the stack is where `wipe_stack` goes next.
    #[inline(never)]
    fn keyed(secret: &[u8]) -> Result<Self, SecretFault> {
        // HMAC takes a key of any length, so this cannot fail; if it ever did, no key is the safe answer.
        match State::new_from_slice(secret) {
            Ok(state) => Ok(Self {
                state: Box::new(state),
                secret: Zeroizing::new(secret.to_vec()),
            }),
            Err(_) => Err(SecretFault::Empty),
        }
    }

    fn finish(&self, body: &[u8], timestamp: &[u8]) -> CtOutput<Hmac<Sha256>> {
        let mut state = State::clone(&self.state);
        let mut buffer = Buffer::<State>::default();
        buffer.digest_blocks(body, |blocks| state.update_blocks(blocks));
        buffer.digest_blocks(timestamp, |blocks| state.update_blocks(blocks));
        let mut mac = Output::<State>::default();
        state.finalize_fixed_core(&mut buffer, &mut mac);
        drop(state);
        wipe_registers();
        CtOutput::new(mac)
    }

    /// The key of another form of a secret, which is taken as it is.
    pub(super) fn of_form(secret: &[u8]) -> Option<Self> {
        Self::from_any(secret).ok()
    }

    /// The secret.
    pub(super) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The beginning of the MACs of all that begins with `parts`.
    // A function of its own, as `keyed` is; what it leaves on the stack is wiped when the result is dropped.
    #[inline(never)]
    pub(super) fn start(&self, parts: &[&[u8]]) -> Started {
        let mut state = self.state.clone();
        let mut buffer = Buffer::<State>::default();
        for part in parts {
            buffer.digest_blocks(part, |blocks| state.update_blocks(blocks));
        }
        Started { state, buffer }
    }

    /// The MAC of `body + timestamp`.
    #[must_use]
    pub fn mac(&self, body: &[u8], timestamp: &[u8]) -> [u8; MAC_LEN] {
        self.finish(body, timestamp).into_bytes().into()
    }

    /// Whether `mac` is the MAC of `body + timestamp`, compared in constant time.
    #[must_use]
    pub fn matches(&self, body: &[u8], timestamp: &[u8], mac: &[u8; MAC_LEN]) -> bool {
        self.finish(body, timestamp) == CtOutput::new((*mac).into())
    }
}

/// A MAC of which the beginning is taken in, so that ends can be tried without another pass over it.
pub(super) struct Started {
    state: Box<State>,
    buffer: Buffer<State>,
}

impl Started {
    /// The MAC of the beginning and `end`.
    pub(super) fn mac(&self, end: &[u8]) -> [u8; MAC_LEN] {
        let mut state = State::clone(&self.state);
        let mut buffer = self.buffer.clone();
        buffer.digest_blocks(end, |blocks| state.update_blocks(blocks));
        let mut mac = Output::<State>::default();
        state.finalize_fixed_core(&mut buffer, &mut mac);
        mac.into()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Once, behind all MACs that were made of it.
        wipe_stack();
        wipe_registers();
    }
}

/// The keys of one webhook: never none, so that there is always one to sign with and never nothing to check against.
#[derive(Debug)]
pub struct Keys {
    current: Key,
    previous: Vec<Key>,
}

impl Keys {
    /// The keys in `keys`, of which the first is the current one; `None` if there are none.
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

    /// All of them, the current one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The index of the first key under which `mac` is the MAC of `body + timestamp`; 0 is the current one.
    #[must_use]
    pub fn find(&self, body: &[u8], timestamp: &[u8], mac: &[u8; MAC_LEN]) -> Option<usize> {
        self.iter().position(|key| key.matches(body, timestamp, mac))
    }
}

/// Overwrites what the functions that were called before have left on the stack.
#[inline(never)]
fn wipe_stack() {
    // More than any of them uses, the software SHA-256 included.
    const AREA: usize = 4096;
    let mut area = [0_u8; AREA];
    black_box(&mut area);
}

/// Overwrites what the last hash has left in the processor's registers: by another, which uses the same ones.
fn wipe_registers() {
    let mut nothing = [0; 8];
    compress256(&mut nothing, &[[0; 64]]);
    black_box(&nothing);
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "in a test a panic is the failure"
    )]

    use super::*;
    use proptest::prelude::*;

    /// The test cases of RFC 4231, section 4, but for the truncated one: key, data, MAC. Some of its keys are nothing but
    /// control characters, which is not a secret here; so they are keyed past that check.
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
            let key = Key::keyed(&key).unwrap();
            assert_eq!(hex::encode(key.mac(&data, b"")), mac);
            assert_eq!(hex::encode(key.mac(b"", &data)), mac);
        }
    }

    #[test]
    fn the_truncated_test_case_of_rfc_4231() {
        let key = Key::keyed(&[0x0c; 20]).unwrap();
        let mac = key.mac(b"Test With Truncation", b"");
        assert_eq!(hex::encode(&mac[..16]), "a3b6167473100ee06e0c796c2955552b");
    }

    #[test]
    fn nothing_stands_between_body_and_timestamp() {
        for (key, data, mac) in rfc_4231() {
            let key = Key::keyed(&key).unwrap();
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
    fn a_key_shows_nothing_of_the_secret() {
        let key = Key::from_text("correct horse").unwrap();
        assert_eq!(format!("{key:?}"), "Key(..)");
        assert_eq!(format!("{key:#?}"), "Key(..)");
    }

    #[test]
    fn any_one_of_the_256_bits_flipped_does_not_match() {
        let key = Key::from_text("listrak-test-secret").unwrap();
        let mac = key.mac(b"body", b"1700000000");
        assert!(key.matches(b"body", b"1700000000", &mac));
        for bit in 0..256 {
            let mut flipped = mac;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.matches(b"body", b"1700000000", &flipped), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn only_the_mac_matches(
            secret in proptest::collection::vec(1_u8.., 1..200),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            timestamp in proptest::collection::vec(any::<u8>(), 0..20),
            other in any::<[u8; MAC_LEN]>(),
        ) {
            let Ok(key) = Key::from_bytes(&secret) else {
                prop_assert!(secret::check_bytes(&secret).is_err());
                return Ok(());
            };
            let mac = key.mac(&body, &timestamp);
            prop_assert!(key.matches(&body, &timestamp, &mac));
            prop_assert_eq!(key.matches(&body, &timestamp, &other), mac == other);
        }
    }
}
