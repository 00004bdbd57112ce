//! Numbers as the text that says them, and how large they may be.

/// The most digits of a number that a view hands out, without leading zeros.
///
/// Beyond any id, amount or quantity; and what a handler does with such a number next (`int(quantity)`, `str(total)`)
/// costs next to nothing. Of a number without a limit it can take hours.
pub const MAX_DIGITS: usize = 64;

/// The largest power of ten, up or down, of a number's first digit.
pub const MAX_EXPONENT: i64 = 400;

/// As long as a number within both limits can be that has no needless leading zeros.
pub const MAX_LENGTH: usize = 512;

/// The largest number that is written out as text: beyond it a double is not an exact integer.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// `number` without an exponent and without a needless `.0`, as an id or a size that somebody wrote as a number;
/// `None` if that would not be a sensible text.
///
/// ```
/// # use _core::payload::number::of_float;
/// assert_eq!(of_float(15_558_675_309.0).as_deref(), Some("15558675309"));
/// assert_eq!(of_float(8.5).as_deref(), Some("8.5"));
/// assert_eq!(of_float(1e300), None);
/// ```
#[must_use]
pub fn of_float(number: f64) -> Option<String> {
    if number == 0.0 {
        return Some("0".to_owned());
    }
    (1e-6..=LARGEST).contains(&number.abs()).then(|| number.to_string())
}

/// Whether `text` is `[+-]?digits[.digits]`, which is what counts as a number in a string, and within the limits.
///
/// ```
/// # use _core::payload::number::is_numeric_text;
/// assert!(is_numeric_text("1.0000"));
/// assert!(!is_numeric_text("1_000"));
/// assert!(!is_numeric_text("1e5"));
/// ```
#[must_use]
pub fn is_numeric_text(text: &str) -> bool {
    if text.len() > MAX_LENGTH {
        return false;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction) && is_within_limits(text)
}

/// Whether `number`, the text of a number with or without an exponent, is within both limits.
///
/// ```
/// # use _core::payload::number::is_within_limits;
/// assert!(is_within_limits("-1.5e300"));
/// assert!(!is_within_limits("1e999999999"));
/// ```
#[must_use]
pub fn is_within_limits(number: &str) -> bool {
    if number.len() > MAX_LENGTH {
        return false;
    }
    let unsigned = number.strip_prefix(['+', '-']).unwrap_or(number);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let fraction = mantissa.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = mantissa
        .bytes()
        .filter(|byte| *byte != b'.')
        .skip_while(|byte| *byte == b'0')
        .count();
    // An exponent that is not even an `i64` is far out; so are the lengths far within one.
    let Ok(exponent) = exponent.parse::<i64>() else {
        return false;
    };
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let of_first_digit = exponent
        .saturating_sub(length(fraction.len()))
        .saturating_add(length(digits.max(1)) - 1);
    digits <= MAX_DIGITS && (-MAX_EXPONENT..=MAX_EXPONENT).contains(&of_first_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_digits_counts_from_the_first_that_is_not_zero() {
        for (within, beyond) in [
            ("9".repeat(64), "9".repeat(65)),
            (format!("-{}", "9".repeat(64)), format!("-{}", "9".repeat(65))),
            (format!("1.{}", "0".repeat(63)), format!("1.{}", "0".repeat(64))),
            (format!("0.00{}", "7".repeat(64)), format!("0.00{}", "7".repeat(65))),
            (format!("{}1", "0".repeat(100)), format!("{}1", "0".repeat(600))),
        ] {
            assert!(is_within_limits(&within), "{within}");
            assert!(is_numeric_text(&within), "{within}");
            assert!(!is_within_limits(&beyond), "{beyond}");
            assert!(!is_numeric_text(&beyond), "{beyond}");
        }
    }

    #[test]
    fn the_limit_of_the_exponent_is_that_of_the_first_digit() {
        for within in [
            "1e400",
            "9.99E+400",
            "1e-400",
            "10e399",
            "0.1e401",
            "0e400",
            "-1e0400",
            "100.5e-402",
        ] {
            assert!(is_within_limits(within), "{within}");
        }
        for beyond in [
            "1e401",
            "10e400",
            "0.1e402",
            "1e-401",
            "0.1e-400",
            "0e401",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "1e9223372036854775807",
            "0.1e-9223372036854775808",
        ] {
            assert!(!is_within_limits(beyond), "{beyond}");
        }
        let small = |zeros: usize| format!("0.{}1", "0".repeat(zeros));
        assert!(is_numeric_text(&small(399)));
        assert!(!is_numeric_text(&small(400)));
    }

    #[test]
    fn numeric_text_has_digits_and_at_most_one_sign_and_one_point() {
        for text in ["0", "5", "+5", "-5.50", "007", "0.0"] {
            assert!(is_numeric_text(text), "{text}");
        }
        for text in [
            "", "+", "-", ".", "5.", ".5", "1e5", "1_000", "$5", " 5", "5 ", "--5", "1.2.3", "٥", "NaN", "0x5",
        ] {
            assert!(!is_numeric_text(text), "{text}");
        }
    }
}
