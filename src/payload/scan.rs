//! One pass over the bytes of a body, which proves that they are a JSON object and keeps what can name the contact.
//!
//! What is out of the ordinary (a lone surrogate or a huge number for a contact, a name that comes twice, dozens of
//! candidates) ends the pass; it is then for the payload to say what the body is, and the contact is looked up in that.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lookup::{Fields, Node};
use super::names::{Name, Names};
use super::{fast_path, number};

/// How many candidates are kept before the pass gives up: more of them are not a contact, and would cost memory.
const MOST: usize = 64;

/// What is kept of a body.
#[derive(Debug)]
pub enum Scanned<'a> {
    /// A string.
    String(Cow<'a, str>),
    /// A number, as text.
    Digits(String),
    /// An object, with those of its fields that can be of use.
    Object(Fields<Scanned<'a>>),
    /// A list, with those of its elements that are objects.
    List(Vec<Scanned<'a>>),
    /// Anything else.
    Other,
}

impl<'a> Node for Scanned<'a> {
    type Text = Cow<'a, str>;

    fn fields<R>(&self, _: &Names, look: impl FnOnce(&Fields<Self>) -> R) -> Option<R> {
        match self {
            Self::Object(fields) => Some(look(fields)),
            _ => None,
        }
    }

    fn first<R>(&self, look: impl FnMut(&Self) -> Option<R>) -> Option<R> {
        match self {
            Self::List(elements) => elements.iter().find_map(look),
            _ => None,
        }
    }

    fn string<R>(&self, look: impl FnOnce(&str) -> R) -> Option<R> {
        match self {
            Self::String(text) => Some(look(text)),
            _ => None,
        }
    }

    fn text(&self) -> Option<Self::Text> {
        match self {
            Self::String(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    fn text_or_digits(&self) -> Option<Self::Text> {
        match self {
            Self::Digits(digits) => Some(digits.clone().into()),
            _ => self.text(),
        }
    }
}

/// The fields of the JSON object in `text` that can name the contact; `None` where the payload has to decide.
///
/// The payload's limits of depth and digits do not apply here, because nothing is built of what is skipped.
#[must_use]
pub fn scan<'a>(text: &'a str, names: &Names) -> Option<Fields<Scanned<'a>>> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let mut pass = Pass { names, room: MOST };
    let kept = parser
        .deserialize_map(Kept {
            pass: &mut pass,
            level: 0,
        })
        .ok()?;
    parser.end().ok()?;
    match kept {
        Scanned::Object(fields) => Some(fields),
        _ => None,
    }
}

struct Pass<'n> {
    names: &'n Names,
    room: usize,
}

impl Pass<'_> {
    fn take_room<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.room = self
            .room
            .checked_sub(1)
            .ok_or_else(|| E::custom("too many candidates"))?;
        Ok(())
    }
}

/// A value that is kept.
struct Kept<'p, 'n> {
    pass: &'p mut Pass<'n>,
    level: usize,
}

impl<'de> DeserializeSeed<'de> for Kept<'_, '_> {
    type Value = Scanned<'de>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Scanned<'de>, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kept<'_, '_> {
    type Value = Scanned<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scanned<'de>, E> {
        Ok(Scanned::Other)
    }

    fn visit_unit<E>(self) -> Result<Scanned<'de>, E> {
        Ok(Scanned::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scanned<'de>, E> {
        Ok(Scanned::Digits(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scanned<'de>, E> {
        Ok(Scanned::Digits(number.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, float: f64) -> Result<Scanned<'de>, E> {
        if fast_path::may_have_been_an_integer(float) {
            return Err(E::custom("an integer beyond 64 bits, or a negative zero"));
        }
        Ok(number::of_float(float).map_or(Scanned::Other, Scanned::Digits))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scanned<'de>, E> {
        Ok(Scanned::String(text.to_owned().into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scanned<'de>, E> {
        Ok(Scanned::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Scanned<'de>, A::Error> {
        let mut objects = Vec::new();
        let level = self.level + 1;
        while let Some(element) = elements.next_element_seed(Kept { pass: self.pass, level })? {
            if matches!(element, Scanned::Object(_)) {
                self.pass.take_room()?;
                objects.push(element);
            }
        }
        Ok(Scanned::List(objects))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scanned<'de>, A::Error> {
        let level = self.level + 1;
        let mut fields = Fields::default();
        while let Some(key) = entries.next_key_seed(NameSeed {
            names: self.pass.names,
            level: self.level,
        })? {
            let Some(name) = key else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = entries.next_value_seed(Kept { pass: self.pass, level })?;
            self.pass.take_room()?;
            if !fields.push_new(name, value) {
                // Which of them counts depends on whether it is the same key or another spelling.
                return Err(A::Error::custom("a name that comes twice"));
            }
        }
        Ok(Scanned::Object(fields))
    }
}

/// A key: its name if its value is to be kept.
struct NameSeed<'n> {
    names: &'n Names,
    level: usize,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<Name>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<Name>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.names.on_the_way_to_the_contact(key, self.level))
    }
}
