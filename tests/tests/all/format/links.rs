//! Links in `fields`: those that a manifest does not list, and values that merely look like one.

use std::fs;

use larder::Error;
use larder::Selection;
use larder::archive::{Form, export};
use larder::maintenance::CopyOptions;
use larder::prelude::*;
use larder::store::{Digest, StoreExt};
use larder_tests::errors::{message, unreadable};

use super::rules::{Mixed, copied, faults, forge, memory, mixed, nested};

#[test]
fn rejects_a_link_that_the_manifest_does_not_list_instead_of_dropping_its_blob() {
    let without = |list: &'static str| {
        move |json: &str| {
            let start = json.find(list).unwrap() + list.len();
            let end = start + json[start..].find(']').unwrap();
            format!("{}{}", &json[..start], &json[end..])
        }
    };
    for (name, list) in [("inner", "\"artifacts\":["), ("outer", "\"children\":[")] {
        let larder = nested();
        let linked = match name {
            "inner" => larder.show("inner").unwrap().manifest.artifacts()[0].digest,
            _ => larder.show("outer").unwrap().manifest.children()[0].manifest,
        };
        forge(&larder, name, without(list));
        let error = larder.load_component(name).unwrap_err();
        assert!(message(&error).contains("not list"), "{error:?}");

        let found = faults(&larder);
        let is_named = |fault: &String| {
            fault.starts_with(&format!("{name}@1: ")) && fault.contains("not list")
        };
        assert!(found.iter().any(is_named), "{found:?}");

        let folder = tempfile::tempdir().unwrap();
        for (file, form) in [("a", Form::Folder), ("a.tar", Form::Tar)] {
            let path = folder.path().join(file);
            let error = export(&larder, Selection::All, false, &path, form).unwrap_err();
            assert!(unreadable(&error).contains("not list"), "{error}");
            assert!(!path.exists());
        }
        assert!(matches!(copied(&larder), Err(Error::Corrupt { .. })));

        let at_once =
            larder::maintenance::GcOptions::new().grace(std::time::Duration::ZERO).exclusive(true);
        for _ in 0..2 {
            larder.maintenance().gc(&at_once).unwrap();
        }
        assert!(
            larder.store().has_blob(&linked).unwrap(),
            "a collector keeps what may be repaired"
        );
    }
}

#[test]
fn refuses_to_write_what_looks_like_a_link_and_is_none() {
    let digest = Digest::of(b"nothing that is stored");
    let pairs = [
        ("$artifact", digest.to_string(), "serializer", "json".to_owned()),
        ("$component", "some/name".to_owned(), "manifest", digest.to_string()),
    ];
    for (first, one, second, other) in pairs {
        let larder = memory();
        let mut look = mixed("text");
        look.map = [(first.to_owned(), one), (second.to_owned(), other)].into();
        let error = larder.apply("look", &look).unwrap_err();
        let Error::Lossy { path, reason, .. } = &error else { panic!("{error:?}") };
        assert_eq!(path, "map");
        assert!(reason.contains("link"), "{reason}");
        assert_eq!(larder.store().records("").count(), 0, "nothing was written");

        look.map.insert("third".into(), "key".into());
        larder.apply("look", &look).unwrap();
        look.map.remove("third");
        look.map.insert(first.into(), "no digest, and No Name".into());
        look.map.insert(second.into(), "no digest, and No Name".into());
        larder.apply("look", &look).unwrap();
        assert_eq!(larder.load::<Mixed>("look").unwrap().map, look.map);
        assert_eq!(faults(&larder), [""; 0]);
    }
}

/// A Larder before the rule above wrote such data: it is loaded, compared and copied as data.
#[test]
fn data_of_that_look_which_an_older_larder_wrote_is_read() {
    let larder = memory();
    larder.apply("look", &mixed("text")).unwrap();
    let link = format!(r#"{{"$artifact":"{}","serializer":"json"}}"#, Digest::of(b"nothing"));
    forge(&larder, "look", |json| json.replace("\"map\":{}", &format!("\"map\":{link}")));
    assert_eq!(larder.load::<Mixed>("look").unwrap().map["serializer"], "json");
    let to = memory();
    larder.maintenance().copy(Selection::All, &to, &CopyOptions::new()).unwrap();
    assert_eq!(to.load::<Mixed>("look").unwrap().map["serializer"], "json");
    let found = faults(&larder);
    assert!(found.len() == 1 && found[0].contains("`map`"), "{found:?}");
}

/// The values of a tree's `files` are objects, so a folder with files of these names is no link.
#[test]
fn a_folder_with_files_named_like_a_link_comes_back() {
    let here = tempfile::tempdir().unwrap();
    for (first, second) in [("$artifact", "serializer"), ("$component", "manifest")] {
        let folder = here.path().join(first);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(first), Digest::of(b"x").to_string()).unwrap();
        fs::write(folder.join(second), "json").unwrap();
        let larder = memory();
        larder.apply("folder", &Tree::read(&folder).unwrap()).unwrap();
        assert_eq!(larder.show("folder").unwrap().manifest.artifacts().len(), 2);
        assert_eq!(faults(&larder), [""; 0]);
        let archive = here.path().join(format!("{first}.tar"));
        export(&larder, Selection::All, false, &archive, Form::Tar).unwrap();
        let opened = larder::archive::open(&archive, &larder::archive::Limits::default()).unwrap();
        let to = memory();
        opened.larder().maintenance().copy(Selection::All, &to, &CopyOptions::new()).unwrap();
        let back = here.path().join(format!("back{first}"));
        to.load::<Tree>("folder").unwrap().write(&back).unwrap();
        assert_eq!(fs::read(back.join(first)).unwrap(), fs::read(folder.join(first)).unwrap());
        assert_eq!(fs::read(back.join(second)).unwrap(), b"json");
    }
}
