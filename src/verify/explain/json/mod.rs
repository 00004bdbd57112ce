//! The texts that a serializer may have written for the JSON that arrived.
//!
//! Where a body was parsed and written again, the sender's own text is gone, and what it was can only be guessed: by
//! writing the same JSON in the ways of the usual serializers. Strings and numbers are kept as they came, so nothing is
//! lost that a parser of ours could lose.

mod writer;

use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashSet};

use self::writer::{Writer, is_escapable};
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
    Padded,
    Two,
    TwoCrlf,
    Four,
    FourCrlf,
    Tabs,
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
            Self::Padded | Self::JacksonsArrays => (", ", ": ", " ", None),
            Self::Two => (",", ": ", "", Some(("\n", "  "))),
            Self::TwoCrlf => (",", ": ", "", Some(("\r\n", "  "))),
            Self::Four => (",", ": ", "", Some(("\n", "    "))),
            Self::FourCrlf => (",", ": ", "", Some(("\r\n", "    "))),
            Self::Tabs => (",", ": ", "", Some(("\n", "\t"))),
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
    /// The so-and-so-manieth order of the outermost keys.
    Permuted(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Same,
    /// `89.9` for `89.90`, `1` for `1.0`, `100` for `1e2`.
    Shortest,
    /// `1.0` for what is whole, and money by its name.
    MoneyFloats,
    /// Two decimals for what has any.
    Decimals,
    /// Two decimals for what is money by its name.
    MoneyDecimals,
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
    style("Jackson's pretty printer", Layout::Jackson, Escapes::Few),
    slashed(style("PHP's json_encode, pretty", Layout::Four, Escapes::Ascii)),
    slashed(style(
        "PHP's json_encode, pretty, unescaped Unicode",
        Layout::Four,
        Escapes::Few,
    )),
    style("Gson", Layout::Compact, Escapes::Gson),
    style("JSON with spaces in its brackets", Layout::Padded, Escapes::Few),
];

/// The most values in a document: each takes memory, and no cart has so many.
const MOST_NODES: usize = 300_000;

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
            nodes: 0,
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
            (Numbers::Shortest, self.has.other_numbers),
        ];
        for (numbers, _) in forms.into_iter().filter(|(_, differs)| *differs) {
            styles.extend(first(2).map(|style| Style { numbers, ..style }));
        }
        if self.has.whole_numbers || self.has.other_numbers {
            // System.Text.Json, and what people write by hand.
            let written = [4, 5].into_iter().filter_map(|place| STYLES.get(place));
            for style in written {
                for numbers in [Numbers::Decimals, Numbers::MoneyDecimals] {
                    styles.push(Style { numbers, ..*style });
                }
            }
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
        styles
    }

    /// The other texts, one after the other.
    pub(super) fn texts(&self) -> Texts<'_, 'b> {
        let hasher = DefaultHashBuilder::default();
        Texts {
            document: self,
            styles: self.styles().into_iter(),
            seen: HashSet::from([hasher.hash_one(self.text)]),
            hasher,
            written: Vec::with_capacity(self.text.len() * 2),
        }
    }
}

/// The texts of a document that differ from each other and from what arrived, each written when it is asked for.
pub(super) struct Texts<'d, 'b> {
    document: &'d Document<'b>,
    styles: std::vec::IntoIter<Style>,
    hasher: DefaultHashBuilder,
    seen: HashSet<u64>,
    written: Vec<u8>,
}

impl Texts<'_, '_> {
    /// The next one; `spend` is asked before each whether as many bytes may be written.
    pub(super) fn next(&mut self, mut spend: impl FnMut(usize) -> bool) -> Option<(&[u8], Style)> {
        loop {
            let style = self.styles.next()?;
            if !spend(self.document.text.len()) {
                return None;
            }
            self.written.clear();
            let is_whole = Writer::new(self.document, style, &mut self.written).write();
            if is_whole && self.seen.insert(self.hasher.hash_one(self.written.as_slice())) {
                return Some((&self.written, style));
            }
        }
    }
}

/// Takes apart what is known to be JSON; the depth is bounded by who checked that.
struct Parser<'b> {
    text: &'b [u8],
    at: usize,
    nodes: usize,
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
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return None;
        }
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
                byte => is_special |= !byte.is_ascii() || b"/<>&'+`=\x7f".contains(byte),
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
            self.has.slashes |= text.as_ref().is_some_and(|text| text.contains('/'));
            text
        } else {
            None
        };
        Some(Text { raw, special })
    }
}
