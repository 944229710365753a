//! Names and references that cannot be, or that name nothing.

use larder::maintenance::LarderMaintenance;
use larder::store::TagName;
use larder::{Error, Identifier, Reference};
use larder_tests::errors::{invalid, message};

use super::{Plain, WithArtifacts, assert_empty, larder, with_artifacts};

#[test]
fn an_identifier_that_breaks_a_rule_is_refused_and_nothing_is_written() {
    let long = "a".repeat(300);
    let bad = [
        "",
        "/",
        "..",
        ".",
        "../etc/passwd",
        "wine/../etc",
        "wine/..",
        "a..b",
        "/wine",
        "wine/",
        "wine//red",
        "Wine",
        "wine/Red",
        "wine\0",
        "wine\n",
        "\nwine",
        "wine red",
        " wine",
        "wine\t",
        ".hidden",
        "-dash",
        "_under",
        "wine/.hidden",
        "wín",
        "вино",
        "ｗine",
        "wine\u{200b}",
        "wine%2f",
        "wine\\red",
        "wine:prod",
        "wine@1",
        "wine*",
        "C:/wine",
        "~wine",
        &long,
    ];
    let (larder, _) = larder();
    for name in bad {
        let error = larder.apply(name, &with_artifacts(1, "text")).unwrap_err();
        let Error::InvalidName { what: "identifier", text, reason } = &error else {
            panic!("{name:?} gives {error:?}");
        };
        assert!(!reason.is_empty() && text.chars().count() <= 81, "{name:?} gives {error:?}");
        let said = message(&error);
        assert!(!said.contains(['\n', '\0']), "{said:?} is one line");
    }
    assert_empty(&larder);
    let long = "a".repeat(200);
    for name in ["0", "a-b_c.d", "a/b/c", "1/2", long.as_str()] {
        assert!(Identifier::new(name).is_ok(), "{name} is an identifier");
    }
}

#[test]
fn latest_is_no_tag_in_any_letter_case() {
    let (larder, _) = larder();
    larder.apply("wine", &Plain { number: 1 }).unwrap();
    for tag in ["latest", "Latest", "LATEST", "lAtEsT"] {
        let error = larder.tag("wine", tag).unwrap_err();
        let Error::InvalidName { what: "tag", text, reason } = &error else { panic!("{error:?}") };
        assert_eq!(text, tag);
        assert!(reason.contains("`latest`"), "{reason}");
    }
    assert!(larder.tags().of("wine").unwrap().is_empty());
    assert_eq!(larder.load::<Plain>("wine:latest").unwrap().number, 1);
    let error = larder.load::<Plain>("wine:LATEST").unwrap_err();
    assert!(matches!(error, Error::InvalidName { what: "tag", .. }), "{error:?}");
}

#[test]
fn a_tag_that_breaks_a_rule_is_refused() {
    let long = "a".repeat(65);
    for tag in ["7", "0012", "", "Prod", "a/b", "..", "a..b", "prod\n", "prod\0", "ü", "a:b", &long]
    {
        let error = TagName::new(tag).unwrap_err();
        assert!(matches!(error, Error::InvalidName { what: "tag", .. }), "{tag:?} gives {error:?}");
    }
    let error = TagName::new("42").unwrap_err();
    assert!(invalid(&error).contains("`name@7`"), "how a version is written: {error}");
    assert!(TagName::new("v2").is_ok() && TagName::new(&"a".repeat(64)).is_ok());
}

#[test]
fn a_reference_that_breaks_a_rule_is_refused() {
    let bad = [
        "wine@",
        "wine@0",
        "wine@-1",
        "wine@007",
        "wine@1.5",
        "wine@latest",
        "wine@99999999999999999999",
        "wine@b3:",
        "wine@b3:abc",
        "wine@b3:ABCD",
        "wine@b3:xyzw",
        "wine@1\n",
        "wine:",
        "wine:a:b",
        "wine:prod@1",
        "wine@1:prod",
        ":prod",
        "@1",
        "",
    ];
    for text in bad {
        let error = text.parse::<Reference>().unwrap_err();
        assert!(matches!(error, Error::InvalidName { .. }), "{text:?} gives {error:?}");
    }
    let error = "wine@zero".parse::<Reference>().unwrap_err();
    assert!(invalid(&error).contains("`@`") && invalid(&error).contains("`b3:`"), "{error}");
    for text in ["wine", "wine:prod", "wine@7", "wine@b3:1f2e", "a/b.c@b3:00ff00ff"] {
        assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
    }
}

#[track_caller]
fn not_found(error: Error) -> (String, Vec<String>) {
    match error {
        Error::NotFound { reference, similar, .. } => (reference, similar),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_is_not_there_suggests_near_names() {
    let (larder, _) = larder();
    let (reference, similar) = not_found(larder.load::<Plain>("wine/quality").unwrap_err());
    assert_eq!((reference.as_str(), similar.len()), ("wine/quality", 0));
    for name in ["wine/quality", "wine/quantity", "beer"] {
        larder.apply(name, &Plain { number: 1 }).unwrap();
    }
    let error = larder.load::<Plain>("wine/qualiti").unwrap_err();
    let (reference, similar) = not_found(error);
    assert_eq!((&*reference, &*similar[0]), ("wine/qualiti", "wine/quality"));
    assert!(!similar.contains(&"beer".into()), "{similar:?}");
    let (_, similar) = not_found(larder.load::<Plain>("quality").unwrap_err());
    assert_eq!(similar[0], "wine/quality", "the first part was left out");
    let (_, similar) = not_found(larder.show("zzz").unwrap_err());
    assert!(similar.is_empty(), "{similar:?}");
    not_found(larder.versions("zzz").unwrap_err());
    not_found(larder.remove("zzz").unwrap_err());
    not_found(larder.maintenance().verify(["zzz".parse().unwrap()]).unwrap_err());
    not_found(larder.tag("zzz", "prod").unwrap_err());
    not_found(larder.untag("zzz", "prod").unwrap_err());
}

#[test]
fn a_version_or_tag_that_is_not_there_names_the_tags_that_are() {
    let (larder, _) = larder();
    for number in 1..=2 {
        larder.apply("wine", &Plain { number }).unwrap();
    }
    larder.tag("wine@1", "prod").unwrap();
    for reference in ["wine:prd", "wine@3", "wine@b3:0000"] {
        let error = larder.load::<Plain>(reference).unwrap_err();
        let (missing, similar) = not_found(error);
        assert_eq!(missing, reference);
        assert_eq!(similar, ["wine:prod", "wine@2"]);
    }
    assert_eq!(larder.load::<Plain>("wine:prod").unwrap().number, 1);
}

#[test]
fn a_digest_prefix_of_two_versions_is_refused_with_both() {
    let (larder, _) = larder();
    // By the pigeonholes, two of 300 digests share their first two digits; four digits are the shortest
    // prefix, so versions are made until two share four.
    let mut seen = std::collections::HashMap::new();
    let (prefix, first, second) = (0..)
        .find_map(|number| {
            let applied = larder.apply("wine", &Plain { number }).unwrap();
            let digest = applied.version().digest;
            let prefix = digest.to_hex()[..4].to_owned();
            seen.insert(prefix.clone(), digest).map(|first| (prefix, first, digest))
        })
        .unwrap();
    let error = larder.load::<Plain>(format!("wine@b3:{prefix}")).unwrap_err();
    let Error::InvalidName { what: "reference", reason, .. } = &error else { panic!("{error:?}") };
    for digest in [first, second] {
        assert!(reason.contains(&format!("b3:{:.16}", digest.to_hex())), "{reason}");
    }
    assert!(reason.contains("more digits"), "{reason}");
    let shown = larder.show(format!("wine@{first}")).unwrap();
    assert_eq!(shown.version.digest, first, "the whole digest names one");
}

#[test]
fn a_component_is_not_loaded_as_another_type() {
    let (larder, _) = larder();
    larder.apply("wine", &Plain { number: 1 }).unwrap();
    let error = larder.load::<WithArtifacts>("wine").unwrap_err();
    let Error::WrongType { reference, expected, found } = &error else { panic!("{error:?}") };
    assert_eq!(
        (&**reference, &**expected, &**found),
        ("wine@1", "test/with-artifacts", "test/plain")
    );
    message(&error);
    let error = larder.load_model("wine").unwrap_err();
    let Error::NotAModel { reference, type_tag } = &error else { panic!("{error:?}") };
    assert_eq!((&**reference, &**type_tag), ("wine@1", "test/plain"));
    message(&error);
}
