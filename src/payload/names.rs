//! The alias table: under which names Listrak, or a marketer, may have put what the views look for.
//!
//! It is the only place that knows names. They are candidates, gathered from Listrak's other public surfaces, because
//! no public text shows a real payload: hence best effort, and hence a user's own names, which are tried first.

use std::fmt::Write as _;

/// Names that are compared without regard to case, `_`, `-` and spaces, from the outermost object inwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// The path in `text`, whose dots separate the levels; `None` where a level has no name.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let names: Vec<String> = text.split('.').map(normal).collect();
        (!names.iter().any(String::is_empty)).then_some(Self(names))
    }

    /// What stands before the number, where the path is one name that ends in `#`.
    #[must_use]
    pub fn numbered(&self) -> Option<&str> {
        match self.0.as_slice() {
            [name] => name.strip_suffix('#'),
            _ => None,
        }
    }

    /// The normalized names, the outermost first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// `name` as names are compared.
fn normal(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    push_normal(name, &mut normalized);
    normalized
}

/// Appends `name`, as names are compared, to `to`.
pub fn push_normal(name: &str, to: &mut String) {
    for character in name.chars() {
        match character {
            '_' | '-' | ' ' => {}
            _ if character.is_ascii() => to.push(character.to_ascii_lowercase()),
            _ => to.extend(character.to_lowercase()),
        }
    }
}

/// Whether `name` is `normalized` as names are compared. Most names differ in their first letters, and then nothing is
/// written down to find that out.
#[must_use]
pub fn is_normally(name: &str, normalized: &str) -> bool {
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

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b' ')
}

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

            const fn built_in(self) -> &'static [&'static str] {
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

    /// Coupon codes; `#` stands for a number, and takes all of them in order.
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
    /// What a cart at the top level is known by, beside its lines.
    CartSign "cart.sign" ["cartLink", "cartTotal", "cartStage", "cartItems"]
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
    OrderSign "order.sign" ["orderNumber", "orderTotal", "dateEntered", "orderDate", "orderItems"]
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
    ProductSign "product.sign" ["sku", "masterSku"]
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
    AlertSign "alert.sign" ["alertType", "alertCode"]

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
    /// The names that there are, to be shown, where it is none of them.
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

/// The table as one webhook uses it: the built-in names, and in front of them the user's.
#[derive(Debug, Clone)]
pub struct Names {
    paths: Vec<Paths>,
    contact: [Vec<String>; 2],
    user: Vec<(Concept, Vec<String>)>,
}

#[derive(Debug, Clone)]
struct Paths {
    users: usize,
    all: Vec<Path>,
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
        let paths_of = |concept: &Concept| {
            let users = users_paths
                .iter()
                .filter(|(of, _)| of == concept)
                .map(|(_, path)| path.clone());
            let mut all: Vec<Path> = users.collect();
            let users = all.len();
            all.extend(concept.built_in().iter().filter_map(|text| Path::new(text)));
            Paths { users, all }
        };
        let mut names = Self {
            paths: Concept::ALL.iter().map(paths_of).collect(),
            contact: <[_; 2]>::default(),
            user,
        };
        names.contact = names.contact_names();
        names
    }

    /// Where to look for `concept`, in this order.
    #[must_use]
    pub fn paths(&self, concept: Concept) -> &[Path] {
        self.paths.get(concept as usize).map_or(&[], |paths| &paths.all)
    }

    /// Those of them that are the user's own.
    #[must_use]
    pub fn users_paths(&self, concept: Concept) -> &[Path] {
        self.paths
            .get(concept as usize)
            .and_then(|paths| paths.all.get(..paths.users))
            .unwrap_or_default()
    }

    /// What the user added, as it was given.
    #[must_use]
    pub fn user(&self) -> &[(Concept, Vec<String>)] {
        &self.user
    }

    /// Whether `text` is, as names are compared, one of the names of `concept`.
    #[must_use]
    pub fn is_one_of(&self, text: &str, concept: Concept) -> bool {
        let normalized = normal(text);
        self.paths(concept)
            .iter()
            .any(|path| path.names() == [normalized.as_str()])
    }

    /// `name` as names are compared, if the contact can be found by way of it in an object on a level, the outermost
    /// being 0.
    #[must_use]
    pub fn on_the_way_to_the_contact(&self, name: &str, level: usize) -> Option<&str> {
        let [outermost, within] = &self.contact;
        let names = if level == 0 { outermost } else { within };
        // Nearly all names are told apart by their first letter.
        let first = name
            .bytes()
            .find(|byte| !is_separator(*byte))
            .map(|byte| byte.to_ascii_lowercase());
        let mut alike = names
            .iter()
            .filter(|normal| !name.is_ascii() || normal.bytes().next() == first);
        alike.find(|normal| is_normally(name, normal)).map(String::as_str)
    }

    fn contact_names(&self) -> [Vec<String>; 2] {
        let anywhere = [Concept::Email, Concept::Phone, Concept::Identifiers];
        let in_identifiers = [Concept::IdentifierType, Concept::IdentifierValue];
        let paths = || anywhere.into_iter().flat_map(|concept| self.paths(concept));
        let firsts = paths().filter_map(|path| path.names().first());
        let rests = paths().flat_map(|path| path.names().iter().skip(1));
        let of_identifiers = in_identifiers.into_iter().flat_map(|concept| self.paths(concept));
        let within = rests.chain(of_identifiers.flat_map(Path::names));
        [firsts.cloned().collect(), within.cloned().collect()].map(|mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the failure")]

    use super::*;

    #[test]
    fn names_are_compared_without_case_and_separators() {
        for name in [
            "imageUrl",
            "ImageUrl",
            "image_url",
            "IMAGE-URL",
            "image url",
            "imageurl",
            "_Image__Url-",
        ] {
            assert_eq!(normal(name), "imageurl");
            assert!(is_normally(name, "imageurl"));
        }
        for other in ["", "image", "imageurls", "imagesurl", "ímageurl"] {
            assert!(!is_normally(other, "imageurl"));
        }
        assert!(is_normally("É-cole", "école"));
        assert_eq!(normal("ÉCOLE"), normal("école"));
        assert_ne!(normal("image.url"), normal("imageurl"));
    }

    #[test]
    fn a_path_has_a_name_on_every_level() {
        assert_eq!(Path::new("Basket.line_items").unwrap().names(), ["basket", "lineitems"]);
        for text in ["", ".", "a.", ".a", "a..b", "_", "a. ", "- -"] {
            assert_eq!(Path::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_built_in_path_is_one_and_every_concept_has_its_own_name() {
        for (index, concept) in Concept::ALL.iter().enumerate() {
            assert_eq!(*concept as usize, index);
            assert!(!concept.built_in().is_empty());
            assert!(concept.built_in().iter().all(|text| Path::new(text).is_some()));
            assert_eq!(Concept::from_name(concept.name()), Ok(*concept));
        }
        assert!(Concept::from_name("e-mail").unwrap_err().contains("email, phone"));
    }

    #[test]
    fn the_users_names_come_first() {
        let names = Names::new(vec![(Concept::Email, vec!["shopper_mail".to_owned()])]).unwrap();
        assert_eq!(names.users_paths(Concept::Email), [Path::new("shopperMail").unwrap()]);
        assert_eq!(names.paths(Concept::Email).first(), Path::new("shopperMail").as_ref());
        assert!(names.paths(Concept::Email).contains(&Path::new("email").unwrap()));
        assert!(names.users_paths(Concept::Phone).is_empty());
        assert_eq!(names.on_the_way_to_the_contact("_Shopper-Mail", 0), Some("shoppermail"));
        assert_eq!(names.on_the_way_to_the_contact("Shopper-Mail", 1), None);
        assert_eq!(names.on_the_way_to_the_contact("", 0), None);
    }

    #[test]
    fn a_path_with_a_gap_is_named() {
        assert_eq!(
            Names::new(vec![(Concept::Email, vec!["a..b".to_owned()])]).unwrap_err(),
            "a..b"
        );
    }
}
