//! A MAC and a timestamp in other spellings than Listrak's.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use speedate::{DateTime, MicrosecondsPrecisionOverflowBehavior, TimeConfig};

use super::cause::Accident;
use crate::verify::signature::{self, Encoding, MAC_LEN};
use crate::verify::timestamp;

/// Base64 in either alphabet, with padding or without.
pub(super) const LENIENT: [GeneralPurpose; 2] = [
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT_CONFIG),
    GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT_CONFIG),
];
const LENIENT_CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// What the MAC has to be, for a signature header to be of it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) mac: Mac,
    pub(super) accidents: Vec<Accident>,
}

/// A whole MAC, or the beginning of its text.
#[derive(Debug, Clone)]
pub(super) enum Mac {
    Whole([u8; MAC_LEN]),
    Beginning(Encoding, Vec<u8>),
}

impl Mac {
    /// Whether `mac` is it, compared in the time that the longest takes.
    pub(super) fn is(&self, mac: &[u8; MAC_LEN]) -> bool {
        match self {
            Self::Whole(wanted) => equal(wanted, mac),
            Self::Beginning(encoding, text) => {
                let whole = encoding.encode(mac);
                whole
                    .as_bytes()
                    .get(..text.len())
                    .is_some_and(|beginning| equal(beginning, text))
            }
        }
    }
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The fewest characters of a MAC that prove something: 84 bits in base64, 80 in hex.
const FEWEST_BASE64: usize = 14;
const FEWEST_HEX: usize = 20;

/// What a signature header may mean, the likeliest first.
pub(super) fn signatures(text: &[u8]) -> Vec<Wanted> {
    let mut found = Vec::new();
    read(text, &[], &mut found);
    let unquoted = unquoted(text);
    if unquoted.len() < text.len() {
        read(unquoted, &[Accident::SignatureQuoted], &mut found);
    }
    if let Some(rest) = unprefixed(unquoted).or_else(|| unquoted.strip_prefix(b"0x")) {
        read(rest, &[Accident::SignaturePrefixed], &mut found);
    }
    let dots = unquoted.strip_suffix(b"...");
    if let Some(rest) = dots.or_else(|| unquoted.strip_suffix("\u{2026}".as_bytes())) {
        read(rest, &[], &mut found);
    }
    found
}

fn read(text: &[u8], accidents: &[Accident], found: &mut Vec<Wanted>) {
    let mut push = |mac, accident: Option<Accident>| {
        let accidents = accidents.iter().copied().chain(accident).collect();
        found.push(Wanted { mac, accidents });
    };
    if let Ok(received) = signature::decode(text, None) {
        push(Mac::Whole(received.mac), None);
        return;
    }
    if let Some(mac) = inner(&hex::decode(text).unwrap_or_default()) {
        push(Mac::Whole(mac), Some(Accident::HexOfBase64));
    }
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    if (FEWEST_BASE64..signature::BASE64_LEN).contains(&text.len()) && text.iter().all(is_base64) {
        push(
            Mac::Beginning(Encoding::Base64, text.to_vec()),
            Some(Accident::SignatureTruncated),
        );
    }
    for engine in &LENIENT {
        // A plus that was decoded as a URL's is a space.
        let spaced: Vec<u8> = text
            .iter()
            .map(|byte| if *byte == b' ' { b'+' } else { *byte })
            .collect();
        for text in [percent_decoded(text, false), spaced] {
            let Ok(bytes) = engine.decode(&text) else { continue };
            if let Some(mac) = inner(&bytes) {
                push(Mac::Whole(mac), Some(Accident::Base64OfHex));
            }
            if let Ok(mac) = <[u8; MAC_LEN]>::try_from(bytes.as_slice()) {
                push(Mac::Whole(mac), Some(Accident::SignatureUrlsafe));
            }
        }
    }
    if (FEWEST_HEX..signature::HEX_LEN).contains(&text.len()) && text.iter().all(u8::is_ascii_hexdigit) {
        let lower = text.to_ascii_lowercase();
        push(Mac::Beginning(Encoding::Hex, lower), Some(Accident::SignatureTruncated));
    }
}

/// The accident of a signature header that is not a MAC, as far as its form says.
pub(super) fn accident_of_signature(text: &[u8]) -> Option<Accident> {
    if signature::decode(text, None).is_ok() {
        return None;
    }
    signatures(text)
        .first()
        .and_then(|wanted| wanted.accidents.first().copied())
}

/// The MAC in text that was encoded once more.
fn inner(text: &[u8]) -> Option<[u8; MAC_LEN]> {
    signature::decode(text.trim_ascii(), None)
        .ok()
        .map(|received| received.mac)
}

/// `text` without quotation marks around it.
pub(super) fn unquoted(text: &[u8]) -> &[u8] {
    // As Python shows bytes, and as angle brackets mark a placeholder.
    for (open, close) in [("b'", "'"), ("b\"", "\""), ("<", ">"), ("\u{2039}", "\u{203a}")] {
        let rest = text.strip_prefix(open.as_bytes());
        if let Some(inside) = rest.and_then(|rest| rest.strip_suffix(close.as_bytes())) {
            return inside;
        }
    }
    for mark in [
        "\"", "'", "`", "%22", "\\\"", "\u{201c}", "\u{201d}", "\u{2018}", "\u{2019}",
    ] {
        let mark = mark.as_bytes();
        let closing: &[&[u8]] = &[mark, "\u{201d}".as_bytes(), "\u{2019}".as_bytes()];
        for close in closing {
            if let Some(inside) = text.strip_prefix(mark).and_then(|rest| rest.strip_suffix(*close)) {
                return inside;
            }
        }
    }
    text
}

/// `text` without a prefix such as `sha256=`, `v1,` or `HMAC `.
fn unprefixed(text: &[u8]) -> Option<&[u8]> {
    let end = text
        .iter()
        .enumerate()
        .position(|(index, byte)| b"=,: ".contains(byte) && (1..20).contains(&index))?;
    let (prefix, rest) = text.split_at(end);
    let is_word = prefix
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    let rest = rest.trim_ascii_start();
    let rest = rest
        .strip_prefix(b"=")
        .or_else(|| rest.strip_prefix(b","))
        .or_else(|| rest.strip_prefix(b":"))
        .unwrap_or(rest);
    let rest = unquoted(rest.trim_ascii_start());
    (is_word && !rest.is_empty()).then_some(rest)
}

/// `text` with its percent codes undone, and `+` as a space if it is a form's.
pub(super) fn percent_decoded(text: &[u8], form: bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        let code = match (byte, after) {
            (b'%', [high, low, ..]) => {
                let mut code = [0; 1];
                hex::decode_to_slice([*high, *low], &mut code).ok().map(|()| code[0])
            }
            _ => None,
        };
        match (code, byte) {
            (Some(code), _) => {
                decoded.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            (None, b'+') if form => decoded.push(b' '),
            (None, byte) => decoded.push(*byte),
        }
    }
    decoded
}

/// A text of a timestamp that may have been signed.
pub(super) struct Time {
    pub(super) text: Vec<u8>,
    pub(super) accident: Option<Accident>,
    /// Whether it is the header's own, or seconds.
    pub(super) is_likely: bool,
}

/// The texts of a timestamp that may have been signed, the likeliest first.
pub(super) fn timestamps(text: &[u8]) -> Vec<Time> {
    let Some(seconds) = timestamp::parse(text) else {
        return of_other_form(text);
    };
    let mut found = vec![Time {
        text: text.to_vec(),
        accident: None,
        is_likely: true,
    }];
    let digits = ["000", ".0", ".000", "000000", "000000000"];
    let forms = digits
        .iter()
        .map(|end| [text, end.as_bytes()].concat())
        .chain(dates(seconds));
    found.extend(forms.map(|text| Time {
        text,
        accident: Some(Accident::TimestampReformatted),
        is_likely: false,
    }));
    found
}

fn of_other_form(text: &[u8]) -> Vec<Time> {
    let bare = unquoted(text.trim_ascii());
    let bare = bare.strip_prefix(b"+").unwrap_or(bare);
    let (whole, _) = bare.split_at(
        bare.iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(bare.len()),
    );
    let is_number = bare.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let (accident, seconds) = if is_number && [13, 16, 19].contains(&whole.len()) {
        (
            Accident::TimestampInMilliseconds,
            whole.get(..timestamp::DIGITS).map(<[u8]>::to_vec),
        )
    } else if let Some(seconds) = date(bare) {
        (
            Accident::TimestampIso,
            timestamp::format(seconds).map(String::into_bytes),
        )
    } else if timestamp::parse(whole).is_some() {
        (Accident::TimestampReformatted, Some(whole.to_vec()))
    } else {
        return Vec::new();
    };
    // The clocks of the receivers that take such a form compare it, and sign it, as it is or in seconds.
    let mut texts: Vec<Vec<u8>> = [seconds, Some(text.to_vec()), Some(bare.to_vec())]
        .into_iter()
        .flatten()
        .collect();
    texts.dedup();
    let time = |text| Time {
        text,
        accident: Some(accident),
        is_likely: true,
    };
    texts.into_iter().map(time).collect()
}

/// The accident of a timestamp header that is not ten digits, as far as its form says.
pub(super) fn accident_of_timestamp(text: &[u8]) -> Option<Accident> {
    if timestamp::parse(text).is_some() {
        return None;
    }
    of_other_form(text).first().and_then(|time| time.accident)
}

/// The seconds of a date that is written as ISO 8601 does, in UTC if it has no zone.
fn date(text: &[u8]) -> Option<i64> {
    if !text.contains(&b'-') || text.len() > 40 {
        return None;
    }
    let config = TimeConfig {
        microseconds_precision_overflow_behavior: MicrosecondsPrecisionOverflowBehavior::Truncate,
        unix_timestamp_offset: None,
    };
    DateTime::parse_bytes_rfc3339_with_config(text, &config)
        .ok()
        .map(|date| date.timestamp_tz())
}

/// The forms in which programs write a time in UTC.
fn dates(seconds: i64) -> Vec<Vec<u8>> {
    let Ok(date) = DateTime::from_timestamp(seconds, 0) else {
        return Vec::new();
    };
    let (day, time) = (date.date, date.time);
    let day = format!("{:04}-{:02}-{:02}", day.year, day.month, day.day);
    let time = format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
    [
        format!("{day}T{time}Z"),
        format!("{day}T{time}+00:00"),
        format!("{day}T{time}.000Z"),
        format!("{day}T{time}.0000000Z"),
        format!("{day}T{time}"),
        format!("{day} {time}"),
    ]
    .map(String::into_bytes)
    .into()
}
