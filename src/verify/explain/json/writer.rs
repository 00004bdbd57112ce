//! A document in the style of a serializer.

use std::fmt::Write as _;
use std::ops::Range;

use super::{Document, Escapes, Layout, Node, Numbers, Order, Style, Text};

/// How long another text of a document can be, if it is one that people send.
fn most_of(text: &[u8]) -> usize {
    text.len().saturating_mul(4).saturating_add(4096)
}

pub(super) struct Writer<'d, 'b, 'o> {
    document: &'d Document<'b>,
    style: Style,
    /// The bytes that the style writes as they are, but for slashes.
    plain: &'static [bool; 256],
    /// How long the text may become: what is nested deeply grows with every level that is indented.
    most: usize,
    out: &'o mut Vec<u8>,
}

impl<'d, 'b, 'o> Writer<'d, 'b, 'o> {
    pub(super) fn new(document: &'d Document<'b>, style: Style, out: &'o mut Vec<u8>) -> Self {
        Self {
            document,
            style,
            plain: match style.escapes {
                Escapes::Few => &FEW,
                Escapes::Ascii => &ASCII,
                Escapes::DotNet => &DOT_NET,
                Escapes::Html => &HTML,
                Escapes::Gson => &GSON,
            },
            most: most_of(document.text),
            out,
        }
    }

    /// Writes the whole document; returns whether it was not too long.
    pub(super) fn write(mut self) -> bool {
        let document = self.document;
        self.node(&document.root, 0, false);
        self.out.len() <= self.most
    }

    fn raw(&mut self, range: &Range<usize>) {
        self.out
            .extend_from_slice(self.document.text.get(range.clone()).unwrap_or_default());
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn node(&mut self, node: &Node, depth: usize, is_money: bool) {
        match node {
            Node::Word(range) => self.raw(range),
            Node::Number(range) => self.number(range, is_money),
            Node::Text(text) => self.text(text),
            Node::Array(items) => {
                self.list(('[', ']'), items.len(), depth, |writer, index| {
                    if let Some(item) = items.get(index) {
                        writer.node(item, depth + 1, is_money);
                    }
                });
            }
            Node::Object(entries) => {
                let order = self.order(entries, depth);
                self.list(('{', '}'), entries.len(), depth, |writer, index| {
                    let place = order.as_ref().map_or(Some(index), |order| order.get(index).copied());
                    let Some((key, value)) = place.and_then(|place| entries.get(place)) else {
                        return;
                    };
                    writer.text(key);
                    writer.push(writer.style.layout.parts().colon);
                    writer.node(value, depth + 1, writer.is_money(key));
                });
            }
        }
    }

    fn list(&mut self, brackets: (char, char), count: usize, depth: usize, mut entry: impl FnMut(&mut Self, usize)) {
        let layout = match self.style.layout {
            Layout::Jackson if brackets.0 == '[' => Layout::JacksonsArrays,
            layout => layout,
        };
        let parts = layout.parts();
        self.out.push(brackets.0 as u8);
        for index in 0..count {
            if self.out.len() > self.most {
                return;
            }
            if index > 0 {
                self.push(parts.comma);
            }
            match parts.lines {
                Some(lines) => self.line(lines, depth + 1),
                None if index == 0 => self.push(parts.padding),
                None => {}
            }
            entry(self, index);
        }
        if count > 0 {
            match parts.lines {
                Some(lines) => self.line(lines, depth),
                None => self.push(parts.padding),
            }
        }
        self.out.push(brackets.1 as u8);
    }

    fn line(&mut self, (line, unit): (&str, &str), depth: usize) {
        self.push(line);
        for _ in 0..depth {
            self.push(unit);
        }
    }

    /// The places of the entries, in the order in which they are written, if that is another one than theirs.
    fn order(&self, entries: &[(Text, Node)], depth: usize) -> Option<Vec<usize>> {
        if self.style.order == Order::Same {
            return None;
        }
        let mut places: Vec<usize> = (0..entries.len()).collect();
        match self.style.order {
            Order::Sorted => places.sort_by_key(|place| entries.get(*place).map(|(key, _)| self.plain(key))),
            Order::Permuted(mut index) if depth == 0 => {
                let mut permuted = Vec::with_capacity(places.len());
                while !places.is_empty() {
                    permuted.push(places.remove(index % places.len()));
                    index /= places.len() + 1;
                }
                return Some(permuted);
            }
            Order::Same | Order::Permuted(_) => {}
        }
        Some(places)
    }

    fn plain<'t>(&'t self, text: &'t Text) -> &'t [u8] {
        match &text.special {
            Some(text) => text.as_bytes(),
            None => self.document.text.get(text.raw.clone()).unwrap_or_default(),
        }
    }

    /// Whether a field holds money, by its name.
    fn is_money(&self, key: &Text) -> bool {
        const MONEY: [&str; 8] = ["price", "total", "tax", "amount", "cost", "msrp", "discount", "value"];
        if !matches!(self.style.numbers, Numbers::MoneyFloats | Numbers::MoneyDecimals) {
            return false;
        }
        let name = self.plain(key).to_ascii_lowercase();
        MONEY
            .iter()
            .any(|word| memchr::memmem::find(&name, word.as_bytes()).is_some())
    }

    fn number(&mut self, range: &Range<usize>, is_money: bool) {
        if self.style.numbers == Numbers::Same {
            self.raw(range);
            return;
        }
        let raw = self.document.text.get(range.clone()).unwrap_or_default();
        let raw = std::str::from_utf8(raw).unwrap_or_default();
        let is_whole = !raw.contains(['.', 'e', 'E']);
        match self.style.numbers {
            Numbers::Shortest if !is_whole => self.shortest(raw),
            Numbers::MoneyFloats if is_whole && is_money => {
                self.push(raw);
                self.push(".0");
            }
            Numbers::Decimals if !is_whole => self.two_decimals(raw),
            Numbers::MoneyDecimals if is_money => self.two_decimals(raw),
            _ => self.push(raw),
        }
    }

    /// A number with two decimals, as money is written; with an exponent it is read first.
    fn two_decimals(&mut self, raw: &str) {
        let decimals = match raw.split_once('.') {
            _ if raw.contains(['e', 'E']) => None,
            Some((_, decimals)) => Some(decimals.len()),
            None => Some(0),
        };
        match decimals {
            Some(0) => {
                self.push(raw);
                self.push(".00");
            }
            Some(1) => {
                self.push(raw);
                self.push("0");
            }
            Some(2) => self.push(raw),
            _ => self.read(raw, |value| format!("{value:.2}")),
        }
    }

    /// A number without what says nothing: `89.9` for `89.90`, `1` for `1.0`.
    fn shortest(&mut self, raw: &str) {
        if raw.contains(['e', 'E']) {
            self.read(raw, |value| format!("{value}"));
        } else {
            self.push(raw.trim_end_matches('0').trim_end_matches('.'));
        }
    }

    /// A number as `write` writes what it means, if that is not too large for its digits to be sure.
    fn read(&mut self, raw: &str, write: impl FnOnce(f64) -> String) {
        match raw.parse::<f64>() {
            Ok(value) if value.abs() < 1e15 => self.push(&write(value)),
            _ => self.push(raw),
        }
    }

    fn text(&mut self, text: &Text) {
        self.out.push(b'"');
        match &text.special {
            None => self.raw(&text.raw),
            Some(special) => self.escaped(special),
        }
        self.out.push(b'"');
    }

    fn escaped(&mut self, text: &str) {
        let mut written = 0;
        for (place, byte) in text.bytes().enumerate() {
            let is_plain = self.plain.get(usize::from(byte)) == Some(&true);
            if (is_plain && !(byte == b'/' && self.style.slashes)) || place < written {
                continue;
            }
            let Some(character) = text.get(place..).and_then(|rest| rest.chars().next()) else {
                continue;
            };
            // Two of those that only some serializers escape.
            let is_separator = matches!(character, '\u{2028}' | '\u{2029}');
            if !character.is_ascii() && matches!(self.style.escapes, Escapes::Html | Escapes::Gson) && !is_separator {
                continue;
            }
            self.push(text.get(written..place).unwrap_or_default());
            written = place + character.len_utf8();
            self.escape(character);
        }
        self.push(text.get(written..).unwrap_or_default());
    }

    fn escape(&mut self, character: char) {
        match character {
            '"' if self.style.escapes == Escapes::DotNet => self.push("\\u0022"),
            '"' => self.push("\\\""),
            '\\' => self.push("\\\\"),
            '\n' => self.push("\\n"),
            '\r' => self.push("\\r"),
            '\t' => self.push("\\t"),
            '\u{8}' => self.push("\\b"),
            '\u{c}' => self.push("\\f"),
            '/' => self.push("\\/"),
            other => self.code(other),
        }
    }

    fn code(&mut self, character: char) {
        let mut code = String::with_capacity(12);
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = match self.style.escapes {
                Escapes::DotNet => write!(code, "\\u{unit:04X}"),
                _ => write!(code, "\\u{unit:04x}"),
            };
        }
        self.push(&code);
    }
}

/// Whether some serializer escapes a character that others do not.
pub(super) fn is_escapable(character: char) -> bool {
    !character.is_ascii() || "<>&'+`=\"\u{7f}".contains(character)
}

const FEW: [bool; 256] = plain(b"", true);
const ASCII: [bool; 256] = plain(b"", false);
const DOT_NET: [bool; 256] = plain(b"<>&'+`\x7f", false);
const HTML: [bool; 256] = plain(b"<>&", false);
const GSON: [bool; 256] = plain(b"<>&='", false);

/// The bytes that are written as they are if those in `escaped` are not; `others` says whether those beyond ASCII are.
const fn plain(escaped: &[u8], others: bool) -> [bool; 256] {
    let mut plain = [others; 256];
    let mut byte = 0;
    while byte < 128 {
        #[allow(clippy::indexing_slicing, reason = "it is below 128, and checked at compile time")]
        {
            plain[byte] = byte >= b' ' as usize && byte != b'"' as usize && byte != b'\\' as usize;
        }
        byte += 1;
    }
    let mut place = 0;
    while place < escaped.len() {
        #[allow(clippy::indexing_slicing, reason = "checked at compile time")]
        {
            plain[escaped[place] as usize] = false;
        }
        place += 1;
    }
    plain
}
