//! Looking names up, in whatever holds them.

use super::names::{Concept, Name, NameSet, Names, Place};

/// A JSON value that can be looked into.
pub trait Node: Sized {
    /// What a string is handed out as.
    type Text;

    /// Calls `look` with the fields of an object; `None` for anything else.
    fn fields<R>(&self, names: &Names, look: impl FnOnce(&Fields<Self>) -> R) -> Option<R>;

    /// What `look` makes of the first element of a list of which it makes anything.
    fn first<R>(&self, look: impl FnMut(&Self) -> Option<R>) -> Option<R>;

    /// Calls `look` with the text of a string; `None` for anything else.
    fn string<R>(&self, look: impl FnOnce(&str) -> R) -> Option<R>;

    /// A string that is not empty.
    fn text(&self) -> Option<Self::Text>;

    /// The same, or a number as its digits.
    fn text_or_digits(&self) -> Option<Self::Text>;
}

/// The fields of one object whose names are in the table.
///
/// Those of the same name stay in the order in which they came.
#[derive(Debug)]
pub struct Fields<N> {
    entries: Vec<Field<N>>,
    names: NameSet,
    are_sorted: bool,
}

#[derive(Debug)]
struct Field<N> {
    name: Name,
    number: u32,
    node: N,
}

impl<N> Default for Fields<N> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            names: NameSet::default(),
            are_sorted: false,
        }
    }
}

impl<N> Fields<N> {
    /// From this many on, sorting them costs less than going through all of them for each name.
    const MANY: usize = 32;

    /// Adds a field behind the others, with its number if its name has one.
    pub fn push(&mut self, name: Name, number: u32, node: N) {
        self.entries.push(Field { name, number, node });
        self.names.add(name);
        self.are_sorted = false;
    }

    /// Adds a field unless there is one of that name; returns whether there was none.
    pub fn push_new(&mut self, name: Name, node: N) -> bool {
        let is_new = self.named(name).next().is_none();
        self.push(name, 0, node);
        is_new
    }

    /// Forgets all, for the fields of another object.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.names = NameSet::default();
    }

    /// Makes them quick to look up, if there are many.
    pub fn sort(&mut self) {
        if self.entries.len() >= Self::MANY {
            self.entries.sort_by_key(|field| field.name);
            self.are_sorted = true;
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The fields of a name with their numbers.
    fn named(&self, name: Name) -> impl Iterator<Item = (u32, &N)> {
        let fields = if self.are_sorted {
            let start = self.entries.partition_point(|field| field.name < name);
            self.entries.get(start..).unwrap_or_default()
        } else {
            &self.entries
        };
        let (sorted, found) = (self.are_sorted, move |field: &&Field<N>| field.name == name);
        let fields = fields.iter().take_while(move |field| !sorted || found(field));
        fields.filter(found).map(|field| (field.number, &field.node))
    }

    /// The fields of a name with numbers, in the order of these.
    #[must_use]
    pub fn numbered(&self, name: Name) -> Vec<&N> {
        let mut fields: Vec<_> = self.named(name).collect();
        fields.sort_by_key(|(number, _)| *number);
        fields.into_iter().map(|(_, node)| node).collect()
    }
}

impl<N: Node> Fields<N> {
    /// What `read` makes of the first field, of those that can be `concept`, of which it makes anything.
    pub fn find<T>(&self, names: &Names, concept: Concept, mut read: impl FnMut(&N) -> Option<T>) -> Option<T> {
        self.find_at(names, names.places_among(concept, self.names), &mut read)
    }

    /// The same, at `places`.
    pub fn find_at<T>(&self, names: &Names, places: &[Place], read: &mut impl FnMut(&N) -> Option<T>) -> Option<T> {
        places.iter().find_map(|place| match place {
            Place::Path(path) => self.walk(names, path, read),
            Place::Numbered(name) => self.numbered(*name).into_iter().find_map(&mut *read),
        })
    }

    fn walk<T>(&self, names: &Names, path: &[Name], read: &mut impl FnMut(&N) -> Option<T>) -> Option<T> {
        let (first, rest) = path.split_first()?;
        self.named(*first).find_map(|(_, node)| {
            if rest.is_empty() {
                read(node)
            } else {
                node.fields(names, |fields| fields.walk(names, rest, read)).flatten()
            }
        })
    }
}
