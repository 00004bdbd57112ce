//! Who a delivery is about, without reading the rest of it.

use super::lookup::{Fields, Node};
use super::names::{Concept, Names};

/// The contact's address in the top-level object's `fields`.
pub fn email<N: Node>(fields: &Fields<N>, names: &Names) -> Option<N::Text> {
    fields
        .find(names, Concept::Email, N::text)
        .or_else(|| identifier(fields, names, Concept::EmailIdentifier, N::text))
}

/// The contact's phone number in the top-level object's `fields`.
pub fn phone<N: Node>(fields: &Fields<N>, names: &Names) -> Option<N::Text> {
    fields
        .find(names, Concept::Phone, N::text_or_digits)
        .or_else(|| identifier(fields, names, Concept::PhoneIdentifier, N::text_or_digits))
}

/// The value of the first identifier of one kind, in a list such as
/// `[{"identifierType": "EmailAddress", "value": "jane@example.com"}]`.
fn identifier<N: Node>(
    fields: &Fields<N>,
    names: &Names,
    kind: Concept,
    read: fn(&N) -> Option<N::Text>,
) -> Option<N::Text> {
    let is_of_kind = |node: &N| node.string(|text| names.is_one_of(text, kind)).filter(|same| *same);
    fields.find(names, Concept::Identifiers, |list| {
        list.first(|element| {
            let value = element.fields(names, |fields| {
                fields.find(names, Concept::IdentifierType, is_of_kind)?;
                fields.find(names, Concept::IdentifierValue, read)
            });
            value.flatten()
        })
    })
}
