use super::*;
use proptest::prelude::*;

const SENT: i64 = 1_700_000_000;
const TOLERANCE: i64 = 900;
const LEASE: i64 = 60_000;
const LIFE: i64 = lifetime(TOLERANCE);
const NOW: i64 = 5000;

fn delivery(number: u8) -> Delivery {
    Delivery {
        mac: [number; MAC_LEN],
        timestamp: SENT,
        tolerance: TOLERANCE,
    }
}

fn store(max_entries: usize) -> Store {
    Store::new(max_entries, TOLERANCE)
}

fn token(verdict: Verdict) -> Token {
    let Verdict::Claimed(token) = verdict else {
        unreachable!("{verdict:?}");
    };
    token
}

#[test]
fn a_delivery_is_claimed_once_and_completed_for_good() {
    let mut store = store(10);
    let held = token(store.claim(&delivery(1), LEASE, NOW));
    assert_eq!(store.claim(&delivery(1), LEASE, NOW), Verdict::Held);
    assert_eq!(store.complete(&delivery(1), Some(held), NOW), Ending::Own);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW), Verdict::Completed);
    token(store.claim(&delivery(2), LEASE, NOW));
    assert_eq!(store.len(), 2);
}

#[test]
fn a_released_claim_is_free_again_and_leaves_nothing() {
    let mut store = store(1);
    let held = token(store.claim(&delivery(1), LEASE, NOW));
    assert_eq!(store.release(&delivery(1), held, NOW), Ending::Own);
    assert!(store.is_empty() && store.by_end.is_empty() && store.by_timestamp.is_empty());
    token(store.claim(&delivery(2), LEASE, NOW));
}

#[test]
fn a_claim_lapses_when_its_lease_ends_and_not_before() {
    let mut store = store(1);
    token(store.claim(&delivery(1), LEASE, NOW));
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE - 1), Verdict::Held);
    token(store.claim(&delivery(1), LEASE, NOW + LEASE));
}

#[test]
fn a_claim_that_was_lost_neither_completes_nor_releases_the_others() {
    let mut store = store(1);
    let first = token(store.claim(&delivery(1), LEASE, NOW));
    let second = token(store.claim(&delivery(1), LEASE, NOW + LEASE));
    assert_eq!(store.release(&delivery(1), first, NOW + LEASE), Ending::Held);
    assert_eq!(store.complete(&delivery(1), Some(first), NOW + LEASE), Ending::Held);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE), Verdict::Held);
    assert_eq!(store.complete(&delivery(1), Some(second), NOW + LEASE), Ending::Own);
    assert_eq!(
        store.complete(&delivery(1), Some(first), NOW + LEASE),
        Ending::Completed
    );
    assert_eq!(store.release(&delivery(1), first, NOW + LEASE), Ending::Completed);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE), Verdict::Completed);
}

#[test]
fn a_late_completion_counts_if_nobody_has_the_delivery() {
    let mut store = store(1);
    // Nobody has taken it.
    let first = token(store.claim(&delivery(1), LEASE, NOW));
    assert_eq!(store.complete(&delivery(1), Some(first), NOW + LEASE), Ending::Free);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE), Verdict::Completed);
    // Another took it and gave it back.
    let mut store = self::store(1);
    let first = token(store.claim(&delivery(1), LEASE, NOW));
    let second = token(store.claim(&delivery(1), LEASE, NOW + LEASE));
    assert_eq!(store.release(&delivery(1), second, NOW + LEASE), Ending::Own);
    assert_eq!(store.complete(&delivery(1), Some(first), NOW + LEASE), Ending::Free);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LEASE), Verdict::Completed);
    // Another took it, and was too slow as well.
    let mut store = self::store(1);
    let first = token(store.claim(&delivery(1), LEASE, NOW));
    token(store.claim(&delivery(1), LEASE, NOW + LEASE));
    assert_eq!(store.complete(&delivery(1), Some(first), NOW + 2 * LEASE), Ending::Free);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + 2 * LEASE), Verdict::Completed);
}

#[test]
fn a_late_release_of_what_nobody_has_leaves_nothing() {
    let mut store = store(1);
    let held = token(store.claim(&delivery(1), LEASE, NOW));
    assert_eq!(store.release(&delivery(1), held, NOW + LEASE), Ending::Free);
    assert!(store.is_empty());
    assert_eq!(store.release(&delivery(1), held, NOW + LEASE), Ending::Free);
}

#[test]
fn without_a_claim_a_completion_takes_what_room_there_is() {
    let mut store = store(1);
    token(store.claim(&delivery(1), LEASE, NOW));
    assert_eq!(store.complete(&delivery(1), None, NOW), Ending::Held);
    assert_eq!(store.complete(&delivery(2), None, NOW), Ending::Full);
    let mut store = self::store(1);
    assert_eq!(store.complete(&delivery(2), None, NOW), Ending::Free);
    assert_eq!(store.claim(&delivery(2), LEASE, NOW), Verdict::Completed);
}

#[test]
fn an_entry_lives_for_twice_the_tolerance_and_the_margin() {
    let mut store = store(1);
    let held = token(store.claim(&delivery(1), LEASE, NOW));
    store.complete(&delivery(1), Some(held), NOW);
    let end = NOW + (2 * TOLERANCE + MARGIN) * 1000;
    assert_eq!(store.claim(&delivery(2), LEASE, end - 1), Verdict::Full);
    token(store.claim(&delivery(1), LEASE, end));
}

#[test]
fn an_entry_that_is_asked_for_lives_anew() {
    let mut store = store(1);
    store.complete(&delivery(1), None, NOW);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LIFE - 1), Verdict::Completed);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + 2 * LIFE - 2), Verdict::Completed);
}

#[test]
fn an_entry_lives_as_long_as_the_longest_tolerance_asks_for() {
    let mut store = store(2);
    let shorter = Delivery {
        tolerance: 1,
        ..delivery(1)
    };
    store.complete(&shorter, None, NOW);
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LIFE - 1), Verdict::Completed);
    let longer = Delivery {
        tolerance: 5 * TOLERANCE,
        ..delivery(2)
    };
    token(store.claim(&longer, LEASE, NOW));
    store.complete(&delivery(2), None, NOW + LEASE);
    let end = NOW + LEASE + lifetime(5 * TOLERANCE);
    assert_eq!(store.claim(&longer, LEASE, end - 1), Verdict::Completed);
}

#[test]
fn a_lease_that_is_longer_than_the_life_is_kept() {
    let mut store = store(1);
    token(store.claim(&delivery(1), 2 * LIFE, NOW));
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + 2 * LIFE - 1), Verdict::Held);
    token(store.claim(&delivery(1), LEASE, NOW + 2 * LIFE));
}

#[test]
fn what_is_kept_long_does_not_keep_what_comes_after_it() {
    let mut store = store(2);
    let later = Delivery {
        timestamp: SENT + 1,
        ..delivery(2)
    };
    token(store.claim(&delivery(1), 10 * LIFE, NOW));
    token(store.claim(&later, LEASE, NOW));
    token(store.claim(&delivery(3), LEASE, NOW + LIFE));
    assert_eq!(store.claim(&delivery(1), LEASE, NOW + LIFE), Verdict::Held);
}

#[test]
fn what_is_over_is_forgotten_however_much_else_is() {
    let mut store = store(100);
    let at = |second: u8| Delivery {
        timestamp: SENT + i64::from(second),
        ..delivery(second)
    };
    for second in 0..50 {
        assert_eq!(store.complete(&at(second), None, NOW), Ending::Free);
    }
    token(store.claim(&at(49), LEASE, NOW + LIFE));
    assert_eq!(store.by_end.len(), store.by_timestamp.len());
}

#[test]
fn an_absurd_clock_does_not_overflow() {
    for now in [i64::MIN, -1, 0, i64::MAX] {
        let mut store = store(2);
        let held = token(store.claim(&delivery(1), i64::MAX, now));
        store.complete(&delivery(1), Some(held), now);
        assert_eq!(store.by_end.len(), store.by_timestamp.len());
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

    fn put(&mut self, number: u8, end: i64, claim: Option<(i64, Token)>) {
        let end = (end + 999) / 1000 * 1000;
        match self.find(number) {
            Some(known) => *known = (number, end.max(known.1), claim),
            None => self.0.push((number, end, claim)),
        }
    }

    fn ending(&mut self, number: u8, token: Option<Token>, now: i64) -> Ending {
        match self.find(number) {
            None => Ending::Free,
            Some((.., None)) => Ending::Completed,
            Some((.., Some((until, _)))) if now >= *until => Ending::Free,
            Some((.., Some((_, holder)))) if Some(*holder) == token => Ending::Own,
            Some(_) => Ending::Held,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Claim(u8, i64),
    Complete(u8, Option<prop::sample::Index>),
    Release(u8, prop::sample::Index),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..12_u8, prop_oneof![Just(LEASE), 1..5_000_000_i64]).prop_map(|(number, lease)| Step::Claim(number, lease)),
        (0..12_u8, any::<Option<prop::sample::Index>>()).prop_map(|(number, which)| Step::Complete(number, which)),
        (0..12_u8, any::<prop::sample::Index>()).prop_map(|(number, which)| Step::Release(number, which)),
        prop_oneof![0..1000_i64, Just(LEASE), 0..1_200_000_i64].prop_map(Step::Wait),
    ]
}

proptest! {
    // Each delivery has a second of its own here, because those of one second are forgotten together.
    #[test]
    fn it_does_what_a_list_would_do(steps in proptest::collection::vec(step(), 0..120)) {
        const ROOM: usize = 6;
        let mut store = store(ROOM);
        let mut naive = Naive::default();
        let mut tokens: Vec<Token> = Vec::new();
        let mut now = NOW;
        let at = |number: u8| Delivery {
            timestamp: SENT + i64::from(number),
            ..delivery(number)
        };
        for step in steps {
            match step {
                Step::Wait(span) => now += span,
                Step::Claim(number, lease) => {
                    let verdict = store.claim(&at(number), lease, now);
                    naive.forget(now);
                    let full = naive.0.len() >= ROOM;
                    match naive.find(number) {
                        Some((.., None)) => {
                            prop_assert_eq!(verdict, Verdict::Completed);
                            naive.put(number, now + LIFE, None);
                        }
                        Some((.., Some((until, _)))) if now < *until => prop_assert_eq!(verdict, Verdict::Held),
                        None if full => prop_assert_eq!(verdict, Verdict::Full),
                        _ => {
                            let token = token(verdict);
                            prop_assert!(!tokens.contains(&token));
                            tokens.push(token);
                            naive.put(number, (now + LIFE).max(now + lease), Some((now + lease, token)));
                        }
                    }
                }
                Step::Complete(number, which) => {
                    // What may be forgotten need not have been: both are asked to forget first.
                    store.purge(now, usize::MAX);
                    naive.forget(now);
                    let token = which.filter(|_| !tokens.is_empty()).map(|which| *which.get(&tokens));
                    let full = naive.0.len() >= ROOM && naive.find(number).is_none();
                    let expected = if full { Ending::Full } else { naive.ending(number, token, now) };
                    prop_assert_eq!(store.complete(&at(number), token, now), expected);
                    if matches!(expected, Ending::Own | Ending::Free) {
                        naive.put(number, now + LIFE, None);
                    }
                }
                Step::Release(number, which) => {
                    if tokens.is_empty() {
                        continue;
                    }
                    let token = *which.get(&tokens);
                    store.purge(now, usize::MAX);
                    naive.forget(now);
                    let expected = naive.ending(number, Some(token), now);
                    prop_assert_eq!(store.release(&at(number), token, now), expected);
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
