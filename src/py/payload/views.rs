//! The views as Python sees them: what each has, and under which concept of the alias table it is looked for.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::fields::{Dict, Field, Flag, Lines, Meta, Moment, Number, Object, Opened, Text};
use super::value::{Reader, Value};
use crate::payload::lookup::Fields;
use crate::payload::names::Concept;

/// What all views have in common.
trait View: Sized {
    const NAME: &'static str;

    /// The names and the values of the attributes, in the order of the class.
    fn attributes(&self) -> Vec<(&'static str, &dyn Field)>;

    /// The class and the names of the attributes that there are, without any value: those can be personal.
    fn show(&self) -> String {
        let there = self.attributes().into_iter().filter(|(_, kind)| kind.is_there());
        let names: Vec<String> = there.map(|(name, _)| format!("{name}=...")).collect();
        format!("{}({})", Self::NAME, names.join(", "))
    }

    /// All attributes as one tuple, to compare by.
    fn tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let objects = self.attributes().into_iter().map(|(_, kind)| kind.object(py));
        PyTuple::new(py, objects.collect::<PyResult<Vec<_>>>()?)
    }
}

/// Makes a view: a frozen class with `raw` and the attributes, each with its documentation, kind and concept.
macro_rules! view {
    (
        $(#[$attribute:meta])*
        $view:ident($attributes:ident) { $($(#[$documentation:meta])* $name:ident: $kind:ident = $concept:ident,)* }
    ) => {
        $(#[$attribute])*
        #[pyclass(frozen, module = "listrak_webhooks")]
        pub struct $view {
            raw: Py<PyDict>,
            // Apart, so that one with nothing in it is small: of those a body can hold a million.
            attributes: Option<Box<$attributes>>,
        }

        struct $attributes {
            $($name: $kind,)*
        }

        impl $view {
            /// The view of the object `raw`, which has `fields`.
            pub(crate) fn of<'py>(
                reader: &Reader<'_, 'py>,
                raw: &Bound<'py, PyDict>,
                fields: &Fields<Value<'py>>,
            ) -> Self {
                let read = || {
                    let attributes = $attributes {
                        $($name: $kind::read(reader, fields, Concept::$concept),)*
                    };
                    let is_any_there = false $(|| attributes.$name.is_there())*;
                    is_any_there.then(|| Box::new(attributes))
                };
                Self {
                    raw: raw.clone().unbind(),
                    attributes: (!fields.is_empty()).then(read).flatten(),
                }
            }
        }

        impl View for $view {
            const NAME: &'static str = stringify!($view);

            fn attributes(&self) -> Vec<(&'static str, &dyn Field)> {
                let attributes = self.attributes.as_deref();
                vec![$((stringify!($name), attributes.map_or($kind::ABSENT, |attributes| &attributes.$name))),*]
            }
        }

        #[pymethods]
        impl $view {
            /// What this was read from: the dict in `event.payload`, with everything that the view leaves out.
            #[getter]
            fn raw(&self, py: Python<'_>) -> Dict {
                Dict(self.raw.clone_ref(py))
            }

            $(
                $(#[$documentation])*
                #[getter]
                fn $name(&self) -> &$kind {
                    self.attributes.as_deref().map_or($kind::ABSENT, |attributes| &attributes.$name)
                }
            )*

            fn __eq__(&self, other: &Self, py: Python<'_>) -> PyResult<bool> {
                self.tuple(py)?.eq(other.tuple(py)?)
            }

            fn __repr__(&self) -> String {
                self.show()
            }

            fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                if let Some(attributes) = &self.attributes {
                    $(attributes.$name.visit(&visit)?;)*
                }
                visit.call(&self.raw)
            }
        }
    };
}

view! {
    /// One line of a cart or an order.
    ///
    /// Best effort: Listrak publishes no schema, so each attribute is what the payload has under one of the names that are likely
    /// for it, and `None` where there is nothing of its type. Equal if all attributes are, whatever `raw` holds.
    LineItem(LineItemAttributes) {
        /// The stock keeping unit, as sent; the digits where it is a number.
        sku: Text = Sku,
        /// The product's name or title.
        name: Text = ItemName,
        /// Where its picture is, as sent: a whole URL or a path.
        image_url: Text = ImageUrl,
        /// Where its page is, as sent: a whole URL or a path.
        link_url: Text = LinkUrl,
        /// The brand.
        brand: Text = Brand,
        /// The category.
        category: Text = Category,
        /// The category within that.
        sub_category: Text = SubCategory,
        /// The size, as text also where it is a number.
        size: Text = Size,
        /// The color.
        color: Text = Color,
        /// How many; exact, of a number or a numeric string such as `"1.0000"`.
        quantity: Number = Quantity,
        /// The price of one, exact.
        price: Number = Price,
        /// The reduced price of one, exact.
        sale_price: Number = SalePrice,
        /// The price of all of them, exact.
        total: Number = ItemTotal,
        /// `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        meta: Meta = Meta1,
    }
}

view! {
    /// A cart that was left: the object `cart`, or its fields at the top level.
    ///
    /// Best effort, as `LineItem`.
    Cart(CartAttributes) {
        /// The address that brings the cart back, as sent.
        link: Text = CartLink,
        /// How far the shopper came.
        stage: Text = CartStage,
        /// Where the cart was filled.
        source: Text = CartSource,
        /// What it costs, exact.
        total: Number = CartTotal,
        /// Its lines.
        items: Lines = Items,
        /// `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        meta: Meta = Meta1,
    }
}

view! {
    /// An order: the object `order`, or its fields at the top level.
    ///
    /// Best effort, as `LineItem`.
    Order(OrderAttributes) {
        /// The order number, as sent: leading zeros stay.
        number: Text = OrderNumber,
        /// The status, as text also where it is a number.
        status: Text = OrderStatus,
        /// Where it was placed.
        source: Text = OrderSource,
        /// The currency.
        currency: Text = Currency,
        /// The customer's number, as sent.
        customer_number: Text = CustomerNumber,
        /// The parcel's number, as sent.
        tracking_number: Text = TrackingNumber,
        /// How it is shipped, as the shop calls it.
        shipping_method: Text = ShippingMethod,
        /// When it was placed: aware where the text has a zone, naive otherwise (and then of a zone that nobody states).
        placed_at: Moment = PlacedAt,
        /// What it costs, exact.
        total: Number = OrderTotal,
        /// What its lines cost, exact.
        item_total: Number = OrderItemTotal,
        /// The tax in it, exact.
        tax_total: Number = TaxTotal,
        /// What shipping costs, exact.
        shipping_total: Number = ShippingTotal,
        /// What handling costs, exact.
        handling_total: Number = HandlingTotal,
        /// Its lines.
        items: Lines = Items,
        /// Where it goes, as the payload holds it; `{}` where that is not there.
        shipping_address: Object = ShippingAddress,
        /// Who pays, as the payload holds it; `{}` where that is not there.
        billing_address: Object = BillingAddress,
        /// `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        meta: Meta = Meta1,
    }
}

view! {
    /// A product that was browsed, or that an alert is about: the object `product`, or its fields at the top level.
    ///
    /// Best effort, as `LineItem`.
    Product(ProductAttributes) {
        /// The stock keeping unit, as sent; the digits where it is a number.
        sku: Text = Sku,
        /// The product's name or title.
        name: Text = ItemName,
        /// Where its picture is, as sent: a whole URL or a path.
        image_url: Text = ImageUrl,
        /// Where its page is, as sent: a whole URL or a path.
        link_url: Text = LinkUrl,
        /// The brand.
        brand: Text = Brand,
        /// The category.
        category: Text = Category,
        /// The category within that.
        sub_category: Text = SubCategory,
        /// The size, as text also where it is a number.
        size: Text = Size,
        /// The color.
        color: Text = Color,
        /// What it is like.
        description: Text = Description,
        /// The stock keeping unit of the product that this is a variant of.
        master_sku: Text = MasterSku,
        /// The style.
        style: Text = Style,
        /// For whom it is made.
        gender: Text = Gender,
        /// The price, exact.
        price: Number = Price,
        /// The reduced price, exact.
        sale_price: Number = SalePrice,
        /// The manufacturer's suggested price, exact.
        msrp: Number = Msrp,
        /// How many are on hand, exact.
        stock: Number = Stock,
        /// Whether it is on sale; of a `bool` or the words `true` and `false`.
        on_sale: Flag = OnSale,
        /// Whether it can be had.
        in_stock: Flag = InStock,
        /// Whether it is made no more.
        discontinued: Flag = Discontinued,
        /// `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        meta: Meta = Meta1,
    }
}

view! {
    /// A page that was browsed.
    ///
    /// Best effort, as `LineItem`.
    Page(PageAttributes) {
        /// The page, as sent: a path or a whole URL.
        url: Text = PageUrl,
        /// What the retailer's site sent along; JSON in a string is opened.
        data: Opened = PageData,
    }
}

impl Cart {
    /// Its lines, if it has any.
    pub(crate) fn lines<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        self.attributes.as_ref()?.items.get(py)
    }
}

impl Order {
    /// Its lines, if it has any.
    pub(crate) fn lines<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        self.attributes.as_ref()?.items.get(py)
    }
}
