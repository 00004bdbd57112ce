//! The texts that a serializer may have written for the JSON that arrived.
//!
//! Where a body was parsed and written again, the sender's own text is gone, and what it was can only be guessed: by
//! writing the same JSON in the ways of the usual serializers. Strings and numbers are kept as they came, so nothing is
//! lost that a parser of ours could lose.

use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashSet};

use super::facts::is_json;

/// A JSON document, with its strings and numbers as they came.
pub(super) struct Document<'b> {
    text: &'b [u8],
    root: Node,
    has: Features,
}

/// What is in a document, and so which styles can differ for it.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent of each other")]
struct Features {
    slashes: bool,
    /// Characters that some serializer escapes.
    escapable: bool,
    whole_numbers: bool,
    other_numbers: bool,
    unsorted_keys: bool,
}

enum Node {
    /// `true`, `false` or `null`.
    Word(Range<usize>),
    Number(Range<usize>),
    Text(Text),
    Array(Vec<Node>),
    Object(Vec<(Text, Node)>),
}

/// A string: what is between its quotation marks, and what that means if it is not the same in every style.
struct Text {
    raw: Range<usize>,
    special: Option<String>,
}

/// How a serializer writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// In words, for people.
    pub(super) name: &'static str,
    layout: Layout,
    escapes: Escapes,
    slashes: bool,
    order: Order,
    numbers: Numbers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Compact,
    Spaced,
    AfterCommas,
    AfterColons,
    Padded,
    Two,
    TwoCrlf,
    Four,
    FourCrlf,
    Tabs,
    TabsCrlf,
    /// Jackson's pretty printer: arrays stay on one line.
    Jackson,
    JacksonsArrays,
}

/// What a layout puts between things.
struct Parts {
    comma: &'static str,
    colon: &'static str,
    /// Inside the brackets, if everything is on one line.
    padding: &'static str,
    /// The line break and the indentation, if each entry has a line.
    lines: Option<(&'static str, &'static str)>,
}

impl Layout {
    const fn parts(self) -> Parts {
        let (comma, colon, padding, lines) = match self {
            Self::Compact => (",", ":", "", None),
            Self::Spaced => (", ", ": ", "", None),
            Self::AfterCommas => (", ", ":", "", None),
            Self::AfterColons => (",", ": ", "", None),
            Self::Padded | Self::JacksonsArrays => (", ", ": ", " ", None),
            Self::Two => (",", ": ", "", Some(("\n", "  "))),
            Self::TwoCrlf => (",", ": ", "", Some(("\r\n", "  "))),
            Self::Four => (",", ": ", "", Some(("\n", "    "))),
            Self::FourCrlf => (",", ": ", "", Some(("\r\n", "    "))),
            Self::Tabs => (",", ": ", "", Some(("\n", "\t"))),
            Self::TabsCrlf => (",", ": ", "", Some(("\r\n", "\t"))),
            Self::Jackson => (",", " : ", "", Some(("\n", "  "))),
        };
        Parts {
            comma,
            colon,
            padding,
            lines,
        }
    }
}

/// Which characters are escaped beyond what JSON asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// None.
    Few,
    /// All that are not ASCII, in lower-case hex: Python, PHP.
    Ascii,
    /// The same and HTML's, in upper-case hex: System.Text.Json.
    DotNet,
    /// HTML's, and the two line separators: Go, Rails.
    Html,
    /// HTML's, the equals sign and the apostrophe: Gson.
    Gson,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Same,
    Sorted,
    Reversed,
    /// The so-and-so-manieth order of the outermost keys.
    Permuted(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Same,
    /// `89.9` for `89.90`, `1` for `1.0`, `100` for `1e2`.
    Shortest,
    /// `1.0` for what is whole.
    Floats,
    /// The same for what is money by its name.
    MoneyFloats,
    /// Two decimals for what has any.
    Decimals,
    /// Two decimals for what is money by its name.
    MoneyDecimals,
    /// Two decimals for everything.
    AllDecimals,
}

const fn style(name: &'static str, layout: Layout, escapes: Escapes) -> Style {
    Style {
        name,
        layout,
        escapes,
        slashes: false,
        order: Order::Same,
        numbers: Numbers::Same,
    }
}

const fn slashed(mut style: Style) -> Style {
    style.slashes = true;
    style
}

/// The likeliest first: the sender is a .NET shop, its documents are written by hand, and tests are written in anything.
const STYLES: &[Style] = &[
    style(
        "compact JSON (JSON.stringify, Newtonsoft)",
        Layout::Compact,
        Escapes::Few,
    ),
    style("Python's json.dumps", Layout::Spaced, Escapes::Ascii),
    style("Python's json.dumps, ensure_ascii=False", Layout::Spaced, Escapes::Few),
    style("compact ASCII", Layout::Compact, Escapes::Ascii),
    style("System.Text.Json", Layout::Compact, Escapes::DotNet),
    style("JSON indented by two spaces", Layout::Two, Escapes::Few),
    style("JSON indented by two spaces, CRLF", Layout::TwoCrlf, Escapes::Few),
    style("JSON indented by four spaces", Layout::Four, Escapes::Few),
    style("JSON indented by four spaces, CRLF", Layout::FourCrlf, Escapes::Few),
    slashed(style("PHP's json_encode", Layout::Compact, Escapes::Ascii)),
    slashed(style(
        "PHP's json_encode, unescaped Unicode",
        Layout::Compact,
        Escapes::Few,
    )),
    style("Go's json.Marshal", Layout::Compact, Escapes::Html),
    style("System.Text.Json, indented", Layout::Two, Escapes::DotNet),
    style("System.Text.Json, indented, CRLF", Layout::TwoCrlf, Escapes::DotNet),
    style("JSON indented by two spaces, ASCII", Layout::Two, Escapes::Ascii),
    style("JSON indented by four spaces, ASCII", Layout::Four, Escapes::Ascii),
    style("JSON indented by tabs", Layout::Tabs, Escapes::Few),
    style("JSON indented by tabs, CRLF", Layout::TabsCrlf, Escapes::Few),
    style("Jackson's pretty printer", Layout::Jackson, Escapes::Few),
    slashed(style("PHP's json_encode, pretty", Layout::Four, Escapes::Ascii)),
    slashed(style(
        "PHP's json_encode, pretty, unescaped Unicode",
        Layout::Four,
        Escapes::Few,
    )),
    style("Gson", Layout::Compact, Escapes::Gson),
    style("JSON with spaces in its brackets", Layout::Padded, Escapes::Few),
    style("JSON with a space after each comma", Layout::AfterCommas, Escapes::Few),
    style("JSON with a space after each colon", Layout::AfterColons, Escapes::Few),
];

/// The most keys of which every order is tried.
const PERMUTED_KEYS: usize = 4;

impl<'b> Document<'b> {
    /// The document in `text`; `None` if it is not JSON.
    pub(super) fn parse(text: &'b [u8]) -> Option<Self> {
        if !is_json(text) {
            return None;
        }
        let mut parser = Parser {
            text,
            at: 0,
            has: Features::default(),
        };
        let root = parser.node()?;
        Some(Self {
            text,
            root,
            has: parser.has,
        })
    }

    /// The ways in which the document can have been written, the likeliest first, without those that cannot differ.
    fn styles(&self) -> Vec<Style> {
        let mut kept: Vec<Style> = Vec::new();
        for style in self.all_styles() {
            let alike = |other: &&Style| {
                style.layout == other.layout
                    && style.order == other.order
                    && style.numbers == other.numbers
                    && (style.escapes == other.escapes || !self.has.escapable)
                    && (style.slashes == other.slashes || !self.has.slashes)
            };
            if !kept.iter().any(|other| alike(&other)) {
                kept.push(style);
            }
        }
        kept
    }

    fn all_styles(&self) -> Vec<Style> {
        let mut styles = STYLES.to_vec();
        let first = |count| STYLES.iter().take(count).copied();
        let keys = match &self.root {
            Node::Object(entries) => entries.len(),
            _ => 0,
        };
        let forms = [
            (Numbers::Decimals, self.has.other_numbers),
            (Numbers::MoneyDecimals, self.has.whole_numbers || self.has.other_numbers),
            (Numbers::MoneyFloats, self.has.whole_numbers),
            (Numbers::Floats, self.has.whole_numbers),
            (Numbers::Shortest, self.has.other_numbers),
            (Numbers::AllDecimals, self.has.whole_numbers || self.has.other_numbers),
        ];
        for (numbers, _) in forms.into_iter().filter(|(_, differs)| *differs) {
            styles.extend(first(2).map(|style| Style { numbers, ..style }));
        }
        let named = |style: Style, order| Style { order, ..style };
        if self.has.unsorted_keys {
            styles.extend(first(5).map(|style| named(style, Order::Sorted)));
            // Go's maps.
            styles.extend(STYLES.iter().skip(11).take(1).map(|style| named(*style, Order::Sorted)));
        }
        if (2..=PERMUTED_KEYS).contains(&keys) {
            for index in 1..(1..=keys).product() {
                styles.extend(first(2).map(|style| named(style, Order::Permuted(index))));
            }
        }
        styles.extend(first(2).map(|style| named(style, Order::Reversed)));
        styles
    }

    /// Calls `take` with each text that differs from those before and from what arrived, until it returns something.
    pub(super) fn each<T>(&self, most: usize, mut take: impl FnMut(&[u8], Style) -> Option<T>) -> Option<T> {
        let hasher = DefaultHashBuilder::default();
        let mut seen: HashSet<u64> = HashSet::from([hasher.hash_one(self.text)]);
        let mut written = Vec::with_capacity(self.text.len() * 2);
        for style in self.styles() {
            written.clear();
            Writer::new(self, style, &mut written).node(&self.root, 0, false);
            if seen.insert(hasher.hash_one(written.as_slice())) {
                if let found @ Some(_) = take(&written, style) {
                    return found;
                }
                if seen.len() > most {
                    return None;
                }
            }
        }
        None
    }
}

/// Takes apart what is known to be JSON; the depth is bounded by who checked that.
struct Parser<'b> {
    text: &'b [u8],
    at: usize,
    has: Features,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn node(&mut self) -> Option<Node> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(Node::Text),
            first => {
                let start = self.at;
                let is_more = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                while self.text.get(self.at).is_some_and(is_more) {
                    self.at += 1;
                }
                if first.is_ascii_alphabetic() {
                    return Some(Node::Word(start..self.at));
                }
                let is_whole = !self.text.get(start..self.at)?.iter().any(|byte| b".eE".contains(byte));
                self.has.whole_numbers |= is_whole;
                self.has.other_numbers |= !is_whole;
                Some(Node::Number(start..self.at))
            }
        }
    }

    fn object(&mut self) -> Option<Node> {
        let mut entries: Vec<(Text, Node)> = Vec::new();
        self.at += 1;
        while self.peek()? != b'}' {
            self.skip(b',');
            self.peek()?;
            let key = self.string()?;
            if let Some((before, _)) = entries.last() {
                self.has.unsorted_keys |= self.text.get(before.raw.clone()) > self.text.get(key.raw.clone());
            }
            self.peek()?;
            self.skip(b':');
            entries.push((key, self.node()?));
        }
        self.at += 1;
        Some(Node::Object(entries))
    }

    fn array(&mut self) -> Option<Node> {
        let mut items = Vec::new();
        self.at += 1;
        while self.peek()? != b']' {
            self.skip(b',');
            items.push(self.node()?);
        }
        self.at += 1;
        Some(Node::Array(items))
    }

    fn skip(&mut self, byte: u8) {
        if self.text.get(self.at) == Some(&byte) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<Text> {
        self.at += 1;
        let start = self.at;
        let mut is_special = false;
        loop {
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    is_special = true;
                    self.at += 1;
                }
                b'/' => {
                    is_special = true;
                    self.has.slashes = true;
                }
                byte => is_special |= !byte.is_ascii() || b"<>&'+`=\x7f".contains(byte),
            }
            self.at += 1;
        }
        let raw = start..self.at;
        self.at += 1;
        let special = if is_special {
            let quoted = self.text.get(start - 1..self.at)?;
            // A lone surrogate has no text of its own, and stays as it came.
            let text = serde_json::from_slice::<String>(quoted).ok();
            self.has.escapable |= text.as_ref().is_some_and(|text| text.contains(is_escapable));
            text
        } else {
            None
        };
        Some(Text { raw, special })
    }
}

struct Writer<'d, 'b, 'o> {
    document: &'d Document<'b>,
    style: Style,
    /// The bytes that the style writes as they are, but for slashes.
    plain: &'static [bool; 256],
    out: &'o mut Vec<u8>,
}

impl<'d, 'b, 'o> Writer<'d, 'b, 'o> {
    fn new(document: &'d Document<'b>, style: Style, out: &'o mut Vec<u8>) -> Self {
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
            out,
        }
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
            Order::Reversed => places.reverse(),
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
        let value = raw.parse::<f64>().ok().filter(|value| value.abs() < 1e15);
        let written = match (self.style.numbers, value) {
            (Numbers::Shortest, Some(value)) if !is_whole => Some(format!("{value}")),
            (Numbers::Floats, Some(_)) if is_whole => Some(format!("{raw}.0")),
            (Numbers::MoneyFloats, Some(_)) if is_whole && is_money => Some(format!("{raw}.0")),
            (Numbers::Decimals, Some(value)) if !is_whole => Some(format!("{value:.2}")),
            (Numbers::MoneyDecimals, Some(value)) if is_money => Some(format!("{value:.2}")),
            (Numbers::AllDecimals, Some(value)) => Some(format!("{value:.2}")),
            _ => None,
        };
        match written {
            Some(text) => self.push(&text),
            None => self.push(raw),
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
fn is_escapable(character: char) -> bool {
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
