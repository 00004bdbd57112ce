//! Text to Unix seconds, and whether those seconds lie inside the window.
//!
//! There is no separator between body and timestamp in what Listrak signs, so a body `B` with the timestamp
//! `1700000000` and a body `B1` with `700000000` have one and the same MAC. The grammar here, exactly ten ASCII digits
//! of which the first is not zero, is what keeps a digit from moving from one to the other: it is part of the
//! verification, not a matter of taste.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many digits a timestamp has: Unix seconds from 2001 to 2286.
pub const DIGITS: usize = 10;

/// The first second that is written with ten digits (2001-09-09).
pub const FIRST: i64 = 1_000_000_000;

/// The last second that is written with ten digits (2286-11-20).
pub const LAST: i64 = 9_999_999_999;

/// Which side of the window a delivery fell off, and by how much the two clocks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideWindow {
    /// The sender's clock is `skew` seconds behind ours.
    Stale {
        /// Seconds between the two clocks, positive.
        skew: i64,
    },
    /// The sender's clock is `skew` seconds ahead of ours.
    Future {
        /// Seconds between the two clocks, positive.
        skew: i64,
    },
}

/// The Unix seconds in `text`, or `None` where it is anything but `[1-9][0-9]{9}`.
///
/// ```
/// # use _core::verify::timestamp::parse;
/// assert_eq!(parse(b"1700000000"), Some(1_700_000_000));
/// assert_eq!(parse(b" 1700000000"), None);
/// ```
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    if text.len() != DIGITS || text.first() == Some(&b'0') {
        return None;
    }
    text.iter().try_fold(0_i64, |seconds, byte| {
        byte.is_ascii_digit().then(|| seconds * 10 + i64::from(byte - b'0'))
    })
}

/// `seconds` as the header's text, or `None` where that does not take exactly ten digits.
#[must_use]
pub fn format(seconds: i64) -> Option<String> {
    (FIRST..=LAST).contains(&seconds).then(|| seconds.to_string())
}

/// Whether `timestamp` is at most `tolerance` seconds before or after `now`; the edges are inside.
///
/// # Errors
///
/// [`OutsideWindow`], with the distance.
pub fn check_window(timestamp: i64, now: i64, tolerance: i64) -> Result<(), OutsideWindow> {
    // `now` is the caller's and can be any number at all, hence saturating.
    let age = now.saturating_sub(timestamp);
    if age > tolerance {
        Err(OutsideWindow::Stale { skew: age })
    } else if age < -tolerance {
        Err(OutsideWindow::Future {
            skew: age.saturating_neg(),
        })
    } else {
        Ok(())
    }
}

/// The last second at which a delivery sent at `timestamp` is still inside the window.
#[must_use]
pub fn expires_at(timestamp: i64, tolerance: i64) -> i64 {
    timestamp.saturating_add(tolerance)
}

/// What [`FROZEN`] holds while the clock runs.
const RUNNING: i64 = i64::MIN;

/// The second at which the tests of a user have stopped the clock, or [`RUNNING`].
static FROZEN: AtomicI64 = AtomicI64::new(RUNNING);

/// By how many seconds a stopped clock was moved.
static MOVED: AtomicI64 = AtomicI64::new(0);

/// Stops the clock at `seconds`, moves a stopped one there, or lets it run again. For tests only.
pub fn freeze(seconds: Option<i64>) {
    let before = FROZEN.swap(seconds.unwrap_or(RUNNING), Ordering::Relaxed);
    match seconds {
        Some(seconds) if before != RUNNING => {
            MOVED.fetch_add(seconds.saturating_sub(before), Ordering::Relaxed);
        }
        _ => MOVED.store(0, Ordering::Relaxed),
    }
}

/// The second at which the clock is stopped, if it is.
#[must_use]
pub fn frozen() -> Option<i64> {
    let seconds = FROZEN.load(Ordering::Relaxed);
    (seconds != RUNNING).then_some(seconds)
}

/// By how many seconds a stopped clock was moved; 0 while it runs. It moves the clocks that nobody sets along.
#[must_use]
pub fn moved() -> i64 {
    MOVED.load(Ordering::Relaxed)
}

/// This machine's clock, in whole Unix seconds, rounded down; or the second at which a test has stopped it.
#[must_use]
pub fn system_now() -> i64 {
    if let Some(seconds) = frozen() {
        return seconds;
    }
    let seconds = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => seconds(since),
        // A clock before 1970: far outside every window, which is the right answer to give.
        Err(before) => -seconds(before.duration()) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ten_digits_are_seconds() {
        assert_eq!(parse(b"1000000000"), Some(FIRST));
        assert_eq!(parse(b"1700000000"), Some(1_700_000_000));
        assert_eq!(parse(b"9999999999"), Some(LAST));
    }

    #[test]
    fn everything_else_is_rejected() {
        let rejected: &[&[u8]] = &[
            b"",
            b"0",
            b"999999999",
            b"0999999999",
            b"10000000000",
            b"1700000000000",
            b" 1700000000",
            b"1700000000 ",
            b"1700000000\n",
            b" 170000000",
            b"+170000000",
            b"-170000000",
            b"+1700000000",
            b"1_70000000",
            b"17000000.0",
            b"1700000000.0",
            b"1e9",
            b"1.7e000009",
            b"0x65535400",
            b"nan",
            b"inf",
            b"-9223372036854775808",
            b"170000000\0",
            b"17000000\xd9\xa3",
            "١٧٠٠٠٠٠٠٠٠".as_bytes(),
            "1７0000000".as_bytes(),
        ];
        for text in rejected {
            assert_eq!(parse(text), None, "{}", text.escape_ascii());
        }
        assert_eq!(parse(&[b'1'; 5_000]), None);
    }

    #[test]
    fn the_window_includes_its_edges_both_ways() {
        let sent = 1_700_000_000;
        for now in [sent - 900, sent, sent + 900] {
            assert_eq!(check_window(sent, now, 900), Ok(()));
        }
        assert_eq!(
            check_window(sent, sent + 901, 900),
            Err(OutsideWindow::Stale { skew: 901 })
        );
        assert_eq!(
            check_window(sent, sent - 901, 900),
            Err(OutsideWindow::Future { skew: 901 })
        );
    }

    #[test]
    fn no_tolerance_means_the_same_second() {
        assert_eq!(check_window(FIRST, FIRST, 0), Ok(()));
        assert!(check_window(FIRST, FIRST + 1, 0).is_err());
        assert!(check_window(FIRST, FIRST - 1, 0).is_err());
    }

    #[test]
    fn an_absurd_clock_does_not_overflow() {
        assert!(matches!(
            check_window(LAST, i64::MIN, 900),
            Err(OutsideWindow::Future { skew }) if skew > 0
        ));
        assert!(matches!(
            check_window(FIRST, i64::MAX, 900),
            Err(OutsideWindow::Stale { skew }) if skew > 0
        ));
    }

    #[test]
    fn a_stopped_clock_stays_where_it_is_put_and_runs_again() {
        freeze(Some(FIRST));
        assert_eq!((system_now(), moved()), (FIRST, 0));
        freeze(Some(FIRST + 60));
        assert_eq!((system_now(), moved(), frozen()), (FIRST + 60, 60, Some(FIRST + 60)));
        freeze(None);
        assert_eq!((moved(), frozen()), (0, None));
        assert!(system_now() > FIRST + 60);
    }

    proptest! {
        #[test]
        fn format_and_parse_are_inverse(seconds in FIRST..=LAST) {
            let text = format(seconds).ok_or_else(|| TestCaseError::fail("ten digits"))?;
            prop_assert_eq!(parse(text.as_bytes()), Some(seconds));
        }

        #[test]
        fn only_ten_digits_parse(text in proptest::collection::vec(any::<u8>(), 0..14)) {
            let grammar = text.len() == 10
                && text.iter().all(u8::is_ascii_digit)
                && text.first() != Some(&b'0');
            prop_assert_eq!(parse(&text).is_some(), grammar);
        }

        #[test]
        fn the_window_is_a_distance(sent in FIRST..=LAST, now in any::<i64>(), tolerance in 0..31_536_000_i64) {
            let inside = now.abs_diff(sent) <= tolerance.unsigned_abs();
            prop_assert_eq!(check_window(sent, now, tolerance).is_ok(), inside);
        }
    }
}
