//! Which deliveries are being handled and which have been: the memory of a replay guard, as plain data.
//!
//! A delivery is absent, claimed by one holder until its lease ends, or completed. Nothing here knows the time: `now` is
//! an argument, in milliseconds on a clock that nobody sets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use crate::verify::signature::MAC_LEN;

/// How many seconds an entry lives beyond what the tolerance asks for: for the time between the verdict and the claim,
/// and for clocks that are read in whole seconds.
pub const MARGIN: i64 = 60;

/// How many milliseconds a claim lasts unless a guard is told otherwise.
pub const DEFAULT_LEASE: i64 = 60_000;

/// How many seconds' worth of entries one claim forgets at most, so that none has to pay for a quiet night.
const PURGED_AT_ONCE: usize = 4;

const MILLISECONDS: i64 = 1000;

/// For how many milliseconds an entry must be kept after it was written.
///
/// A delivery passes `verify` while the clock there is within the tolerance of the timestamp, which is the sender's. It
/// cannot come before it was sent, so by a clock that is slow by the whole tolerance it passes for twice the tolerance
/// after its first arrival; a clock that is slower rejects every new delivery. So the entry's life is a span and not an
/// instant: neither the timestamp nor what our clock said counts, and a clock that is set forgets nothing.
const fn lifetime(tolerance: i64) -> i64 {
    tolerance
        .saturating_mul(2)
        .saturating_add(MARGIN)
        .saturating_mul(MILLISECONDS)
}

/// What a store needs to know of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    /// Its identity.
    pub mac: [u8; MAC_LEN],
    /// When it was sent, in Unix seconds: of one MAC there is one timestamp.
    pub timestamp: i64,
    /// The tolerance, in seconds, of the webhook that verified it.
    pub tolerance: i64,
}

/// What tells one claim from another; no two claims of a store have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token(u64);

/// What became of the wish to handle a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the caller's to handle.
    Claimed(Token),
    /// Another handles it at this moment.
    Held,
    /// It has been handled.
    Completed,
    /// There is no room to remember it, and so it must not be handled.
    Full,
}

/// How a claim that is completed or given back finds its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it left it: its own.
    Own,
    /// Its lease is over: another took the delivery over and handles it at this moment.
    Held,
    /// Its lease is over: another took the delivery over and has handled it.
    Completed,
    /// Its lease is over, and nobody has the delivery: another would have handled it again.
    Free,
    /// There is no room to remember it.
    Full,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Exclusive.
    ClaimedUntil(i64, Token),
    Completed,
}

/// Takes eight bytes of a key for its hash: a MAC is evenly spread already, and only genuine ones come this far.
#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length that goes before an array says nothing.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The deliveries that were sent in one second. They are forgotten together, which costs no more than forgetting one.
#[derive(Debug)]
struct Second {
    deliveries: HashMap<[u8; MAC_LEN], State, BuildHasherDefault<FirstBytes>>,
    forgotten_at: i64,
}

impl Default for Second {
    fn default() -> Self {
        Self {
            deliveries: HashMap::default(),
            // Before any end there can be.
            forgotten_at: i64::MIN,
        }
    }
}

/// A bounded memory of deliveries, which never forgets one that could still pass the time window.
#[derive(Debug)]
pub struct Store {
    /// The longest that is known of: two webhooks may share a guard, and what the one has handled must be remembered for
    /// as long as the other accepts it.
    tolerance: i64,
    max_entries: usize,
    entries: usize,
    last_token: u64,
    by_timestamp: BTreeMap<i64, Second>,
    /// The same seconds in the order in which they are forgotten; with one tolerance that is the same order.
    by_end: BTreeSet<(i64, i64)>,
}

impl Store {
    /// An empty store for at most `max_entries` deliveries, of webhooks whose tolerance is at most `tolerance` seconds.
    #[must_use]
    pub const fn new(max_entries: usize, tolerance: i64) -> Self {
        Self {
            tolerance,
            max_entries,
            entries: 0,
            last_token: 0,
            by_timestamp: BTreeMap::new(),
            by_end: BTreeSet::new(),
        }
    }

    /// How many deliveries are remembered, those included that may be forgotten but have not been yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Claims `delivery` for `lease` milliseconds, if nobody handles it and nobody has.
    pub fn claim(&mut self, delivery: &Delivery, lease: i64, now: i64) -> Verdict {
        self.tolerance = self.tolerance.max(delivery.tolerance);
        self.purge(now, PURGED_AT_ONCE);
        self.forget_if_over(delivery.timestamp, now);
        match self.state(delivery) {
            Some(State::Completed) => {
                // It came again, and so some clock still takes it.
                self.put(delivery, State::Completed, now);
                return Verdict::Completed;
            }
            Some(State::ClaimedUntil(end, _)) if now < end => return Verdict::Held,
            // Its holder was too slow, or died.
            Some(State::ClaimedUntil(..)) => {}
            None => {
                if self.entries >= self.max_entries {
                    self.purge(now, usize::MAX);
                }
                if self.entries >= self.max_entries {
                    return Verdict::Full;
                }
            }
        }
        self.last_token += 1;
        let token = Token(self.last_token);
        self.put(delivery, State::ClaimedUntil(now.saturating_add(lease), token), now);
        Verdict::Claimed(token)
    }

    /// Remembers that `delivery` was handled, unless another claim holds it.
    ///
    /// `token` is the claim under which it was handled, or `None` if it was handled without one.
    pub fn complete(&mut self, delivery: &Delivery, token: Option<Token>, now: i64) -> Ending {
        let ending = self.ending(delivery, token, now);
        match ending {
            Ending::Held | Ending::Completed => return ending,
            Ending::Own | Ending::Free | Ending::Full => {}
        }
        let is_full = self.entries >= self.max_entries;
        if is_full && ending == Ending::Free && self.state(delivery).is_none() {
            return Ending::Full;
        }
        self.put(delivery, State::Completed, now);
        ending
    }

    /// Gives a claim back, if `token` is still the one that has it.
    pub fn release(&mut self, delivery: &Delivery, token: Token, now: i64) -> Ending {
        let ending = self.ending(delivery, Some(token), now);
        if matches!(self.state(delivery), Some(State::ClaimedUntil(_, holder)) if holder == token) {
            self.remove(delivery);
        }
        ending
    }

    fn ending(&self, delivery: &Delivery, token: Option<Token>, now: i64) -> Ending {
        match self.state(delivery) {
            Some(State::Completed) => Ending::Completed,
            Some(State::ClaimedUntil(end, _)) if now >= end => Ending::Free,
            Some(State::ClaimedUntil(_, holder)) if Some(holder) == token => Ending::Own,
            Some(State::ClaimedUntil(..)) => Ending::Held,
            None => Ending::Free,
        }
    }

    fn remove(&mut self, delivery: &Delivery) {
        let Some(second) = self.by_timestamp.get_mut(&delivery.timestamp) else {
            return;
        };
        second.deliveries.remove(&delivery.mac);
        self.entries -= 1;
        if second.deliveries.is_empty() {
            self.by_end.remove(&(second.forgotten_at, delivery.timestamp));
            self.by_timestamp.remove(&delivery.timestamp);
        }
    }

    fn state(&self, delivery: &Delivery) -> Option<State> {
        self.by_timestamp
            .get(&delivery.timestamp)?
            .deliveries
            .get(&delivery.mac)
            .copied()
    }

    fn put(&mut self, delivery: &Delivery, state: State, now: i64) {
        let life = now.saturating_add(lifetime(self.tolerance));
        let end = match state {
            // A lease may be longer: until it ends nobody else may have the delivery.
            State::ClaimedUntil(end, _) => life.max(end),
            State::Completed => life,
        };
        // In whole seconds, so that the deliveries of one second seldom move its end.
        let end = end
            .saturating_add(MILLISECONDS - 1)
            .div_euclid(MILLISECONDS)
            .saturating_mul(MILLISECONDS);
        let second = self.by_timestamp.entry(delivery.timestamp).or_default();
        if second.deliveries.insert(delivery.mac, state).is_none() {
            self.entries += 1;
        }
        if end > second.forgotten_at {
            self.by_end.remove(&(second.forgotten_at, delivery.timestamp));
            self.by_end.insert((end, delivery.timestamp));
            second.forgotten_at = end;
        }
    }

    fn purge(&mut self, now: i64, seconds: usize) {
        for _ in 0..seconds {
            match self.by_end.first() {
                Some(&(end, timestamp)) if end <= now => self.forget(timestamp),
                _ => return,
            }
        }
    }

    /// Forgets what was sent at `timestamp`, if that may be, however much else there is that may be forgotten first.
    fn forget_if_over(&mut self, timestamp: i64, now: i64) {
        if self
            .by_timestamp
            .get(&timestamp)
            .is_some_and(|second| second.forgotten_at <= now)
        {
            self.forget(timestamp);
        }
    }

    fn forget(&mut self, timestamp: i64) {
        if let Some(second) = self.by_timestamp.remove(&timestamp) {
            self.by_end.remove(&(second.forgotten_at, timestamp));
            self.entries -= second.deliveries.len();
        }
    }
}

#[cfg(test)]
mod tests;
