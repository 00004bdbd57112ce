//! The alias table: under which names Listrak, or a marketer, may have put what the views look for.
//!
//! It is the only place that knows names. They are candidates, gathered from Listrak's other public surfaces, because
//! no public text shows a real payload: hence best effort, and hence a user's own names, which are tried first.

use std::fmt::Write as _;

macro_rules! concepts {
    ($($(#[$attribute:meta])* $concept:ident $name:literal [$($path:literal),* $(,)?])*) => {
        /// Something that a view looks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Concept {
            $($(#[$attribute])* $concept,)*
        }

        impl Concept {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$concept),*];

            /// What a user calls it, in `aliases`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$concept => $name,)*
                }
            }

            /// The names that are likely for it, as paths.
            #[must_use]
            pub const fn built_in(self) -> &'static [&'static str] {
                match self {
                    $(Self::$concept => &[$($path),*],)*
                }
            }
        }
    };
}

concepts! {
    /// The contact's address.
    Email "email" ["email", "emailAddress", "contact.email", "contact.emailAddress", "customer.email", "customer.emailAddress"]
    /// The contact's phone number.
    Phone "phone" [
        "phone", "phoneNumber", "mobilePhone", "phoneId",
        "contact.phone", "contact.phoneNumber", "customer.phone", "customer.phoneNumber",
    ]
    /// A list of the ways to reach the contact.
    Identifiers "identifiers" ["identifiers", "contact.identifiers", "customer.identifiers"]
    /// In one of them: what it is.
    IdentifierType "identifiers.type" ["identifierType", "type"]
    /// In one of them: what it says.
    IdentifierValue "identifiers.value" ["value", "identifier"]
    /// What an identifier that is an address calls itself.
    EmailIdentifier "identifiers.email" ["EmailAddress", "email"]
    /// What an identifier that is a phone number calls itself.
    PhoneIdentifier "identifiers.phone" ["PhoneNumber", "phone"]

    /// Coupon codes; `#` is a number, and takes all of them in order.
    Coupons "coupons" ["coupons", "couponCodes", "couponCode", "coupon", "coupon#", "couponCode#", "order.couponCode", "cart.couponCode"]
    /// In a coupon that is an object: its code.
    CouponCode "coupons.code" ["code", "couponCode", "coupon"]

    /// The lines of a cart or an order, in it or at the top level.
    Items "items" ["items", "cartItems", "orderItems", "lineItems", "products"]
    /// Of a line or a product.
    Sku "items.sku" ["sku", "id"]
    /// Of a line or a product.
    ItemName "items.name" ["name", "title"]
    /// Of a line or a product.
    ImageUrl "items.image_url" ["imageUrl", "image"]
    /// Of a line or a product.
    LinkUrl "items.link_url" ["linkUrl", "productUrl", "link"]
    /// Of a line or a product.
    Brand "items.brand" ["brand"]
    /// Of a line or a product.
    Category "items.category" ["category"]
    /// Of a line or a product.
    SubCategory "items.sub_category" ["subCategory"]
    /// Of a line or a product.
    Size "items.size" ["size"]
    /// Of a line or a product.
    Color "items.color" ["color"]
    /// Of a line.
    Quantity "items.quantity" ["quantity", "qty"]
    /// Of a line or a product.
    Price "items.price" ["price"]
    /// Of a line or a product.
    SalePrice "items.sale_price" ["salePrice", "discountedPrice"]
    /// Of a line.
    ItemTotal "items.total" ["itemTotal", "total"]

    /// An object that is a cart.
    Cart "cart" ["cart"]
    /// What a cart at the top level is known by, apart from its lines.
    CartMarker "cart.marker" ["cartLink", "cartTotal", "cartStage", "cartItems"]
    /// Of a cart.
    CartLink "cart.link" ["cartLink", "link"]
    /// Of a cart.
    CartStage "cart.stage" ["cartStage", "stage"]
    /// Of a cart.
    CartSource "cart.source" ["cartSource", "source"]
    /// Of a cart.
    CartTotal "cart.total" ["cartTotal", "total"]

    /// An object that is an order.
    Order "order" ["order"]
    /// What an order at the top level is known by.
    OrderMarker "order.marker" ["orderNumber", "orderTotal", "dateEntered", "orderDate", "orderItems"]
    /// Of an order.
    OrderNumber "order.number" ["orderNumber", "number"]
    /// Of an order.
    OrderStatus "order.status" ["status", "orderStatus"]
    /// Of an order.
    OrderSource "order.source" ["source", "orderSource"]
    /// Of an order.
    Currency "order.currency" ["currency"]
    /// Of an order.
    CustomerNumber "order.customer_number" ["customerNumber"]
    /// Of an order.
    TrackingNumber "order.tracking_number" ["trackingNumber"]
    /// Of an order.
    ShippingMethod "order.shipping_method" ["shippingMethod"]
    /// Of an order.
    PlacedAt "order.placed_at" ["dateEntered", "orderDate"]
    /// Of an order.
    OrderTotal "order.total" ["orderTotal", "total"]
    /// Of an order.
    OrderItemTotal "order.item_total" ["itemTotal"]
    /// Of an order.
    TaxTotal "order.tax_total" ["taxTotal"]
    /// Of an order.
    ShippingTotal "order.shipping_total" ["shippingTotal"]
    /// Of an order.
    HandlingTotal "order.handling_total" ["handlingTotal"]
    /// Of an order.
    ShippingAddress "order.shipping_address" ["shippingAddress"]
    /// Of an order.
    BillingAddress "order.billing_address" ["billingAddress"]

    /// An object that is a product.
    Product "product" ["product"]
    /// What a product at the top level is known by.
    ProductMarker "product.marker" ["sku", "masterSku"]
    /// Of a product.
    Description "product.description" ["description"]
    /// Of a product.
    MasterSku "product.master_sku" ["masterSku"]
    /// Of a product.
    Style "product.style" ["style"]
    /// Of a product.
    Gender "product.gender" ["gender"]
    /// Of a product.
    Msrp "product.msrp" ["msrp"]
    /// Of a product.
    Stock "product.stock" ["qoh", "stock"]
    /// Of a product.
    OnSale "product.on_sale" ["onSale"]
    /// Of a product.
    InStock "product.in_stock" ["inStock"]
    /// Of a product.
    Discontinued "product.discontinued" ["discontinued"]

    /// An object that is a page.
    Page "page" ["page"]
    /// Of a page, in it or at the top level.
    PageUrl "page.url" ["page", "url", "pageUrl"]
    /// Of a page.
    PageData "page.data" ["data"]

    /// What an alert is known by.
    AlertMarker "alert.marker" ["alertType", "alertCode"]

    /// The first of the five that Listrak leaves to the retailer.
    Meta1 "meta1" ["meta1"]
    /// The second.
    Meta2 "meta2" ["meta2"]
    /// The third.
    Meta3 "meta3" ["meta3"]
    /// The fourth.
    Meta4 "meta4" ["meta4"]
    /// The fifth.
    Meta5 "meta5" ["meta5"]
}

impl Concept {
    /// The concept that a user calls `name`.
    ///
    /// # Errors
    ///
    /// The names that there are, to be shown if it is not one of them.
    pub fn from_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|concept| concept.name() == name);
        found.copied().ok_or_else(|| {
            Self::ALL.iter().fold(String::new(), |mut names, concept| {
                let separator = if names.is_empty() { "" } else { ", " };
                // Writing to a `String` cannot fail.
                let _ = write!(names, "{separator}{}", concept.name());
                names
            })
        })
    }
}
