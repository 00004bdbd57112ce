//! What a body may be like for the fast ways over it; Python's own `json` decides on what is not.

use super::number;

/// How deep a body may nest: the outermost object is the first level, and every value within, a number or a string
/// too, is one deeper than what holds it.
pub const MAX_DEPTH: usize = 201;

/// CPython's own default limit for integers, kept whatever the process has set.
pub const MAX_INT_DIGITS: usize = 4300;

/// How many values JSON in a string may have to be opened, counted by what is between and around them.
pub const MAX_OPENED: usize = 5_000;

/// The same if there are integers beyond 64 bits, each of which takes longer than ten others.
pub const MAX_OPENED_WIDE: usize = 500;

/// Whether `body`, if it is JSON, is within both limits. Digits in strings count too: what is only taken for a long
/// number goes the slower way, and comes out right there.
#[must_use]
pub fn is_ordinary(body: &[u8]) -> bool {
    !has_long_digits(body, MAX_INT_DIGITS) && is_shallow(body)
}

/// Whether more than `most` digits are in a row.
fn has_long_digits(body: &[u8], most: usize) -> bool {
    let digits = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| byte.is_ascii_digit()).count();
    // Such a row covers one of these places, so no other needs to be looked at.
    (most..body.len()).step_by(most).any(|place| {
        let (before, after) = body.split_at_checked(place).unwrap_or_default();
        digits(&mut before.iter().rev()) + digits(&mut after.iter()) > most
    })
}

fn count_of_brackets(body: &[u8]) -> usize {
    // Both are one byte but for the bit 0x20.
    count(body, |byte| byte | 0x20 == b'{')
}

/// Whether `text`, which may be JSON in a string, is more than is worth opening: in a body it is one string, which costs
/// next to nothing, and opened it can be a million objects. What is in strings within it counts too.
#[must_use]
pub fn is_too_much_to_open(text: &str) -> bool {
    const DIGITS_OF_64_BITS: usize = 18;
    let bytes = text.as_bytes();
    let most = if has_long_digits(bytes, DIGITS_OF_64_BITS) {
        MAX_OPENED_WIDE
    } else {
        MAX_OPENED
    };
    let values = count(bytes, |byte| byte | 0x20 == b'{' || byte == b',' || byte == b':');
    values > most || has_long_digits(bytes, number::MAX_DIGITS)
}

fn count(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> usize {
    // In pieces whose count fits a byte, of which the compiler makes vector instructions.
    let count = |piece: &[u8]| {
        let found = piece.iter().map(|byte| u8::from(is_one(*byte)));
        usize::from(found.fold(0, u8::wrapping_add))
    };
    bytes.chunks(usize::from(u8::MAX)).map(count).sum()
}

/// Whether no value in `body`, which may be no JSON at all, lies deeper than [`MAX_DEPTH`].
#[must_use]
pub fn is_shallow(body: &[u8]) -> bool {
    if count_of_brackets(body) < MAX_DEPTH {
        return true;
    }
    let mut depth = 0_usize;
    let mut rest = body;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            // Anything else at the last level is a value, or the key of one, below it.
            _ if depth >= MAX_DEPTH => return false,
            b'{' | b'[' => depth += 1,
            b'"' => rest = behind_string(behind),
            _ => {}
        }
    }
    true
}

/// The numbers in `text`, which is JSON, each with the place where its digits start. A minus in front is left out.
pub fn numbers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        while let Some((&byte, behind)) = rest.split_first() {
            match byte {
                b'"' => rest = behind_string(behind),
                b'0'..=b'9' => {
                    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                    let start = text.len() - rest.len();
                    let length = 1 + behind.iter().take_while(|byte| is_part(byte)).count();
                    rest = rest.get(length..).unwrap_or_default();
                    return text.get(start..start + length).map(|number| (start, number));
                }
                _ => rest = behind,
            }
        }
        None
    })
}

/// Those of them that have a point or an exponent, and so are floats.
pub fn floats(text: &str) -> impl Iterator<Item = (usize, &str)> {
    numbers(text).filter(|(_, number)| is_float(number))
}

/// Whether `number` has a point or an exponent.
#[must_use]
pub fn is_float(number: &str) -> bool {
    number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

/// Whether a double, as Python writes it, says exactly what `float` does: up to 15 digits survive the way through one.
#[must_use]
pub fn is_exact_in_a_double(float: &str) -> bool {
    const DIGITS: usize = 15;
    // One byte is the point.
    float.len() - 1 <= DIGITS && !float.bytes().any(|byte| matches!(byte, b'e' | b'E'))
}

/// How many digits the longest integer in `text`, which is JSON, has, if any has more than `least`, else 0; and the place
/// behind the first that has more than [`MAX_INT_DIGITS`], else the end.
#[must_use]
pub fn longest_integer(text: &str, least: usize) -> (usize, usize) {
    let mut longest = 0;
    if has_long_digits(text.as_bytes(), least) {
        for (start, number) in numbers(text).filter(|(_, number)| !is_float(number)) {
            longest = longest.max(number.len());
            if longest > MAX_INT_DIGITS {
                return (longest, start + number.len());
            }
        }
    }
    (longest, text.len())
}

/// The most digits of an integer that is less than the largest double.
const MAX_DOUBLE_DIGITS: usize = 308;

/// Whether `text`, which is JSON, has what `serde_json` is sure to stop at, as far as that is told quickly.
#[must_use]
pub fn is_odd(text: &str) -> bool {
    has_lone_surrogate(text) || has_long_digits(text.as_bytes(), MAX_DOUBLE_DIGITS)
}

/// Whether `text`, which is JSON, has half a pair of surrogates in an escape, which a Rust string cannot hold.
#[must_use]
pub fn has_lone_surrogate(text: &str) -> bool {
    let unit = |escape: &[u8]| match escape {
        [b'u', digits @ ..] => u16::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok(),
        _ => None,
    };
    let mut rest = text.as_bytes();
    while let Some(place) = memchr::memchr(b'\\', rest) {
        rest = rest.get(place + 1..).unwrap_or_default();
        let second = rest.get(5..).and_then(|behind| unit(behind.strip_prefix(b"\\")?));
        let length = match unit(rest) {
            Some(0xd800..=0xdbff) if matches!(second, Some(0xdc00..=0xdfff)) => 11,
            Some(0xd800..=0xdfff) => return true,
            Some(_) => 5,
            None => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// What is left of `rest`, which starts within a string, behind the string's end.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(end) = memchr::memchr2(b'"', b'\\', rest) {
        let (_, found) = rest.split_at_checked(end).unwrap_or_default();
        let is_escape = found.first() == Some(&b'\\');
        rest = found.get(1 + usize::from(is_escape)..).unwrap_or_default();
        if !is_escape {
            return rest;
        }
    }
    &[]
}

/// Whether `serde_json` may have made `number` of an integer: it has no wider ones than 64 bits, and no `-0`.
#[must_use]
pub fn may_have_been_an_integer(number: f64) -> bool {
    // Below both -2^63 and 2^64 in size, so what is beyond is a float by notation or an integer that was rounded.
    const LEAST: f64 = 9_223_372_036_854_775_808.0;
    number.abs() >= LEAST || (number == 0.0 && number.is_sign_negative())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_integer_of_thousands_of_digits_is_long() {
        for (digits, before) in [
            (4300, 1),
            (4301, 1),
            (4300, 4299),
            (4301, 4299),
            (4301, 4300),
            (9000, 77),
        ] {
            let body = [vec![b' '; before], vec![b'7'; digits], vec![b' '; 9000]].concat();
            assert_eq!(
                has_long_digits(&body, MAX_INT_DIGITS),
                digits > MAX_INT_DIGITS,
                "{digits} digits behind {before} bytes"
            );
        }
        assert!(!has_long_digits(b"", 5));
        assert!(!has_long_digits(&vec![b'x'; 100_000], 5));
    }

    #[test]
    fn depth_counts_values_and_not_brackets_in_strings() {
        let nested = |levels: usize, inner: &str| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(is_shallow(nested(MAX_DEPTH, "").as_bytes()));
        assert!(!is_shallow(nested(MAX_DEPTH, "1").as_bytes()));
        assert!(!is_shallow(nested(MAX_DEPTH + 1, "").as_bytes()));
        assert!(is_shallow(format!("[\"{}\"]", "[".repeat(1000)).as_bytes()));
        assert!(is_shallow(format!(r#"["a\"{}","\\",1]"#, "[".repeat(1000)).as_bytes()));
        assert!(!is_shallow(format!(r#"["\\",{}]"#, nested(MAX_DEPTH, "")).as_bytes()));
        assert!(is_ordinary("[],".repeat(1000).as_bytes()));
        assert!(!is_ordinary(nested(MAX_DEPTH + 1, "").as_bytes()));
    }

    #[test]
    fn half_a_pair_of_surrogates_is_found() {
        for whole in [
            r#"["\ud83d\ude00"]"#,
            r#"["\uD83D\uDE00\u00e9"]"#,
            r#"["\\ud800"]"#,
            r#"["\n\"\\\\ud800"]"#,
            "",
            r"\u",
            r"\",
        ] {
            assert!(!has_lone_surrogate(whole), "{whole}");
        }
        for lone in [
            r#"["\ud800"]"#,
            r#"["\uDFFF"]"#,
            r#"["\\\ud800"]"#,
            r#"["\ude00\ud83d"]"#,
            r#"["\ud83d\n"]"#,
            r#"["\ud83d\u0041"]"#,
            r#"["\ud83d\ude00\ude00"]"#,
            r#"["\ud83d\ud83d\ude00"]"#,
        ] {
            assert!(has_lone_surrogate(lone), "{lone}");
        }
    }

    #[test]
    fn what_is_too_much_to_open_is_told_by_its_values_and_digits() {
        let list = |values: usize, value: &str| format!("[{}]", vec![value; values].join(","));
        let wide = "9".repeat(22);
        assert!(!is_too_much_to_open(&list(MAX_OPENED, "1")));
        assert!(is_too_much_to_open(&list(MAX_OPENED + 1, "1")));
        assert!(!is_too_much_to_open(&list(MAX_OPENED_WIDE, &wide)));
        assert!(is_too_much_to_open(&list(MAX_OPENED_WIDE + 1, &wide)));
        assert!(is_too_much_to_open(&"[]".repeat(MAX_OPENED + 1)));
        assert!(is_too_much_to_open(&r#"{"a":1"#.repeat(MAX_OPENED)));
        assert!(!is_too_much_to_open(&"x".repeat(1_000_000)));
        assert!(!is_too_much_to_open(&list(1, &"9".repeat(64))));
        assert!(is_too_much_to_open(&list(1, &"9".repeat(65))));
    }

    #[test]
    fn numbers_are_found_in_order_and_not_in_strings() {
        let text = r#"{"a":-1.50,"b\"2":[3e+5,"4.5",6,{"\\":0.7E-1}],"é1.0":"8","c":99}"#;
        let found: Vec<&str> = numbers(text).map(|(_, number)| number).collect();
        assert_eq!(found, ["1.50", "3e+5", "6", "0.7E-1", "99"]);
        for (start, number) in numbers(text) {
            assert_eq!(text.get(start..start + number.len()), Some(number));
        }
        let found: Vec<&str> = floats(text).map(|(_, number)| number).collect();
        assert_eq!(found, ["1.50", "3e+5", "0.7E-1"]);
        assert_eq!(floats("1.5").next(), Some((0, "1.5")));
        assert_eq!(floats("").next(), None);
    }

    #[test]
    fn a_double_is_exact_up_to_fifteen_digits() {
        for exact in ["44.99", "0.10", "12345678901234.5", "0.12345678901234"] {
            assert!(is_exact_in_a_double(exact), "{exact}");
        }
        for other in ["1e5", "1E-5", "0.123456789012345", "1234567890123456.5", "2.5e1"] {
            assert!(!is_exact_in_a_double(other), "{other}");
        }
    }

    #[test]
    fn the_longest_integer_is_told_if_it_is_long_and_where_one_is_too_long() {
        let nines = "9".repeat(700);
        assert_eq!(longest_integer(&format!("[1,-{nines},22]"), 640), (700, 708));
        assert_eq!(longest_integer(&format!("[1,{nines}.5,{nines}e1]"), 640).0, 1);
        assert_eq!(longest_integer(&format!("[\"{nines}\"]"), 640).0, 0);
        assert_eq!(longest_integer(&"9".repeat(640), 640), (0, 640));
        let endless = "9".repeat(5000);
        assert_eq!(longest_integer(&format!("[1,{endless},2]"), 640), (5000, 5003));
    }
}
