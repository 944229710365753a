//! Types that changed since, and things that a later Larder wrote.

use larder::Selection;
use larder::prelude::*;
use larder::store::StoreExt;
use larder::store::{Change, Committed, Expected, RecordKey};
use larder::{ComponentType, Error};
use larder_tests::errors::message;

use super::{Plain, larder, put_record, record, replace_blob, with_artifacts};

/// One type at several times. None is linked in, since two types with one tag cannot be.
macro_rules! at_another_time {
    ($($module:ident: { $($item:item)* })*) => {
        $(mod $module {
            use super::*;
            use larder::__private::typetag;

            $($item)*

            #[typetag::serde(name = "test/wine")]
            impl Component for Wine {}

            impl ComponentType for Wine {
                const TAG: &'static str = "test/wine";
            }
        })*
    };
}

at_another_time! {
    first: {
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Wine {
            pub(super) name: String,
            pub(super) layers: Vec<Layer>,
        }
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Layer {
            pub(super) bias: f64,
        }
    }
    removed: {
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Wine {
            pub(super) layers: Vec<first::Layer>,
        }
    }
    removed_inside: {
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Wine {
            pub(super) name: String,
            pub(super) layers: Vec<Layer>,
        }
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Layer {}
    }
    added: {
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Wine {
            pub(super) name: String,
            pub(super) layers: Vec<first::Layer>,
            pub(super) vintage: u16,
        }
    }
    added_with_default: {
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Wine {
            pub(super) name: String,
            pub(super) layers: Vec<first::Layer>,
            #[serde(default)]
            pub(super) vintage: Option<u16>,
        }
    }
    retyped: {
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Wine {
            pub(super) name: String,
            pub(super) layers: Vec<Layer>,
        }
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct Layer {
            pub(super) bias: bool,
        }
    }
}

fn wine() -> first::Wine {
    let layers = vec![first::Layer { bias: 0.5 }, first::Layer { bias: -1.5 }];
    first::Wine { name: "riesling".into(), layers }
}

/// The error of loading the second version as a changed type: path, type and text.
#[track_caller]
fn said<T: ComponentType + std::fmt::Debug>() -> (String, String) {
    let (larder, _) = larder();
    larder.apply("cellar/wine", &first::Wine { name: "other".into(), layers: vec![] }).unwrap();
    larder.apply("cellar/wine", &wine()).unwrap();
    let error = larder.load::<T>("cellar/wine").unwrap_err();
    let said = message(&error);
    let Error::Decode { what, type_name, path, .. } = error else { panic!("{said}") };
    assert_eq!(what, "cellar/wine@2", "the error names the version");
    assert_eq!(type_name, std::any::type_name::<T>(), "the error names the type");
    assert_eq!(larder.versions("cellar/wine").unwrap().len(), 2, "nothing is lost");
    let loaded: first::Wine = larder.load("cellar/wine").unwrap();
    assert_eq!(loaded.name, "riesling");
    (path, said)
}

#[test]
fn a_field_removed_since_is_named_and_not_dropped() {
    let (path, said) = said::<removed::Wine>();
    assert_eq!(path, "name");
    assert!(said.contains("unknown field"), "{said}");
}

#[test]
fn a_field_removed_since_deep_inside_is_named_with_its_path() {
    let (path, said) = said::<removed_inside::Wine>();
    assert_eq!(path, "layers[0].bias");
    assert!(said.contains("unknown field"), "{said}");
}

#[test]
fn a_field_added_since_without_a_default_is_named() {
    let (_, said) = said::<added::Wine>();
    assert!(said.contains("`vintage`"), "{said}");
}

#[test]
fn a_field_retyped_since_is_named_with_its_path() {
    let (path, said) = said::<retyped::Wine>();
    assert_eq!(path, "layers[0].bias");
    assert!(said.contains("boolean"), "{said}");
}

#[test]
fn a_field_added_since_with_a_default_still_loads() {
    let (larder, _) = larder();
    larder.apply("cellar/wine", &wine()).unwrap();
    let loaded: added_with_default::Wine = larder.load("cellar/wine").unwrap();
    assert_eq!((loaded.name.as_str(), loaded.vintage), ("riesling", None));
    assert_eq!(loaded.layers[1].bias, -1.5);
}

/// Puts a manifest in the place of the newest version's, as if it had been written so.
fn forge(larder: &Larder, edit: impl Fn(&str) -> String) {
    let digest = larder.show("wine").unwrap().version.digest;
    let json = larder.store().get_blob(&digest).unwrap().unwrap();
    let forged = edit(std::str::from_utf8(&json).unwrap());
    let new = larder::store::Digest::of(forged.as_bytes());
    replace_blob(larder, new, forged);
    for key in ["names/wine", "versions/wine/@0000000001"] {
        let edited = record(larder, key).replace(&digest.to_hex(), &new.to_hex());
        put_record(larder, key, &edited);
    }
    let key =
        |digest: larder::store::Digest| format!("digests/wine/@{}-0000000001", digest.to_hex());
    put_record(larder, &key(new), &record(larder, &key(digest)));
    let old = RecordKey::new(&key(digest)).unwrap();
    let change = Change::RemoveRecord { key: old, expected: Expected::Anything };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

#[test]
fn a_manifest_of_a_newer_format_is_called_newer() {
    let (larder, _) = larder();
    larder.apply("wine", &with_artifacts(1, "text")).unwrap();
    forge(&larder, |json| {
        json.replacen("{\"larder\":1,", "{\"larder\":2,\"compression\":\"zstd\",", 1)
    });
    for error in [
        larder.load_component("wine").unwrap_err(),
        larder.show("wine@1").unwrap_err(),
        larder.load::<Plain>("wine").unwrap_err(),
    ] {
        let Error::NewerFormat { what, found: 2, known: 1 } = &error else { panic!("{error:?}") };
        assert_eq!(what, "wine@1");
    }
    assert_eq!(larder.list().count(), 1, "it is listed all the same");
    let findings = larder.maintenance().verify(Selection::All).unwrap().findings;
    assert_eq!(findings.len(), 1);
    assert!(findings[0].fault.contains("format 2"), "{findings:?}");
}

#[test]
fn a_record_of_a_newer_format_is_called_newer_and_is_not_overwritten() {
    let (larder, _) = larder();
    larder.apply("wine", &Plain { number: 1 }).unwrap();
    let newer =
        record(&larder, "names/wine").replacen("{\"larder\":1,", "{\"larder\":3,\"x\":0,", 1);
    put_record(&larder, "names/wine", &newer);
    for error in [
        larder.load::<Plain>("wine").unwrap_err(),
        larder.list().next().unwrap().unwrap_err(),
        larder.apply("wine", &Plain { number: 2 }).unwrap_err(),
        larder.remove("wine@1").unwrap_err(),
    ] {
        let Error::NewerFormat { what, found: 3, known: 1 } = &error else { panic!("{error:?}") };
        assert_eq!(what, "the record names/wine");
    }
    assert_eq!(record(&larder, "names/wine"), newer, "nothing is lost");
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings.len(), 1);
}

#[test]
fn records_and_manifests_that_are_no_json_are_called_corrupt() {
    for bad in ["", "{", "null", "[]", "{}", "{\"larder\":0}", "{\"larder\":\"1\"}", "\u{1}"] {
        let (larder, _) = larder();
        larder.apply("wine", &Plain { number: 1 }).unwrap();
        put_record(&larder, "names/wine", bad);
        let error = larder.load::<Plain>("wine").unwrap_err();
        let Error::Corrupt { what, .. } = &error else { panic!("{bad:?} gives {error:?}") };
        assert_eq!(what, "the record names/wine", "{bad:?}");
        assert_eq!(
            larder.maintenance().verify(Selection::All).unwrap().findings.len(),
            1,
            "{bad:?}"
        );

        let (larder, _) = super::larder();
        larder.apply("wine", &Plain { number: 1 }).unwrap();
        forge(&larder, |_| bad.to_owned());
        let error = larder.load::<Plain>("wine").unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{bad:?} gives {error:?}");
        assert_eq!(
            larder.maintenance().verify(Selection::All).unwrap().findings.len(),
            1,
            "{bad:?}"
        );
    }
}

#[test]
fn a_manifest_whose_fields_refer_to_what_it_does_not_list_is_refused() {
    let (larder, _) = larder();
    larder.apply("wine", &with_artifacts(1, "text")).unwrap();
    forge(&larder, |json| {
        let listed = json.find("\"artifacts\":").unwrap();
        format!("{}\"artifacts\":[]}}", &json[..listed])
    });
    let error = larder.load_component("wine").unwrap_err();
    assert!(matches!(error, Error::Decode { .. } | Error::Corrupt { .. }), "{error:?}");
    assert!(message(&error).contains("not list"), "{error:?}");
}
