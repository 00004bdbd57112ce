//! Which deliveries are being handled and which have been: the memory of a replay guard, as plain data.
//!
//! A delivery is absent, claimed by one holder until its lease ends, or completed. Nothing here knows the time: `now` is
//! an argument, in Unix milliseconds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use crate::signature::MAC_LEN;

/// How long, in seconds, a delivery is remembered beyond the last second at which it can pass the time window: the time
/// that may go by between the verdict, which reads the clock, and the claim, which reads it again.
pub const MARGIN: i64 = 60;

/// How many seconds' worth of entries one claim forgets at most, so that none has to pay for a quiet night.
const PURGED_AT_ONCE: usize = 4;

/// What a store needs to know of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    /// Its identity.
    pub mac: [u8; MAC_LEN],
    /// When it was sent, in Unix seconds: of one MAC there is one timestamp.
    pub timestamp: i64,
    /// The last second at which it can pass the time window.
    pub expires_at: i64,
}

impl Delivery {
    /// The first millisecond at which it may be forgotten.
    const fn forgotten_at(&self) -> i64 {
        self.expires_at.saturating_add(1 + MARGIN).saturating_mul(1000)
    }
}

/// Whoever holds a claim; no two claims of a store have the same.
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

#[derive(Debug, Clone, Copy)]
enum State {
    /// In Unix milliseconds, exclusive.
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
#[derive(Debug, Default)]
struct Second {
    deliveries: HashMap<[u8; MAC_LEN], State, BuildHasherDefault<FirstBytes>>,
    forgotten_at: i64,
}

/// A bounded memory of deliveries, which never forgets one that could still pass the time window.
#[derive(Debug)]
pub struct Store {
    max_entries: usize,
    entries: usize,
    last_token: u64,
    by_timestamp: BTreeMap<i64, Second>,
    /// The same seconds in the order in which they are forgotten; with one tolerance that is the same order.
    by_end: BTreeSet<(i64, i64)>,
}

impl Store {
    /// An empty store for at most `max_entries` deliveries.
    #[must_use]
    pub const fn new(max_entries: usize) -> Self {
        Self {
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
        self.purge(now, PURGED_AT_ONCE);
        self.forget_if_over(delivery.timestamp, now);
        let known = self.state(delivery);
        match known {
            Some(State::Completed) => return Verdict::Completed,
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
        let end = now.saturating_add(lease);
        // A lease may end after the time window: until then nobody else may have the delivery.
        self.put(
            delivery,
            State::ClaimedUntil(end, token),
            delivery.forgotten_at().max(end),
        );
        Verdict::Claimed(token)
    }

    /// Remembers that `delivery` was handled, whoever holds the claim by now: the work was done.
    ///
    /// Returns false where there is no room to remember it. That cannot be for one that was claimed here.
    pub fn complete(&mut self, delivery: &Delivery, now: i64) -> bool {
        if self.state(delivery).is_none() {
            if delivery.forgotten_at() <= now {
                return true;
            }
            if self.entries >= self.max_entries {
                return false;
            }
        }
        self.put(delivery, State::Completed, delivery.forgotten_at());
        true
    }

    /// Gives a claim back, if `token` still holds it.
    pub fn release(&mut self, delivery: &Delivery, token: Token) {
        if !matches!(self.state(delivery), Some(State::ClaimedUntil(_, holder)) if holder == token) {
            return;
        }
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

    fn put(&mut self, delivery: &Delivery, state: State, forgotten_at: i64) {
        let second = self.by_timestamp.entry(delivery.timestamp).or_default();
        if second.deliveries.insert(delivery.mac, state).is_none() {
            self.entries += 1;
        }
        if forgotten_at > second.forgotten_at {
            self.by_end.remove(&(second.forgotten_at, delivery.timestamp));
            self.by_end.insert((forgotten_at, delivery.timestamp));
            second.forgotten_at = forgotten_at;
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENT: i64 = 1_700_000_000;
    const LEASE: i64 = 60_000;
    const NOW: i64 = SENT * 1000;

    fn delivery(number: u8) -> Delivery {
        Delivery {
            mac: [number; MAC_LEN],
            timestamp: SENT,
            expires_at: SENT + 900,
        }
    }

    fn token(verdict: Verdict) -> Token {
        let Verdict::Claimed(token) = verdict else {
            unreachable!("{verdict:?}");
        };
        token
    }

    #[test]
    fn a_delivery_is_claimed_once_and_completed_for_good() {
        let mut store = Store::new(10);
        token(store.claim(&delivery(1), LEASE, NOW));
        assert_eq!(store.claim(&delivery(1), LEASE, NOW), Verdict::Held);
        assert!(store.complete(&delivery(1), NOW));
        assert_eq!(store.claim(&delivery(1), LEASE, NOW), Verdict::Completed);
        token(store.claim(&delivery(2), LEASE, NOW));
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn a_released_claim_is_free_again_and_leaves_nothing() {
        let mut store = Store::new(1);
        let held = token(store.claim(&delivery(1), LEASE, NOW));
        store.release(&delivery(1), held);
        assert!(store.is_empty() && store.by_end.is_empty() && store.by_timestamp.is_empty());
        token(store.claim(&delivery(2), LEASE, NOW));
    }

    #[test]
    fn a_claim_lapses_when_its_lease_ends_and_not_before() {
        let mut store = Store::new(1);
        let first = token(store.claim(&delivery(1), LEASE, NOW));
        assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE - 1), Verdict::Held);
        let second = token(store.claim(&delivery(1), LEASE, NOW + LEASE));
        store.release(&delivery(1), first);
        assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE), Verdict::Held);
        assert!(store.complete(&delivery(1), NOW + LEASE));
        store.release(&delivery(1), second);
        assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE), Verdict::Completed);
    }

    #[test]
    fn an_entry_outlives_the_window_by_the_margin() {
        let mut store = Store::new(1);
        token(store.claim(&delivery(1), LEASE, NOW));
        assert!(store.complete(&delivery(1), NOW));
        let end = (SENT + 900 + 1 + MARGIN) * 1000;
        assert_eq!(store.claim(&delivery(1), LEASE, end - 1), Verdict::Completed);
        assert_eq!(store.claim(&delivery(2), LEASE, end - 1), Verdict::Full);
        token(store.claim(&delivery(1), LEASE, end));
    }

    #[test]
    fn a_lease_that_ends_after_the_window_is_kept() {
        let mut store = Store::new(1);
        let late = (SENT + 900 + MARGIN) * 1000;
        token(store.claim(&delivery(1), 10 * LEASE, late));
        assert_eq!(store.claim(&delivery(1), LEASE, late + 10 * LEASE - 1), Verdict::Held);
        token(store.claim(&delivery(1), LEASE, late + 10 * LEASE));
    }

    #[test]
    fn what_is_kept_long_does_not_keep_what_comes_after_it() {
        let mut store = Store::new(2);
        let long = Delivery {
            expires_at: SENT + 1_000_000,
            ..delivery(1)
        };
        let short = Delivery {
            timestamp: SENT + 1,
            ..delivery(2)
        };
        token(store.claim(&long, LEASE, NOW));
        token(store.claim(&short, LEASE, NOW));
        token(store.claim(&delivery(3), LEASE, NOW + 2_000_000));
        assert!(store.complete(&long, NOW));
        assert_eq!(store.claim(&long, LEASE, NOW + 2_000_000), Verdict::Completed);
    }

    #[test]
    fn a_delivery_is_the_same_under_another_tolerance() {
        let mut store = Store::new(2);
        token(store.claim(&delivery(1), LEASE, NOW));
        let longer = Delivery {
            expires_at: SENT + 9000,
            ..delivery(1)
        };
        assert_eq!(store.claim(&longer, LEASE, NOW), Verdict::Held);
    }

    #[test]
    fn what_is_over_is_forgotten_however_much_else_is() {
        let mut store = Store::new(100);
        let at = |second: u8| Delivery {
            timestamp: SENT + i64::from(second),
            ..delivery(second)
        };
        for second in 0..50 {
            assert!(store.complete(&at(second), NOW));
        }
        token(store.claim(&at(49), LEASE, NOW + 2_000_000));
        assert_eq!(store.by_end.len(), store.by_timestamp.len());
    }

    #[test]
    fn an_absurd_clock_does_not_overflow() {
        let mut store = Store::new(2);
        for now in [i64::MIN, 0, i64::MAX] {
            token(store.claim(&delivery(1), i64::MAX, now));
            store = Store::new(2);
        }
    }

    /// The same promises without any index: a list that is searched from end to end.
    #[derive(Default)]
    struct Naive(Vec<Known>);

    /// Which delivery, when it may be forgotten, and its claim, while it has one.
    type Known = (u8, i64, Option<(i64, Token)>);

    impl Naive {
        fn forget(&mut self, now: i64) {
            self.0.retain(|&(_, end, _)| now < end);
        }

        fn find(&mut self, number: u8) -> Option<&mut Known> {
            self.0.iter_mut().find(|(known, ..)| *known == number)
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Claim(u8, i64),
        Complete(u8),
        Release(u8, prop::sample::Index),
        Wait(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..12_u8, prop_oneof![Just(LEASE), 1..5_000_000_i64])
                .prop_map(|(number, lease)| Step::Claim(number, lease)),
            (0..12_u8).prop_map(Step::Complete),
            (0..12_u8, any::<prop::sample::Index>()).prop_map(|(number, which)| Step::Release(number, which)),
            prop_oneof![0..1000_i64, Just(LEASE), 0..600_000_i64].prop_map(Step::Wait),
        ]
    }

    proptest! {
        // Each delivery has a second of its own here, because those of one second are forgotten together.
        #[test]
        fn it_does_what_a_list_would_do(steps in proptest::collection::vec(step(), 0..120)) {
            const ROOM: usize = 6;
            let mut store = Store::new(ROOM);
            let mut naive = Naive::default();
            let mut tokens: Vec<Token> = Vec::new();
            let mut now = NOW;
            for step in steps {
                match step {
                    Step::Wait(span) => now += span,
                    Step::Claim(number, lease) => {
                        let delivery = Delivery {
                            timestamp: SENT + i64::from(number),
                            expires_at: SENT + i64::from(number) * 100,
                            ..delivery(number)
                        };
                        let verdict = store.claim(&delivery, lease, now);
                        naive.forget(now);
                        let end = delivery.forgotten_at().max(now + lease);
                        let full = naive.0.len() >= ROOM;
                        match naive.find(number) {
                            Some((.., None)) => prop_assert_eq!(verdict, Verdict::Completed),
                            Some((.., Some((until, _)))) if now < *until => prop_assert_eq!(verdict, Verdict::Held),
                            Some((_, kept, claim)) => {
                                let token = token(verdict);
                                prop_assert!(!tokens.contains(&token));
                                tokens.push(token);
                                *kept = end.max(*kept);
                                *claim = Some((now + lease, token));
                            }
                            None if full => prop_assert_eq!(verdict, Verdict::Full),
                            None => {
                                let token = token(verdict);
                                prop_assert!(!tokens.contains(&token));
                                tokens.push(token);
                                naive.0.push((number, end, Some((now + lease, token))));
                            }
                        }
                    }
                    Step::Complete(number) => {
                        let delivery = Delivery {
                            timestamp: SENT + i64::from(number),
                            expires_at: SENT + i64::from(number) * 100,
                            ..delivery(number)
                        };
                        // What may be forgotten need not have been: both are asked to forget first.
                        store.purge(now, usize::MAX);
                        naive.forget(now);
                        let room = naive.0.len() < ROOM;
                        let saved = store.complete(&delivery, now);
                        if let Some((_, kept, claim)) = naive.find(number) {
                            prop_assert!(saved);
                            *kept = delivery.forgotten_at().max(*kept);
                            *claim = None;
                        } else if delivery.forgotten_at() > now {
                            prop_assert_eq!(saved, room);
                            if room {
                                naive.0.push((number, delivery.forgotten_at(), None));
                            }
                        }
                    }
                    Step::Release(number, which) => {
                        if tokens.is_empty() {
                            continue;
                        }
                        let token = *which.get(&tokens);
                        let delivery = Delivery {
                            timestamp: SENT + i64::from(number),
                            ..delivery(number)
                        };
                        store.release(&delivery, token);
                        naive.0.retain(|(known, _, claim)| {
                            *known != number || !matches!(claim, Some((_, holder)) if *holder == token)
                        });
                    }
                }
                let counted: usize = store.by_timestamp.values().map(|second| second.deliveries.len()).sum();
                prop_assert_eq!(store.len(), counted);
                prop_assert_eq!(store.by_end.len(), store.by_timestamp.len());
                prop_assert!(store.len() <= ROOM);
            }
        }
    }
}
