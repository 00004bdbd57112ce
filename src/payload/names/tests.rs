#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure")]

use super::*;

fn with(concept: Concept, paths: &[&str]) -> Names {
    Names::new(vec![(concept, paths.iter().map(|path| (*path).to_owned()).collect())]).unwrap()
}

#[test]
fn names_are_compared_without_case_and_separators() {
    let table = Names::built_in();
    let expected = table.name("imageurl");
    assert!(expected.is_some());
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
        assert_eq!(table.name(name), expected);
    }
    for other in ["", "image.url", "imageurls", "imagesurl", "ímageurl", "imageur"] {
        assert!(!is_normally(other, "imageurl"));
        assert_ne!(table.name(other), expected);
    }
    let wide = with(Concept::Email, &["ÉCOLE"]);
    assert!(is_normally("É-cole", "école"));
    assert!(wide.name("É-cole").is_some());
    assert_eq!(wide.name("É-cole"), wide.name("école"));
}

#[test]
fn a_path_has_a_name_on_every_level() {
    assert_eq!(Path::new("Basket.line_items").unwrap().0, ["basket", "lineitems"]);
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
    let names = with(Concept::Email, &["shopper_mail"]);
    let own = names.name("shopperMail").unwrap();
    let built_in = names.name("email").unwrap();
    assert_eq!(names.users_places(Concept::Email), [Place::Path([own].into())]);
    assert_eq!(names.places(Concept::Email).first(), Some(&Place::Path([own].into())));
    assert!(names.places(Concept::Email).contains(&Place::Path([built_in].into())));
    assert!(names.users_places(Concept::Phone).is_empty());
    assert_eq!(names.on_the_way_to_the_contact("_Shopper-Mail", 0), Some(own));
    assert_eq!(names.on_the_way_to_the_contact("Shopper-Mail", 1), None);
    assert_eq!(names.on_the_way_to_the_contact("", 0), None);
    assert!(names.is_one_of("E-Mail", Concept::EmailIdentifier));
    assert!(!names.is_one_of("shoppermail", Concept::EmailIdentifier));
}

#[test]
fn a_number_sign_stands_for_any_number() {
    let numbers = |names: &Names, key: &str| {
        let mut numbers = Vec::new();
        names.find(key, |name, number| {
            let stem = names.stems.iter().find(|(_, stem)| *stem == name);
            numbers.extend(stem.map(|(stem, _)| (String::from_utf8(stem.to_vec()).unwrap(), number)));
        });
        numbers
    };
    let names = with(Concept::Coupons, &["code#", "code1#"]);
    for (key, expected) in [
        ("Coupon_10", vec![("coupon", 10)]),
        ("coupon0002", vec![("coupon", 2)]),
        ("code27", vec![("code", 27)]),
        ("code17", vec![("code", 17), ("code1", 7)]),
        ("code1", vec![("code", 1)]),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(stem, number)| (stem.to_owned(), number))
            .collect();
        assert_eq!(numbers(&names, key), expected, "{key}");
    }
    for other in [
        "coupon",
        "coupon#",
        "coupon+1",
        "coupon1x",
        "coupon4294967296",
        "1",
        "coupon٣",
    ] {
        assert_eq!(numbers(&names, other), [], "{other}");
    }
    assert_eq!(numbers(&with(Concept::Coupons, &["#"]), "3"), [(String::new(), 3)]);
    assert!(with(Concept::Sku, &["part#"]).name("part#").is_some());
}

#[test]
fn a_key_that_is_longer_than_any_name_is_not_one() {
    let names = Names::built_in();
    let long = "_".repeat(LONGEST_KEY) + "email";
    assert_eq!(names.name(&long), None);
    assert_eq!(names.on_the_way_to_the_contact(&long, 0), None);
    let name = "x".repeat(1000);
    let own = with(Concept::Email, &[&name]);
    assert!(own.name(&name).is_some());
    assert_eq!(own.on_the_way_to_the_contact(&name, 0), own.name(&name));
}

#[test]
fn a_path_with_a_gap_is_named() {
    assert_eq!(
        Names::new(vec![(Concept::Email, vec!["a..b".to_owned()])]).unwrap_err(),
        "a..b"
    );
}
