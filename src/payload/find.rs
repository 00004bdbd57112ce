//! Looking names up, in whatever holds them.

use std::ops::Range;

use super::names::{Concept, Names, Path, push_normal};

/// A JSON value that can be looked into.
pub trait Node: Sized {
    /// What a string is handed out as.
    type Text;

    /// Calls `look` with the fields of an object; `None` for anything else.
    fn fields<R>(&self, look: impl FnOnce(&Fields<Self>) -> R) -> Option<R>;

    /// What `look` makes of the first element of a list of which it makes anything.
    fn first<R>(&self, look: impl FnMut(&Self) -> Option<R>) -> Option<R>;

    /// Calls `look` with the text of a string; `None` for anything else.
    fn string<R>(&self, look: impl FnOnce(&str) -> R) -> Option<R>;

    /// A string that is not empty.
    fn text(&self) -> Option<Self::Text>;

    /// The same, or a number as its digits.
    fn text_or_digits(&self) -> Option<Self::Text>;
}

/// The fields of one object, by normalized name, in the order in which they came.
#[derive(Debug)]
pub struct Fields<N> {
    // All names, one after another: an allocation for each would be most of the work.
    names: String,
    entries: Vec<(Range<usize>, N)>,
}

impl<N> Fields<N> {
    /// No fields, with room for `count`.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        Self {
            names: String::with_capacity(count.saturating_mul(12)),
            entries: Vec::with_capacity(count),
        }
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: &str, node: N) {
        let start = self.names.len();
        push_normal(name, &mut self.names);
        self.entries.push((start..self.names.len(), node));
    }

    /// Adds a field under a name that is normalized already, unless there is one of that name; returns whether there
    /// was none.
    pub fn push_new(&mut self, normalized: &str, node: N) -> bool {
        let is_new = self.iter().all(|(name, _)| name != normalized);
        let start = self.names.len();
        self.names.push_str(normalized);
        self.entries.push((start..self.names.len(), node));
        is_new
    }

    /// The normalized names and the values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &N)> {
        self.entries
            .iter()
            .map(|(name, node)| (self.names.get(name.clone()).unwrap_or_default(), node))
    }
}

impl<N: Node> Fields<N> {
    /// What `read` makes of the first field, of those that can be `concept`, of which it makes anything.
    pub fn find<T>(&self, names: &Names, concept: Concept, mut read: impl FnMut(&N) -> Option<T>) -> Option<T> {
        self.find_at(names.paths(concept), &mut read)
    }

    /// The same, at `paths`.
    pub fn find_at<T>(&self, paths: &[Path], read: &mut impl FnMut(&N) -> Option<T>) -> Option<T> {
        paths.iter().find_map(|path| self.walk(path.names(), read))
    }

    fn walk<T>(&self, path: &[String], read: &mut impl FnMut(&N) -> Option<T>) -> Option<T> {
        let (first, rest) = path.split_first()?;
        self.iter().filter(|(name, _)| name == first).find_map(|(_, node)| {
            if rest.is_empty() {
                read(node)
            } else {
                node.fields(|fields| fields.walk(rest, read)).flatten()
            }
        })
    }
}
