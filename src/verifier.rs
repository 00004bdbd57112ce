//! The whole verdict on a delivery, as plain Rust: no interpreter, no clock, no allocation on the way to a yes.

use crate::error::Error;
use crate::signature::{self, Encoding, Key};
use crate::timestamp::{self, OutsideWindow};

/// What a delivery is checked against.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// The keys that are accepted, the current one first.
    pub keys: Vec<Key>,
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

impl Verifier {
    /// Whether a body of `size` bytes is looked at at all.
    ///
    /// # Errors
    ///
    /// [`Error::BodyTooLarge`].
    pub fn check_size(&self, size: usize) -> Result<(), Error> {
        if size > self.max_body {
            return Err(Error::BodyTooLarge { limit: self.max_body });
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
    /// The [`Error`] of the first check that fails.
    pub fn verify(&self, body: &[u8], timestamp: &[u8], signature: &[u8], now: i64) -> Result<Verified, Error> {
        self.check_size(body.len())?;
        let sent = timestamp::parse(timestamp).ok_or_else(|| Error::malformed_timestamp(timestamp))?;
        let claim = signature::decode(signature, self.encoding)?;
        let secret_index = self
            .keys
            .iter()
            .position(|key| key.matches(body, timestamp, &claim.mac))
            .ok_or(Error::SignatureMismatch {
                secrets: self.keys.len(),
            })?;
        timestamp::check_window(sent, now, self.tolerance).map_err(|outside| match outside {
            OutsideWindow::Stale { skew } => Error::StaleTimestamp {
                skew,
                tolerance: self.tolerance,
            },
            OutsideWindow::Future { skew } => Error::FutureTimestamp {
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
