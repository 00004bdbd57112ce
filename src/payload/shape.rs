//! Which parts of a payload are what, told from its shape: nothing in a delivery says what kind it is.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::find::{Fields, Node as _};
use super::kinds::lines;
use super::names::Concept;
use super::value::{Reader, Value};
use super::views::{Cart, Order, Page, Product};

/// The objects that are read as one of the views: one of their own, or the top level.
struct Parts<'py> {
    cart: Option<Value<'py>>,
    order: Option<Value<'py>>,
    product: Option<Value<'py>>,
    page: Option<Value<'py>>,
    is_alert: bool,
}

impl<'py> Parts<'py> {
    fn new(reader: &Reader<'_, 'py>, payload: &Value<'py>, top: &Fields<Value<'py>>) -> Self {
        let object = |concept| reader.find(top, concept, |value| value.dict().map(|_| value.clone()));
        let has = |concept| {
            reader
                .find(top, concept, |value| holds_something(value).then_some(()))
                .is_some()
        };
        let top_if = |is_here: bool| is_here.then(|| payload.clone());

        let (cart, order) = (object(Concept::Cart), object(Concept::Order));
        let has_order = order.is_some() || has(Concept::OrderSign);
        // An order has more to tell than its lines, so lines alone are a cart.
        let cart_here = cart.is_none() && (has(Concept::CartSign) || (!has_order && has(Concept::Items)));
        // A cart may have an order's number as well.
        let order_here = order.is_none() && has_order && !cart_here;
        Self {
            cart: cart.or_else(|| top_if(cart_here)),
            order: order.or_else(|| top_if(order_here)),
            product: object(Concept::Product).or_else(|| top_if(has(Concept::ProductSign))),
            page: object(Concept::Page).or_else(|| top_if(has(Concept::PageUrl))),
            is_alert: has(Concept::AlertSign),
        }
    }
}

fn holds_something(value: &Value<'_>) -> bool {
    value.text_or_digits().is_some() || value.elements().is_some_and(|elements| !elements.is_empty())
}

/// What `read` makes of the parts of `payload`; `None` where that is no object.
fn with_parts<'py, T>(
    reader: &Reader<'_, 'py>,
    payload: &Value<'py>,
    read: impl FnOnce(&Parts<'py>, &Fields<Value<'py>>) -> T,
) -> Option<T> {
    payload.fields(|top| read(&Parts::new(reader, payload, top), top))
}

pub(crate) fn cart<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Cart> {
    with_parts(reader, payload, |parts, _| Cart::read(reader, parts.cart.as_ref()?))?
}

pub(crate) fn order<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Order> {
    with_parts(reader, payload, |parts, _| Order::read(reader, parts.order.as_ref()?))?
}

pub(crate) fn product<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Product> {
    with_parts(reader, payload, |parts, _| {
        Product::read(reader, parts.product.as_ref()?)
    })?
}

pub(crate) fn page<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Page> {
    with_parts(reader, payload, |parts, _| Page::read(reader, parts.page.as_ref()?))?
}

/// The lines at a path of the user's own.
pub(crate) fn users_items<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Bound<'py, PyTuple>> {
    let paths = reader.names.users_paths(Concept::Items);
    payload.fields(|top| top.find_at(paths, &mut |value| lines(reader, value)))?
}

/// The lines at the top level.
pub(crate) fn items<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Option<Bound<'py, PyTuple>> {
    payload.fields(|top| reader.find(top, Concept::Items, |value| lines(reader, value)))?
}

/// The coupon codes at the first of the places that holds any.
pub(crate) fn coupons<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> Vec<Bound<'py, PyString>> {
    let found = payload.fields(|top| {
        reader.names.paths(Concept::Coupons).iter().find_map(|path| {
            let codes = match path.numbered() {
                Some(stem) => numbered_coupons(reader, top, stem),
                None => top
                    .find_at(std::slice::from_ref(path), &mut |value| some_codes(reader, value))
                    .unwrap_or_default(),
            };
            (!codes.is_empty()).then_some(codes)
        })
    });
    found.flatten().unwrap_or_default()
}

/// Those in `coupon1`, `coupon2` and so on, in the order of the numbers.
fn numbered_coupons<'py>(reader: &Reader<'_, 'py>, top: &Fields<Value<'py>>, stem: &str) -> Vec<Bound<'py, PyString>> {
    let number = |name: &str| {
        // `parse` alone would take a sign.
        let digits = name
            .strip_prefix(stem)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u32>().ok()
    };
    let mut places: Vec<_> = top
        .iter()
        .filter_map(|(name, value)| Some((number(name)?, value)))
        .collect();
    places.sort_by_key(|(number, _)| *number);
    places.into_iter().flat_map(|(_, value)| codes(reader, value)).collect()
}

fn some_codes<'py>(reader: &Reader<'_, 'py>, value: &Value<'py>) -> Option<Vec<Bound<'py, PyString>>> {
    Some(codes(reader, value)).filter(|codes| !codes.is_empty())
}

/// The codes in one value: a code, an object with one, or a list of either.
fn codes<'py>(reader: &Reader<'_, 'py>, value: &Value<'py>) -> Vec<Bound<'py, PyString>> {
    let code = |value: &Value<'py>| {
        let of_object = || value.fields(|fields| reader.find(fields, Concept::CouponCode, Value::text_or_digits))?;
        value.text_or_digits().or_else(of_object)
    };
    match value.elements() {
        Some(elements) => elements.iter().filter_map(code).collect(),
        None => code(value).into_iter().collect(),
    }
}

/// What set the journey off, as far as the shape of the payload tells.
pub(crate) fn journey<'py>(reader: &Reader<'_, 'py>, payload: &Value<'py>) -> &'static str {
    let guess = with_parts(reader, payload, |parts, _| match parts {
        Parts { is_alert: true, .. } => "alert",
        Parts { order: Some(_), .. } => "order",
        Parts { cart: Some(_), .. } => "cart",
        Parts { product: Some(_), .. } => "product",
        Parts { page: Some(_), .. } => "page",
        _ => "custom",
    });
    guess.unwrap_or("custom")
}
