//! Files that are refused when stored or written to disk.

use larder::versions::RemoveOptions;
use std::fs;
use std::path::Path;

use larder::Error;
use larder::bytes::Bytes;
use larder::prelude::*;
use larder::store::{Change, Committed, Expected};
use larder::store::{Digest, StoreExt, TreePath};
use larder_tests::errors;

use super::{assert_empty, everywhere, sample, write};

#[cfg(unix)]
#[test]
fn links_pipes_and_sockets_are_refused_by_name() {
    everywhere(|here, _| {
        let folder = here.join("folder");
        write(folder.join("deep/file"), "file");
        let refused = |reason: &str| {
            let error = Tree::read(&folder).unwrap_err();
            let (action, said) = errors::refused(&error);
            assert!(action.contains("deep/odd") && said.contains(reason), "{error}");
            fs::remove_file(folder.join("deep/odd")).unwrap();
        };
        for target in ["file", "..", "nowhere", "/etc/passwd"] {
            std::os::unix::fs::symlink(target, folder.join("deep/odd")).unwrap();
            refused("a link");
        }
        let status = std::process::Command::new("mkfifo").arg(folder.join("deep/odd")).status();
        assert!(status.unwrap().success());
        refused("a pipe");
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("deep/odd")).unwrap();
        refused("a socket");
        std::os::unix::fs::symlink(&folder, here.join("link")).unwrap();
        assert!(matches!(Tree::read(here.join("link")), Err(Error::Refused { .. })));
        assert!(matches!(Tree::read("/dev/null"), Err(Error::Refused { .. })));
        assert!(Tree::read(&folder).is_ok(), "without them it is a folder like any other");
    });
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_or_holds_a_backslash_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let here = tempfile::tempdir().unwrap();
    for name in [&b"\xff\xfe"[..], br"a\b"] {
        let path = here.path().join(OsStr::from_bytes(name));
        fs::write(&path, "odd").unwrap();
        assert!(matches!(Tree::read(here.path()), Err(Error::InvalidName { .. })));
        assert!(matches!(Tree::read(&path), Err(Error::InvalidName { .. })));
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let error = Tree::read("no/such/file").unwrap_err();
    assert!(matches!(&error, Error::Store { action, .. } if action.contains("no/such/file")));
}

#[test]
fn a_file_that_changes_between_listing_and_reading_is_noticed_and_nothing_is_written() {
    everywhere(|here, larder| {
        let file = here.join("folder/file");
        let shorter: fn(&Path) = |file| fs::write(file, "abc").unwrap();
        let longer: fn(&Path) = |file| fs::write(file, "abcdefgh").unwrap();
        let exchanged: fn(&Path) = |file| {
            fs::write(file.with_extension("new"), "zyxwvu").unwrap();
            fs::rename(file.with_extension("new"), file).unwrap();
        };
        let gone: fn(&Path) = |file| fs::remove_file(file).unwrap();
        for change in [shorter, longer, exchanged, gone] {
            write(file.clone(), "abcdef");
            let tree = Tree::read(here.join("folder")).unwrap();
            change(&file);
            let error = larder.apply("data", &tree).unwrap_err();
            let Error::Encode { what, .. } = &error else { panic!("{error:?}") };
            assert!(what.contains("files.file"), "{what}");
            assert!(larder.materialise(&tree).is_err());
            assert_empty(larder);
        }
    });
}

/// Applies a sample, and puts other fields into its manifest, past the larder.
fn forged(larder: &Larder, here: &Path, forge: impl Fn(&str) -> String) -> Error {
    let folder = here.join("forged");
    write(folder.join("dir/inner"), "inner");
    write(folder.join("name"), "name");
    larder.apply("data", &Tree::read(&folder).unwrap()).unwrap();
    let digest = larder.show("data").unwrap().version.digest;
    let json = larder.store().get_checked(&digest, None, String::new).unwrap();
    let forged = forge(std::str::from_utf8(&json).unwrap());
    assert_ne!(forged.as_bytes(), &json[..], "the forgery changes something");
    let new = Digest::of(forged.as_bytes());
    put_blob(larder, new, forged.into());
    for (key, record) in larder.store().records("").collect::<Result<Vec<_>, _>>().unwrap() {
        let text = String::from_utf8(record.value.to_vec()).unwrap();
        let value = Bytes::from(text.replace(&digest.to_string(), &new.to_string()));
        let change = Change::PutRecord { key, value, expected: Expected::Anything };
        assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
    }
    let error = larder.load::<Tree>("data").unwrap_err();
    larder.remove_all("data", &RemoveOptions::new()).unwrap();
    error
}

fn put_blob(larder: &Larder, digest: Digest, bytes: Bytes) {
    let change = Change::PutBlob { digest, bytes };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

#[test]
fn a_hostile_manifest_reaches_no_path_outside_its_folder() {
    everywhere(|here, larder| {
        for path in [
            "../name",
            "..",
            ".",
            "/etc/name",
            "a/../../name",
            "a//b",
            "a/",
            "",
            r"..\\name",
            r"C:\\name",
            r"nul\u0000",
        ] {
            let error = forged(larder, here, |json| {
                json.replace(r#""name":{"content""#, &format!(r#""{path}":{{"content""#))
            });
            assert!(matches!(error, Error::Decode { .. }), "{path}: {error}");
        }
    });
}

#[test]
fn a_hostile_manifest_whose_paths_lie_in_each_other_is_refused() {
    everywhere(|here, larder| {
        let swap = |from: &'static str, to: &'static str| move |json: &str| json.replace(from, to);
        for (from, to) in [
            (r#""name":{"content""#, r#""dir":{"content""#),
            (r#""empty":[]"#, r#""empty":["name"]"#),
            (r#""empty":[]"#, r#""empty":["dir"]"#),
            (r#""empty":[]"#, r#""empty":["b","a"]"#),
            (r#""empty":[]"#, r#""empty":["a","a"]"#),
            (r#""empty":[]"#, r#""empty":["name/inner"]"#),
            (r#""empty":[]"#, r#""empty":["../out"]"#),
            (r#""kind":"folder""#, r#""kind":"file""#),
            (r#""kind":"folder""#, r#""kind":"link""#),
        ] {
            let error = forged(larder, here, swap(from, to));
            assert!(matches!(error, Error::Decode { .. }), "{to}: {error}");
        }
    });
}

#[test]
fn tree_paths_are_relative_and_plain() {
    for good in ["a", "a b/ü.txt", ".hidden", "a..b", "A/a", "c:"] {
        assert!(TreePath::new(good).is_ok(), "{good}");
    }
    let (long, deep) = ("a".repeat(256), "a/".repeat(128) + "a");
    for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a\\b", "a\0", &long, &deep]
    {
        assert!(TreePath::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn damaged_bytes_are_never_laid_out() {
    everywhere(|here, larder| {
        larder.apply("data", &Tree::read(sample(here)).unwrap()).unwrap();
        let tree: Tree = larder.load("data").unwrap();
        for content in ["left".into(), vec![7; 300_000]] {
            let digest = Digest::of(&content);
            for damaged in [vec![8; content.len()], vec![8; content.len() - 1]] {
                larder.store().remove_blobs(&[digest]).unwrap();
                put_blob(larder, digest, damaged.into());
                let error = larder.materialise(&tree).unwrap_err();
                assert!(matches!(error, Error::Corrupt { .. }), "{error}");
                assert!(matches!(tree.write(here.join("copy")), Err(Error::Corrupt { .. })));
            }
            larder.store().remove_blobs(&[digest]).unwrap();
            assert!(matches!(larder.materialise(&tree), Err(Error::Corrupt { .. })));
            put_blob(larder, digest, content.into());
        }
        assert!(!here.join("copy").exists());
        let left = fs::read_dir(here.join("cache")).unwrap().count();
        assert_eq!(left, 0, "what was half laid out is removed");
        larder.materialise(&tree).unwrap();
    });
}
