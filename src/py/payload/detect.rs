//! Which parts of a payload are what, told from its shape: nothing in a delivery says what kind it is.

use std::ops::RangeInclusive;

use hashbrown::HashMap;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::fields::lines;
use super::value::{Reader, Value};
use super::views::{Cart, Order, Page, Product};
use crate::payload::lookup::{Fields, Node as _};
use crate::payload::names::{Concept, Place};

/// An object that is read as one of the views.
enum Part<'p, 'py> {
    /// One of its own.
    Own(Value<'py>),
    /// The top level.
    Top(&'p Value<'py>),
}

impl<'py> Part<'_, 'py> {
    fn value(&self) -> &Value<'py> {
        match self {
            Self::Own(value) => value,
            Self::Top(value) => value,
        }
    }
}

struct Parts<'p, 'py> {
    cart: Option<Part<'p, 'py>>,
    order: Option<Part<'p, 'py>>,
    product: Option<Part<'p, 'py>>,
    page: Option<Part<'p, 'py>>,
    is_alert: bool,
}

impl<'p, 'py> Parts<'p, 'py> {
    fn new(reader: &Reader<'_, 'py>, payload: &'p Value<'py>, top: &Fields<Value<'py>>) -> Self {
        let object = |concept| {
            reader.find(top, concept, |value| {
                value
                    .dict()
                    .map(|dict| Part::Own(value.sibling(dict.clone().into_any())))
            })
        };
        let has = |concept| {
            reader
                .find(top, concept, |value| value.holds_something().then_some(()))
                .is_some()
        };
        let top_if = |is_here: bool| is_here.then_some(Part::Top(payload));

        let (cart, order) = (object(Concept::Cart), object(Concept::Order));
        let has_order = order.is_some() || has(Concept::OrderMarker);
        // An order has more to tell than its lines, so lines alone are a cart.
        let cart_here = cart.is_none() && (has(Concept::CartMarker) || (!has_order && has(Concept::Items)));
        // A cart may have an order's number as well.
        let order_here = order.is_none() && has_order && !cart_here;
        Self {
            cart: cart.or_else(|| top_if(cart_here)),
            order: order.or_else(|| top_if(order_here)),
            product: object(Concept::Product).or_else(|| top_if(has(Concept::ProductMarker))),
            page: object(Concept::Page).or_else(|| top_if(has(Concept::PageUrl))),
            is_alert: has(Concept::AlertMarker),
        }
    }
}

/// What `read` makes of the parts of `payload`; `None` if that is not an object.
fn with_parts<'py, T>(
    reader: &Reader<'_, 'py>,
    payload: &Value<'py>,
    read: impl FnOnce(&Parts<'_, 'py>) -> T,
) -> Option<T> {
    payload.fields(reader.names, |top| read(&Parts::new(reader, payload, top)))
}

/// The view that `of` makes of one of the parts.
fn view<'py, V>(
    reader: &Reader<'_, 'py>,
    payload: &Value<'py>,
    part: impl for<'p> FnOnce(&'p Parts<'p, 'py>) -> Option<&'p Part<'p, 'py>>,
    of: fn(&Reader<'_, 'py>, &Bound<'py, PyDict>, &Fields<Value<'py>>) -> V,
) -> Option<V> {
    with_parts(reader, payload, |parts| {
        let value = part(parts)?.value();
        value.fields(reader.names, |fields| Some(of(reader, value.dict()?, fields)))?
    })?
}

pub(crate) fn cart<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Cart> {
    view(reader, payload, |parts| parts.cart.as_ref(), Cart::of)
}

pub(crate) fn order<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Order> {
    view(reader, payload, |parts| parts.order.as_ref(), Order::of)
}

pub(crate) fn product<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Product> {
    view(reader, payload, |parts| parts.product.as_ref(), Product::of)
}

pub(crate) fn page<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Page> {
    view(reader, payload, |parts| parts.page.as_ref(), Page::of)
}

/// The lines at a path of the user's own.
pub(crate) fn users_items<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Bound<'py, PyTuple>> {
    let places = reader.names.users_places(Concept::Items);
    payload.fields(reader.names, |top| {
        top.find_at(reader.names, places, &mut |value| lines(reader, value))
    })?
}

/// The lines at the top level.
pub(crate) fn items<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Bound<'py, PyTuple>> {
    payload.fields(reader.names, |top| {
        reader.find(top, Concept::Items, |value| lines(reader, value))
    })?
}

/// The coupon codes at the first of the places that holds any.
pub(crate) fn coupons<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Vec<Bound<'py, PyString>> {
    let found = payload.fields(reader.names, |top| {
        let mut texts = Texts::default();
        reader
            .names
            .places(Concept::Coupons)
            .iter()
            .find_map(|place| match place {
                Place::Numbered(name) => some(
                    top.numbered(*name)
                        .into_iter()
                        .flat_map(|value| codes(reader, value, &mut texts))
                        .collect(),
                ),
                place @ Place::Path(_) => top.find_at(reader.names, std::slice::from_ref(place), &mut |value| {
                    some(codes(reader, value, &mut texts))
                }),
            })
    });
    found.flatten().unwrap_or_default()
}

fn some<T>(codes: Vec<T>) -> Option<Vec<T>> {
    (!codes.is_empty()).then_some(codes)
}

/// The codes in one value: a code, an object with one, or a list of either.
fn codes<'py>(reader: &Reader<'_, 'py>, value: &Value<'py>, texts: &mut Texts<'py>) -> Vec<Bound<'py, PyString>> {
    let mut code = |value: &Value<'py>| {
        let of_object = || {
            value.fields(reader.names, |fields| {
                reader.find(fields, Concept::CouponCode, Value::text_or_digits)
            })?
        };
        texts.of(value).or_else(of_object)
    };
    match value.elements() {
        Some(elements) => elements.filter_map(|element| code(&element)).collect(),
        None => code(value).into_iter().collect(),
    }
}

/// Texts of small integers, each made once: as numbers they are one object wherever they are, and so a million of them
/// take next to no memory.
#[derive(Default)]
struct Texts<'py>(HashMap<i64, Bound<'py, PyString>>);

impl<'py> Texts<'py> {
    fn of(&mut self, value: &Value<'py>) -> Option<Bound<'py, PyString>> {
        /// CPython has one object for each of them.
        const SMALL: RangeInclusive<i64> = -5..=256;
        let small = value.integer().filter(|integer| SMALL.contains(integer));
        let Some(integer) = small else {
            return value.text_or_digits();
        };
        if let Some(text) = self.0.get(&integer) {
            return Some(text.clone());
        }
        let text = value.text_or_digits()?;
        self.0.insert(integer, text.clone());
        Some(text)
    }
}

/// What set the journey off, as far as the shape of the payload tells.
pub(crate) fn journey<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> &'static str {
    let guess = with_parts(reader, payload, |parts| match parts {
        Parts { is_alert: true, .. } => "alert",
        Parts { order: Some(_), .. } => "order",
        Parts { cart: Some(_), .. } => "cart",
        Parts { product: Some(_), .. } => "product",
        Parts { page: Some(_), .. } => "page",
        _ => "custom",
    });
    guess.unwrap_or("custom")
}
