//! Numbers as the text that stands for them.

/// The largest number that is written out: beyond it a double is no exact integer, and a longer one is no id.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// `number` without an exponent and without a needless `.0`, as an id or a size that somebody wrote as a number;
/// `None` where that would be no sensible text.
///
/// ```
/// # use _core::payload::text::of_float;
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

/// Whether `text` is `[+-]?digits[.digits]`: what counts as a number in a string.
///
/// ```
/// # use _core::payload::text::is_number;
/// assert!(is_number("1.0000"));
/// assert!(!is_number("1_000"));
/// ```
#[must_use]
pub fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}
