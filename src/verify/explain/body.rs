//! What may have been done to a body, undone.

use std::io::Read as _;

use base64::Engine as _;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::cause::Accident;
use super::facts::{BOM, is_json};
use super::spelling::{LENIENT, percent_decoded};

/// One way to undo an accident: the body as it was before, or `None` if that cannot have happened.
type Undo = fn(&[u8], usize) -> Option<Vec<u8>>;

/// An accident, and how to undo it.
pub(super) type Change = (Accident, Undo);

/// The accidents that leave a mark in the body, by which it is known whether they can have happened; the likeliest first.
pub(super) const MARKED: &[Change] = &[
    (Accident::NewlineAdded, |body, _| {
        shorter(body, body.strip_suffix(b"\n")?)
    }),
    (Accident::NewlineAdded, |body, _| {
        shorter(body, body.strip_suffix(b"\r\n")?)
    }),
    (Accident::NewlineAdded, |body, _| shorter(body, body.trim_ascii())),
    (Accident::NewlineAdded, |body, _| shorter(body, body.trim_ascii_end())),
    (Accident::BomAdded, |body, _| shorter(body, body.strip_prefix(BOM)?)),
    (Accident::BodyBase64Encoded, from_base64),
    (Accident::BodyCompressed, decompressed),
    (Accident::BodyFormEncoded, |body, _| form_value(body)),
    (Accident::BodyFormEncoded, |body, _| form_key(body)),
    (Accident::BodyFormEncoded, |body, _| {
        body.contains(&b'%').then(|| percent_decoded(body, false))
    }),
    (Accident::BodyReserialized, |body, _| {
        // JSON in a JSON string.
        serde_json::from_slice::<String>(body).ok().map(String::into_bytes)
    }),
    (Accident::BodyReserialized, |body, _| wrapped(body)),
    (Accident::LineEndingsChanged, |body, _| replaced(body, b"\r\n", b"\n")),
    (Accident::LineEndingsChanged, with_crlf),
    (Accident::LineEndingsChanged, |body, _| replaced(body, b"\r", b"\n")),
    (Accident::CharsetChanged, |body, _| single_bytes(body, latin_1)),
    (Accident::CharsetChanged, |body, _| single_bytes(body, windows_1252)),
    (Accident::CharsetChanged, |body, _| {
        (!body.is_ascii() && std::str::from_utf8(body).is_err()).then(|| {
            body.iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
                .into_bytes()
        })
    }),
    (Accident::CharsetChanged, |body, _| {
        (!body.is_ascii() && std::str::from_utf8(body).is_err()).then(|| {
            body.iter()
                .map(|byte| of_windows_1252(*byte))
                .collect::<String>()
                .into_bytes()
        })
    }),
    (Accident::CharsetChanged, |body, _| {
        of_utf_16(body, u16::from_le_bytes, b"\xff\xfe")
    }),
    (Accident::CharsetChanged, |body, _| {
        of_utf_16(body, u16::from_be_bytes, b"\xfe\xff")
    }),
];

/// The likeliest of those that leave none.
pub(super) const FIRST_UNMARKED: &[Change] = UNMARKED.split_at(3).0;

/// The accidents that leave none, the likeliest first.
pub(super) const UNMARKED: &[Change] = &[
    (Accident::BomRemoved, |body, _| {
        (!body.starts_with(BOM)).then(|| [BOM, body].concat())
    }),
    (Accident::CharsetChanged, |body, _| utf_16(body, u16::to_le_bytes, b"")),
    (Accident::NewlineRemoved, |body, _| Some([b"\n", body].concat())),
    (Accident::WhitespaceTrimmed, |body, _| Some([b" ", body].concat())),
    (Accident::WhitespaceTrimmed, |body, _| Some([b"  ", body].concat())),
    (Accident::WhitespaceTrimmed, |body, _| Some([b" ", body, b" "].concat())),
    (Accident::WhitespaceTrimmed, |body, _| {
        Some([b"\n", body, b"\n"].concat())
    }),
    (Accident::WhitespaceTrimmed, |body, _| {
        Some([b"\r\n", body, b"\r\n"].concat())
    }),
    (Accident::WhitespaceTrimmed, |body, _| {
        Some([b" ", body, b"\n"].concat())
    }),
    (Accident::WhitespaceTrimmed, |body, _| Some([b"\t", body].concat())),
    (Accident::WhitespaceTrimmed, |body, _| Some([b"\n  ", body].concat())),
    (Accident::NewlineRemoved, |body, _| Some([b"\r\n", body].concat())),
    (Accident::CharsetChanged, |body, _| {
        utf_16(body, u16::to_le_bytes, b"\xff\xfe")
    }),
    (Accident::CharsetChanged, |body, _| utf_16(body, u16::to_be_bytes, b"")),
    (Accident::CharsetChanged, |body, _| {
        utf_16(body, u16::to_be_bytes, b"\xfe\xff")
    }),
];

/// What may have been at the end of a body and was removed.
pub(super) const LOST_ENDS: &[(Accident, &str)] = &[
    (Accident::NewlineRemoved, "\n"),
    (Accident::NewlineRemoved, "\r\n"),
    (Accident::WhitespaceTrimmed, " "),
    (Accident::NewlineRemoved, "\n\n"),
    (Accident::WhitespaceTrimmed, "  "),
    (Accident::WhitespaceTrimmed, "\t"),
    (Accident::WhitespaceTrimmed, " \n"),
    (Accident::WhitespaceTrimmed, " \r\n"),
    (Accident::WhitespaceTrimmed, "\n "),
    (Accident::NewlineRemoved, "\r\n\r\n"),
    (Accident::NewlineRemoved, "\r"),
    (Accident::WhitespaceTrimmed, "   "),
    (Accident::WhitespaceTrimmed, "    "),
    (Accident::WhitespaceTrimmed, "\n\n\n"),
    (Accident::WhitespaceTrimmed, "\0"),
];

/// The text in the `body` of an event, as serverless platforms hand it on, or the one item of a list.
fn wrapped(body: &[u8]) -> Option<Vec<u8>> {
    let text = body.trim_ascii();
    if let Some(item) = text.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        return Some(item.trim_ascii().to_vec());
    }
    memchr::memmem::find(text, b"\"body\"")?;
    let event: serde_json::Value = serde_json::from_slice(text).ok()?;
    event.get("body")?.as_str().map(|body| body.as_bytes().to_vec())
}

fn shorter(body: &[u8], part: &[u8]) -> Option<Vec<u8>> {
    (part.len() < body.len()).then(|| part.to_vec())
}

fn from_base64(body: &[u8], _: usize) -> Option<Vec<u8>> {
    // Most bodies begin as no base64 does, and are not copied.
    let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\"".contains(byte);
    if !body.trim_ascii().first().is_some_and(is_one) {
        return None;
    }
    let text: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let text = text
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(&text);
    if text.len() < 4 {
        return None;
    }
    LENIENT.iter().find_map(|engine| engine.decode(text).ok())
}

/// A decoder is asked only where the first bytes are those of its format, because to make one costs more than all else.
fn decompressed(body: &[u8], most: usize) -> Option<Vec<u8>> {
    match body {
        [0x1f, 0x8b, ..] => inflated(MultiGzDecoder::new(body), most),
        // RFC 1950, section 2.2.
        [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31) => {
            inflated(ZlibDecoder::new(body), most)
        }
        // A bare deflate stream has no mark, so it is tried where there can be no text.
        _ if std::str::from_utf8(body).is_err() => inflated(DeflateDecoder::new(body), most),
        _ => None,
    }
}

/// What a decoder gives, as long as that is at most `most` bytes.
fn inflated(decoder: impl std::io::Read, most: usize) -> Option<Vec<u8>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut inflated = Vec::new();
    decoder.take(limit).read_to_end(&mut inflated).ok()?;
    (!inflated.is_empty() && inflated.len() <= most).then_some(inflated)
}

/// The longest value of a form.
fn form_value(body: &[u8]) -> Option<Vec<u8>> {
    let values = body.split(|byte| *byte == b'&').filter_map(|pair| {
        let place = pair.iter().position(|byte| *byte == b'=')?;
        pair.get(place + 1..)
    });
    let longest = values.max_by_key(|value| value.len())?;
    (longest.len() > 1).then(|| percent_decoded(longest, true))
}

/// The key of a form with nothing else in it, as which a body without a `Content-Type` is taken.
fn form_key(body: &[u8]) -> Option<Vec<u8>> {
    let key = body.trim_ascii_end().strip_suffix(b"=")?;
    Some(percent_decoded(key, true))
}

fn with_crlf(body: &[u8], _: usize) -> Option<Vec<u8>> {
    if memchr::memmem::find(body, b"\r\n").is_some() {
        return None;
    }
    replaced(body, b"\n", b"\r\n")
}

fn replaced(body: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let mut made = Vec::with_capacity(body.len() + body.len() / 16);
    let mut end = 0;
    for place in memchr::memmem::find_iter(body, old) {
        made.extend_from_slice(body.get(end..place)?);
        made.extend_from_slice(new);
        end = place + old.len();
    }
    if end == 0 {
        return None;
    }
    made.extend_from_slice(body.get(end..)?);
    Some(made)
}

/// UTF-8 in a character set of one byte each: what was there, if that character set was read as UTF-8's bytes were.
fn single_bytes(body: &[u8], byte_of: fn(char) -> Option<u8>) -> Option<Vec<u8>> {
    if body.is_ascii() {
        return None;
    }
    std::str::from_utf8(body).ok()?.chars().map(byte_of).collect()
}

fn latin_1(character: char) -> Option<u8> {
    u8::try_from(u32::from(character)).ok()
}

/// The characters of Windows-1252 from 0x80 to 0x9f (WHATWG Encoding, index windows-1252).
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn of_windows_1252(byte: u8) -> char {
    let special = byte
        .checked_sub(0x80)
        .and_then(|place| WINDOWS_1252.get(usize::from(place)));
    special.copied().unwrap_or(char::from(byte))
}

fn windows_1252(character: char) -> Option<u8> {
    let special = WINDOWS_1252.iter().position(|each| *each == character);
    match special {
        Some(place) => u8::try_from(place + 0x80).ok(),
        None => latin_1(character),
    }
}

fn of_utf_16(body: &[u8], unit: fn([u8; 2]) -> u16, mark: &[u8]) -> Option<Vec<u8>> {
    let body = body.strip_prefix(mark).unwrap_or(body);
    // JSON in UTF-16 is half NUL bytes; else it is not worth a try.
    let zeros = memchr::memchr_iter(0, body).count();
    if !body.len().is_multiple_of(2) || zeros * 4 < body.len() {
        return None;
    }
    let units = body
        .chunks_exact(2)
        .filter_map(|pair| <[u8; 2]>::try_from(pair).ok().map(unit));
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .ok()
        .map(String::into_bytes)
}

fn utf_16(body: &[u8], bytes: fn(u16) -> [u8; 2], mark: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut made = Vec::with_capacity(mark.len() + 2 * body.len());
    made.extend_from_slice(mark);
    for unit in text.encode_utf16() {
        made.extend_from_slice(&bytes(unit));
    }
    Some(made)
}

/// Whether a body is JSON once its base64 is decoded.
pub(super) fn holds_json_in_base64(body: &[u8]) -> bool {
    from_base64(body, 0).is_some_and(|decoded| is_json(&decoded))
}
