//! URLs of larders, references across larders, and custom stores.

use std::sync::Arc;

use larder::prelude::*;
use larder::store::MemoryStore;
use larder::{Error, Item, QualifiedReference, Reference, Registry, StoreUrl};

#[derive(Debug, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "test/doubler", model)]
struct Doubler {
    factor: f64,
}

impl Predict for Doubler {
    type Input = f64;
    type Output = f64;
    fn predict(&self, x: f64) -> larder::Result<f64> {
        Ok(self.factor * x)
    }
}

#[test]
fn a_located_reference_prints_as_it_was_written_and_parses_again() {
    let references = ["wine/quality", "net:prod", "net@3", "net@b3:1f2e"];
    let stores = [
        "sqlite:larder.db",
        "fs:shelf",
        "fs:a#b",
        "fs:#",
        "fs:a b/ü",
        "fs:/srv/me@work/a:b",
        "memory:",
        "s3://bucket/prefix",
        "http://host:9000/bucket",
        "fs://C:/larder",
    ];
    for store in stores {
        for reference in references {
            let text = format!("{store}#{reference}");
            let located: QualifiedReference = text.parse().unwrap();
            assert_eq!(located.to_string(), text);
            assert_eq!(located.store(), &store.parse::<StoreUrl>().unwrap());
            assert_eq!(located.reference(), &reference.parse::<Reference>().unwrap());
            assert_eq!(located.to_string().parse::<QualifiedReference>().unwrap(), located);
        }
    }
    let short: QualifiedReference = "larder.db#net".parse().unwrap();
    assert_eq!(short, "sqlite:larder.db#net".parse().unwrap());
}

#[test]
fn what_names_no_larder_or_no_version_is_refused_with_the_reason() {
    for (text, kind, part, fact) in [
        ("wine/quality", "reference to a larder", "wine/quality", "`#`"),
        ("fs:shelf", "reference to a larder", "fs:shelf", "`#`"),
        ("#wine", "store URL", "", "empty"),
        ("", "store URL", "", "empty"),
        ("fs:shelf#", "identifier", "", ""),
        ("fs:shelf#Wine", "identifier", "Wine", ""),
        ("fs:shelf#wine@0", "reference", "wine@0", ""),
        ("fs:a\0b#wine", "store URL", "", "NUL"),
    ] {
        let error = text.parse::<QualifiedReference>().unwrap_err();
        let Error::InvalidName { what, text: shown, reason } = &error else {
            panic!("{text:?} gives {error:?}")
        };
        assert_eq!(*what, kind, "{text:?} gives {error:?}");
        assert!(shown.contains(part) && reason.contains(fact), "{text:?} gives {error:?}");
    }
}

#[test]
fn secrets_in_a_url_are_never_printed() {
    // Some as they should be written, some as they should not.
    let urls = [
        "postgres://ann:S3CRET@host/db?retries=0",
        "postgres://ann:S3CRET@127.0.0.1:9/db?retries=0",
        "postgres://S3CRET@127.0.0.1:9/db?retries=0",
        "postgres://ann:S3C/S3CRET@host/db",
        "postgres://ann:S3C@S3CRET@host/db",
        "postgres://ann:S3CRET#S3CRET@host/db",
        "postgres://ann:S3CRET?S3CRET@host/db",
        "postgres://ann:S3CRET?x=S3CRET@host/db",
        "postgres://ann:S3CRET?x&S3CRET@host/db",
        "postgres://host/db?token=S3CRET",
        "s3://bucket?secret=S3CRET&key=S3CRET",
        "s3://bucket?secret=1&secret=S3CRET",
        "s3://bucket?no%20name=S3CRET",
        "postgres://host/db?blobs=s3://S3CRET:S3CRET@bucket",
        "?token=S3CRET",
        "larder.db?password=S3CRET",
        "fs:shelf?password=S3CRET",
        "sqlite:larder.db?password=S3CRET",
        "memory:?password=S3CRET",
        "memory://ann:S3CRET@host",
    ];
    let folder = tempfile::tempdir().unwrap();
    for url in urls {
        let mut printed = Vec::new();
        let mut print = |said: String| printed.push(said);
        match url.parse::<StoreUrl>() {
            Err(error) => print(format!("{error} {error:?}")),
            Ok(parsed) => {
                print(format!("{parsed} {parsed:?}"));
                let path = folder.path().join("larder.db").display().to_string();
                let parsed: StoreUrl = url.replace("larder.db", &path).parse().unwrap();
                let error = Registry::linked().unwrap().open_store(&parsed).unwrap_err();
                print(format!("{error} {error:?}"));
                print(format!("{:?} {:?}", parsed.allow_options(&["size"]), parsed.refused("no")));
            }
        }
        for text in [format!("{url}#wine:prod"), url.to_owned()] {
            match text.parse::<QualifiedReference>() {
                Err(error) => print(format!("{error} {error:?}")),
                Ok(located) => print(format!("{located} {located:?}")),
            }
            let error = larder::load_model(&text).map(drop).unwrap_err();
            print(format!("{error} {error:?}"));
        }
        for said in printed {
            assert!(!said.contains("S3C"), "{url} is printed as {said}");
        }
    }
    assert!(folder.path().read_dir().unwrap().next().is_none(), "no store was made");
}

#[test]
fn what_is_no_secret_is_printed() {
    for (url, printed) in [
        ("postgres://ann:word@host/db?pool=4&tls=yes", "postgres://***@host/db?pool=***&tls=***"),
        ("s3://Bucket/A/b", "s3://Bucket/A/b"),
        // It may be a secret in a strange place.
        ("s3://bucket/a@b", "s3://…"),
        ("fs:./a:b@c", "fs:./a:b@c"),
        ("S3://Bucket/A@b", "s3://…"),
        ("FS:a@b", "fs:a@b"),
        ("a/b@c.DB", "sqlite:a/b@c.DB"),
        ("memory:?size=4", "memory:?size=***"),
    ] {
        let url: StoreUrl = url.parse().unwrap();
        assert_eq!(url.to_string(), printed);
        assert_eq!(format!("{url:?}"), format!("StoreUrl({printed})"));
    }
}

#[test]
fn every_store_refuses_an_option_that_it_does_not_know_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::linked().unwrap();
    for (scheme, _) in registry.schemes() {
        let path = folder.path().join(scheme).display().to_string();
        let place = match scheme {
            "memory" => "",
            "s3" | "gs" | "az" => "//bucket/prefix",
            "http" | "https" => "//127.0.0.1:1",
            _ => &path,
        };
        let url: StoreUrl = format!("{scheme}:{place}?no-such-option=1").parse().unwrap();
        let error = registry.open_store(&url).unwrap_err();
        let Error::InvalidName { what: "store URL", reason, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(reason.contains("`no-such-option`"), "{reason}");
    }
    assert!(registry.schemes().count() >= 3);
    assert!(folder.path().read_dir().unwrap().next().is_none(), "no store was made");
}

#[test]
fn a_located_reference_opens_its_larder_and_loads() {
    let folder = tempfile::tempdir().unwrap();
    for place in ["larder.db", "she#lf"] {
        let store = folder.path().join(place).display().to_string();
        let larder = larder::open(&store).unwrap();
        larder.apply("double", &Doubler { factor: 2.0 }).unwrap();
        larder.apply("double", &Doubler { factor: 3.0 }).unwrap();
        larder.tag("double@1", "prod").unwrap();

        let newest: Doubler = larder::load(format!("{store}#double")).unwrap();
        assert_eq!(newest, Doubler { factor: 3.0 });
        let prod = larder::load_model(format!("{store}#double:prod")).unwrap();
        assert_eq!(prod.predict_json("4.0").unwrap(), "8.0");
        let error = larder::load::<Doubler>(format!("{store}#double:staging")).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    }
}

#[test]
fn a_store_registered_at_run_time_is_opened_by_its_scheme() {
    let shelf = MemoryStore::new();
    let mut registry = Registry::linked().unwrap();
    let opened = shelf.clone();
    let item = Item::store("shelf", move |url| {
        url.allow_options(&["size"])?;
        assert_eq!((url.rest(), url.option("size")), ("//cellar", Some("4")));
        Ok(Arc::new(opened.clone()))
    });
    registry.register(item).unwrap();
    let located: QualifiedReference = "shelf://cellar?size=4#double".parse().unwrap();
    let larder = registry.open(located.store()).unwrap();
    larder.apply("double", &Doubler { factor: 2.0 }).unwrap();

    let other = Larder::new(Arc::new(shelf), Registry::new());
    assert_eq!(other.show(located.reference()).unwrap().version.version.get(), 1);
    let error = larder::open("shelf://cellar").unwrap_err();
    assert!(matches!(error, Error::NotLinked { .. }), "another registry: {error:?}");
}

#[test]
fn who_asks_whether_a_larder_is_there_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut registry = Registry::linked().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    for scheme in ["sqlite:", "fs:", "file://"] {
        let path = place(scheme.trim_end_matches([':', '/']));
        let url: StoreUrl = format!("{scheme}{path}").parse().unwrap();
        assert!(!registry.is_there(&url).unwrap(), "{url}");
        assert!(!std::path::Path::new(&path).exists(), "{url}");
        let error = larder::load::<Doubler>(format!("{url}#double")).unwrap_err();
        assert!(matches!(error, Error::Store { .. }), "{error:?}");
        assert!(!std::path::Path::new(&path).exists(), "{url}");
        registry.open_store(&url).unwrap();
        assert!(registry.is_there(&url).unwrap(), "{url}");
        // With blobs elsewhere it is where its records are.
        let joined = format!("{url}?blobs=fs:{}", place("blobs")).parse().unwrap();
        assert!(registry.is_there(&joined).unwrap());
    }
    assert!(!std::path::Path::new(&place("blobs")).exists());
    // A store that cannot tell says that there is one.
    registry.register(Item::store("blind", |_| Ok(Arc::new(MemoryStore::new())))).unwrap();
    assert!(registry.is_there(&"blind:".parse().unwrap()).unwrap());
    let error = registry.is_there(&"nosuch:x".parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::NotLinked { .. }), "{error}");
}

#[test]
fn a_file_url_names_a_folder_from_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a shelf");
    let encoded = path.display().to_string().replace(' ', "%20");
    for url in [format!("file:{encoded}"), format!("file://localhost{encoded}")] {
        larder::open(&url).unwrap().apply("two", &Doubler { factor: 2.0 }).unwrap();
        let there = larder::open(&format!("fs:{}", path.display())).unwrap();
        assert_eq!(there.load::<Doubler>("two").unwrap(), Doubler { factor: 2.0 });
    }
    for url in [
        "file:localhost/shelf",
        "file:shelf",
        "file://shelf",
        "file://host/shelf",
        "file:",
        "file:///a?x=1",
        "file:///%",
    ] {
        let error = larder::open(url).unwrap_err();
        assert!(matches!(error, Error::InvalidName { .. }), "{url}: {error}");
    }
}
