//! What a body may be like for the fast ways over it; Python's own `json` decides on what is not.

/// How deep a body may nest: the outermost object is the first level, and every value within, a number or a string
/// too, is one deeper than what holds it.
pub const MAX_DEPTH: usize = 201;

/// CPython's own default limit for integers, kept whatever the process has set.
pub const MAX_INT_DIGITS: usize = 4300;

/// Whether `body`, if it is JSON, is within both limits. Digits in strings count too: what is only taken for a long
/// number goes the slower way, and comes out right there.
#[must_use]
pub fn is_ordinary(body: &[u8]) -> bool {
    !has_long_digits(body) && (count_of_brackets(body) < MAX_DEPTH || is_shallow(body))
}

/// Whether more digits than an integer may have stand in a row.
fn has_long_digits(body: &[u8]) -> bool {
    let digits = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| byte.is_ascii_digit()).count();
    // Such a row covers one of these places, so no other needs to be looked at.
    (MAX_INT_DIGITS..body.len()).step_by(MAX_INT_DIGITS).any(|place| {
        let (before, after) = body.split_at_checked(place).unwrap_or_default();
        digits(&mut before.iter().rev()) + digits(&mut after.iter()) > MAX_INT_DIGITS
    })
}

fn count_of_brackets(body: &[u8]) -> usize {
    // Both are one byte but for the bit 0x20; and in pieces whose count fits a byte, of which the compiler makes vector
    // instructions.
    let count = |piece: &[u8]| {
        let brackets = piece.iter().map(|byte| u8::from(byte | 0x20 == b'{'));
        usize::from(brackets.fold(0, u8::wrapping_add))
    };
    body.chunks(usize::from(u8::MAX)).map(count).sum()
}

/// Whether no value in `body`, which may be no JSON at all, lies deeper than [`MAX_DEPTH`].
#[must_use]
pub fn is_shallow(body: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut rest = body;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            // Anything else at the last level stands for a value, or for the key of one, below it.
            _ if depth >= MAX_DEPTH => return false,
            b'{' | b'[' => depth += 1,
            b'"' => rest = behind_string(behind),
            _ => {}
        }
    }
    true
}

/// Whether a double, as Python writes it, tells every number in `body` exactly that has a point or an exponent: up to
/// 15 digits survive the way through a double.
#[must_use]
pub fn doubles_are_exact(body: &[u8]) -> bool {
    const DIGITS: usize = 15;
    let mut rest = body;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => rest = behind_string(behind),
            b'0'..=b'9' => {
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                let more = behind.iter().take_while(|byte| is_part(byte)).count();
                let (number, after) = behind.split_at_checked(more).unwrap_or_default();
                rest = after;
                if number.iter().any(|byte| matches!(byte, b'e' | b'E')) || (number.contains(&b'.') && more > DIGITS) {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
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
                has_long_digits(&body),
                digits > MAX_INT_DIGITS,
                "{digits} digits behind {before} bytes"
            );
        }
        assert!(!has_long_digits(b""));
        assert!(!has_long_digits(&vec![b'x'; 100_000]));
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
    fn a_double_is_exact_up_to_fifteen_digits() {
        for exact in [
            "44.99",
            "-0.10",
            "123456789012345",
            "12345678901234567890",
            "12345678901234.5",
            r#""1e400""#,
        ] {
            assert!(doubles_are_exact(exact.as_bytes()), "{exact}");
        }
        for other in ["1e5", "1E-5", "0.1234567890123456", "1234567890123456.5", "[1,2.5e1]"] {
            assert!(!doubles_are_exact(other.as_bytes()), "{other}");
        }
        assert!(!doubles_are_exact(br#"{"a\"":"\\","b":1e5}"#));
        assert!(doubles_are_exact(br#"{"a":"\" 1e5","b":1.5}"#));
    }
}
