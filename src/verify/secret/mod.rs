//! Whether a text can be a secret, and whether it looks like a slip: plain Rust, and nothing here is ever shown.
//!
//! HMAC takes any key, also one that everybody can guess. So what cannot be right is rejected: the empty key, keys that
//! are equal to it (HMAC pads a key with NUL bytes), and what a clipboard or an editor adds without showing it. What is
//! merely unlikely is a [`Suspicion`], for a warning.

mod suspicion;

use std::fmt;

pub use self::suspicion::{Suspicion, suspicion_of_bytes, suspicion_of_text};

/// Why a secret is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretFault {
    /// Nothing in it.
    Empty,
    /// Nothing in it that can be seen.
    Blank,
    /// A text with white space before or after it: a slip of the clipboard.
    SurroundingSpace,
    /// A text with a byte order mark in it: a slip of an editor.
    ByteOrderMark,
    /// A text with a control character or a line break in it.
    Control,
    /// A text with a character in it that has no width, such as U+200B or a soft hyphen: a slip of the clipboard.
    Invisible,
}

impl fmt::Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Blank => "is blank",
            Self::SurroundingSpace => "has white space before or after it",
            Self::ByteOrderMark => "has a byte order mark in it",
            Self::Control => "has a control character in it",
            Self::Invisible => "has an invisible character in it, such as a zero-width space or a soft hyphen",
        })
    }
}

/// Checks a secret that is a text.
///
/// # Errors
///
/// [`SecretFault`], for what can only be a slip of the clipboard or the editor.
pub fn check_text(secret: &str) -> Result<(), SecretFault> {
    if secret.is_empty() {
        return Err(SecretFault::Empty);
    }
    // U+FFFE is what a byte order mark becomes in the wrong byte order.
    if secret.contains(['\u{feff}', '\u{fffe}']) {
        return Err(SecretFault::ByteOrderMark);
    }
    let trimmed = secret.trim();
    if trimmed.is_empty() {
        return Err(SecretFault::Blank);
    }
    if trimmed.len() != secret.len() {
        return Err(SecretFault::SurroundingSpace);
    }
    if secret.is_ascii() {
        let has_control = secret.bytes().any(|byte| byte.is_ascii_control());
        return if has_control { Err(SecretFault::Control) } else { Ok(()) };
    }
    if secret.chars().any(is_control) {
        return Err(SecretFault::Control);
    }
    if secret.chars().any(is_invisible) {
        return Err(SecretFault::Invisible);
    }
    Ok(())
}

/// Checks a secret that is bytes already. They are taken as they are, unless there is nothing in them.
///
/// # Errors
///
/// [`SecretFault::Empty`] and [`SecretFault::Blank`].
pub fn check_bytes(secret: &[u8]) -> Result<(), SecretFault> {
    if secret.is_empty() {
        return Err(SecretFault::Empty);
    }
    let shows_nothing = |character: char| character.is_whitespace() || is_control(character) || is_invisible(character);
    match str::from_utf8(secret) {
        Ok(text) if text.chars().all(shows_nothing) => Err(SecretFault::Blank),
        _ => Ok(()),
    }
}

/// Whether the key in `secret` is a single character: NUL bytes after it are the padding that HMAC adds anyway.
#[must_use]
pub fn is_one_character(secret: &[u8]) -> bool {
    let end = secret.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let key = secret.get(..end).unwrap_or_default();
    key.len() == 1 || str::from_utf8(key).is_ok_and(|text| text.chars().count() == 1)
}

fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether `character` is one that Unicode (17.0) has ignored where it is shown (Default_Ignorable_Code_Point), or a
/// format character (Cf).
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_a_text_secret() {
        let cases = [
            ("", SecretFault::Empty),
            (" ", SecretFault::Blank),
            ("\t\r\n", SecretFault::Blank),
            ("\u{a0}\u{3000}", SecretFault::Blank),
            (" secret", SecretFault::SurroundingSpace),
            ("secret\n", SecretFault::SurroundingSpace),
            ("secret\u{a0}", SecretFault::SurroundingSpace),
            ("\u{feff}secret", SecretFault::ByteOrderMark),
            ("sec\u{feff}ret", SecretFault::ByteOrderMark),
            ("\u{feff}", SecretFault::ByteOrderMark),
            ("\u{fffe}secret", SecretFault::ByteOrderMark),
            ("sec\nret", SecretFault::Control),
            ("sec\0ret", SecretFault::Control),
            ("secret\0", SecretFault::Control),
            ("sec\u{7f}ret", SecretFault::Control),
            ("sec\u{9f}ret", SecretFault::Control),
            ("sec\u{2028}ret", SecretFault::Control),
            ("\u{200b}secret", SecretFault::Invisible),
            ("sec\u{200d}ret", SecretFault::Invisible),
            ("secret\u{2060}", SecretFault::Invisible),
            ("sec\u{ad}ret", SecretFault::Invisible),
            ("sec\u{200e}ret", SecretFault::Invisible),
            ("\u{202e}secret", SecretFault::Invisible),
            ("\u{3164}", SecretFault::Invisible),
            ("secret\u{e0041}", SecretFault::Invisible),
        ];
        for (secret, fault) in cases {
            assert_eq!(check_text(secret), Err(fault), "{}", secret.escape_debug());
        }
    }

    #[test]
    fn bytes_without_anything_in_them_are_not_a_secret() {
        assert_eq!(check_bytes(b""), Err(SecretFault::Empty));
        let blank: [&[u8]; 10] = [
            b" ",
            b"\n",
            b" \t\r\n\x0c",
            b"\x0b",
            b"\x1c\x1f",
            b"\0",
            &[0; 64],
            b"\0 \0\n\0",
            b"\xef\xbb\xbf",
            b"\xc2\xa0\xe2\x80\x8b",
        ];
        for secret in blank {
            assert_eq!(
                check_bytes(secret),
                Err(SecretFault::Blank),
                "{}",
                secret.escape_ascii()
            );
        }
        for secret in [&b" padded\n"[..], b"secret\0", b"\xff\xfe", &[b'k'; 1000]] {
            assert_eq!(check_bytes(secret), Ok(()));
        }
    }

    #[test]
    fn one_character_is_one_whatever_its_bytes() {
        for secret in [
            &b"e"[..],
            b"e\0",
            b"e\0\0\0",
            b"\xff",
            "\u{e9}".as_bytes(),
            "\u{1f600}".as_bytes(),
        ] {
            assert!(is_one_character(secret), "{}", secret.escape_ascii());
        }
        for secret in [&b"ee"[..], b"", b"\xff\xfe", b"e\0e"] {
            assert!(!is_one_character(secret), "{}", secret.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_secret_or_has_a_fault(secret in any::<String>()) {
            let sound = !secret.is_empty()
                && secret.trim() == secret
                && !secret.chars().any(|character| {
                    is_control(character) || is_invisible(character) || character == '\u{fffe}'
                });
            prop_assert_eq!(check_text(&secret).is_ok(), sound);
        }

        #[test]
        fn what_hmac_pads_to_the_empty_key_is_rejected(length in 0..200_usize) {
            prop_assert!(check_bytes(&vec![0; length]).is_err());
        }
    }
}
