//! Names as the alias table has them: compared without regard to case, `_`, `-` and spaces, and each made one number.

use hashbrown::HashMap;
use smallvec::SmallVec;

pub use super::aliases::Concept;

/// A longer key is not looked at: it is nobody's name for anything, and taking one apart costs time. A user's own names
/// may be longer.
const LONGEST_KEY: usize = 256;

/// Names as they are compared, from the outermost object inwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// The path in `text`, whose dots separate the levels; `None` where a level has no name.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let names: Vec<String> = text.split('.').map(normal).collect();
        (!names.iter().any(String::is_empty)).then_some(Self(names))
    }

    /// What is in front of the number, if the path is one name that ends in `#`.
    fn numbered(&self) -> Option<&str> {
        match self.0.as_slice() {
            [name] => name.strip_suffix('#'),
            _ => None,
        }
    }
}

/// `name` as names are compared.
fn normal(name: &str) -> String {
    let letters = name
        .chars()
        .filter(|letter| !u8::try_from(*letter).is_ok_and(is_separator));
    letters.flat_map(char::to_lowercase).collect()
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b' ')
}

type Normalized = SmallVec<[u8; 64]>;

/// `name` as names are compared; `None` if it has more than `limit` bytes then, which is known without reading all of it.
fn normal_up_to(limit: usize, name: &str) -> Option<Normalized> {
    let mut normalized = Normalized::new();
    if name.is_ascii() {
        for byte in name.bytes().filter(|byte| !is_separator(*byte)) {
            if normalized.len() == limit {
                return None;
            }
            normalized.push(byte.to_ascii_lowercase());
        }
    } else {
        let letters = name.chars().filter(|letter| !matches!(letter, '_' | '-' | ' '));
        for letter in letters.flat_map(char::to_lowercase) {
            let mut bytes = [0; 4];
            normalized.extend_from_slice(letter.encode_utf8(&mut bytes).as_bytes());
            if normalized.len() > limit {
                return None;
            }
        }
    }
    Some(normalized)
}

/// Whether `name` is `normalized` as names are compared. Most names differ in their first letters, and then nothing is
/// written down to find that out.
fn is_normally(name: &str, normalized: &str) -> bool {
    if !name.is_ascii() {
        return normal(name) == normalized;
    }
    let mut rest = normalized.bytes();
    for byte in name.bytes().filter(|byte| !is_separator(*byte)) {
        if rest.next() != Some(byte.to_ascii_lowercase()) {
            return false;
        }
    }
    rest.next().is_none()
}

/// One of the names in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(u32);

/// A set of names in a few bits: one that is not in it may seem to be, and never the other way round.
#[derive(Debug, Clone, Copy, Default)]
pub struct NameSet(u128);

impl NameSet {
    /// Adds a name.
    pub const fn add(&mut self, name: Name) {
        self.0 |= 1 << (name.0 % u128::BITS);
    }

    /// Whether it is certain that they have none in common.
    #[must_use]
    pub const fn differ(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }
}

/// Where to look for a concept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the field of this name within those before.
    Path(Box<[Name]>),
    /// In all fields of this name, in the order of their numbers.
    Numbered(Name),
}

impl Place {
    /// The name of the field in which it begins.
    fn first(&self) -> Option<Name> {
        match self {
            Self::Path(names) => names.first().copied(),
            Self::Numbered(name) => Some(*name),
        }
    }
}

/// The table as one webhook uses it: the built-in names, and in front of them the user's.
#[derive(Debug)]
pub struct Names {
    places: Vec<Places>,
    numbered: HashMap<Box<[u8]>, Name>,
    stems: Vec<(Box<[u8]>, Name)>,
    longest: usize,
    contact: [Vec<(Box<str>, Name)>; 2],
    user: Vec<(Concept, Vec<String>)>,
}

#[derive(Debug)]
struct Places {
    users: usize,
    all: Vec<Place>,
    firsts: NameSet,
}

impl Names {
    /// The built-in table.
    #[must_use]
    pub fn built_in() -> Self {
        Self::with(Vec::new(), &[])
    }

    /// The built-in table, with `user`'s paths in front.
    ///
    /// # Errors
    ///
    /// The first path that has a level without a name.
    pub fn new(user: Vec<(Concept, Vec<String>)>) -> Result<Self, String> {
        let mut users_paths = Vec::new();
        for (concept, texts) in &user {
            for text in texts {
                users_paths.push((*concept, Path::new(text).ok_or_else(|| text.clone())?));
            }
        }
        Ok(Self::with(user, &users_paths))
    }

    fn with(user: Vec<(Concept, Vec<String>)>, users_paths: &[(Concept, Path)]) -> Self {
        let mut table = Self {
            places: Vec::with_capacity(Concept::ALL.len()),
            numbered: HashMap::new(),
            stems: Vec::new(),
            longest: 0,
            contact: <[_; 2]>::default(),
            user,
        };
        let mut contact = [Vec::new(), Vec::new()];
        for concept in Concept::ALL {
            let own = users_paths.iter().filter(|(of, _)| of == concept).map(|(_, path)| path);
            let mut paths: Vec<Path> = own.cloned().collect();
            let users = paths.len();
            paths.extend(concept.built_in().iter().filter_map(|text| Path::new(text)));
            table.note_contact(*concept, &paths, &mut contact);
            let all: Vec<Place> = paths.iter().map(|path| table.place(*concept, path)).collect();
            let mut firsts = NameSet::default();
            all.iter().filter_map(Place::first).for_each(|name| firsts.add(name));
            table.places.push(Places { users, all, firsts });
        }
        table.contact = contact.map(|mut names| {
            names.sort();
            names.dedup();
            names
        });
        table
    }

    fn place(&mut self, concept: Concept, path: &Path) -> Place {
        match path.numbered().filter(|_| concept == Concept::Coupons) {
            Some(stem) => Place::Numbered(self.intern_stem(stem)),
            None => Place::Path(path.0.iter().map(|name| self.intern(name)).collect()),
        }
    }

    fn intern(&mut self, name: &str) -> Name {
        let next = self.next();
        self.longest = self.longest.max(name.len());
        *self.numbered.entry(name.as_bytes().into()).or_insert(next)
    }

    fn intern_stem(&mut self, stem: &str) -> Name {
        if let Some((_, name)) = self.stems.iter().find(|(known, _)| **known == *stem.as_bytes()) {
            return *name;
        }
        let next = self.next();
        self.longest = self.longest.max(stem.len());
        self.stems.push((stem.as_bytes().into(), next));
        next
    }

    fn next(&self) -> Name {
        Name(u32::try_from(self.numbered.len() + self.stems.len()).unwrap_or(u32::MAX))
    }

    /// Notes the names on the way to the contact: in the outermost object, and in those within.
    fn note_contact(&mut self, concept: Concept, paths: &[Path], contact: &mut [Vec<(Box<str>, Name)>; 2]) {
        let from = match concept {
            Concept::Email | Concept::Phone | Concept::Identifiers => 0,
            Concept::IdentifierType | Concept::IdentifierValue => 1,
            _ => return,
        };
        for path in paths {
            for (level, name) in path.0.iter().enumerate() {
                if let Some(names) = contact.get_mut((from + level).min(1)) {
                    names.push((name.as_str().into(), self.intern(name)));
                }
            }
        }
    }

    /// Where to look for `concept`, in this order.
    #[must_use]
    pub fn places(&self, concept: Concept) -> &[Place] {
        self.places.get(concept as usize).map_or(&[], |places| &places.all)
    }

    /// The same, if an object with fields of these names can have any of them.
    pub(super) fn places_among(&self, concept: Concept, names: NameSet) -> &[Place] {
        match self.places.get(concept as usize) {
            Some(places) if !places.firsts.differ(names) => &places.all,
            _ => &[],
        }
    }

    /// Those of them that are the user's own.
    #[must_use]
    pub fn users_places(&self, concept: Concept) -> &[Place] {
        self.places
            .get(concept as usize)
            .and_then(|places| places.all.get(..places.users))
            .unwrap_or_default()
    }

    /// What the user added, as it was given.
    #[must_use]
    pub fn user(&self) -> &[(Concept, Vec<String>)] {
        &self.user
    }

    /// Calls `found` with the name that `key` is in the table, and with each name with `#` that it is an instance of,
    /// and its number.
    pub fn find(&self, key: &str, mut found: impl FnMut(Name, u32)) {
        /// As many as a `u32` can have, and a few zeros in front.
        const DIGITS: usize = 20;
        if self.is_too_long(key) {
            return;
        }
        let Some(normalized) = normal_up_to(self.longest + DIGITS, key) else {
            return;
        };
        if let Some(name) = self.numbered.get(normalized.as_slice()) {
            found(*name, 0);
        }
        if normalized.last().is_some_and(u8::is_ascii_digit) {
            for (stem, name) in &self.stems {
                if let Some(number) = normalized.strip_prefix(stem.as_ref()).and_then(number) {
                    found(*name, number);
                }
            }
        }
    }

    /// The name that `text` is in the table.
    fn name(&self, text: &str) -> Option<Name> {
        let mut name = None;
        self.find(text, |found, _| name = name.or(Some(found)));
        name
    }

    /// Whether `text` is, as names are compared, one of the names of `concept`.
    #[must_use]
    pub fn is_one_of(&self, text: &str, concept: Concept) -> bool {
        let Some(found) = self.name(text) else {
            return false;
        };
        let is_it = |place: &Place| matches!(place, Place::Path(names) if **names == [found]);
        self.places(concept).iter().any(is_it)
    }

    /// The name that `key` is, if the contact can be found by way of it in an object on a level, the outermost being 0.
    #[must_use]
    pub fn on_the_way_to_the_contact(&self, key: &str, level: usize) -> Option<Name> {
        let [outermost, within] = &self.contact;
        let names = if level == 0 { outermost } else { within };
        if self.is_too_long(key) {
            return None;
        }
        // Nearly all names are told apart by their first letter.
        let first = key.bytes().find(|byte| !is_separator(*byte))?;
        let lower = first.to_ascii_lowercase();
        let mut alike = names
            .iter()
            .filter(|(normal, _)| normal.bytes().next() == Some(lower) || !first.is_ascii());
        alike
            .find(|(normal, _)| is_normally(key, normal))
            .map(|(_, name)| *name)
    }

    fn is_too_long(&self, key: &str) -> bool {
        key.len() > LONGEST_KEY.max(self.longest.saturating_mul(4))
    }
}

/// The number in `digits`; `parse` alone would take a sign.
fn number(digits: &[u8]) -> Option<u32> {
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
