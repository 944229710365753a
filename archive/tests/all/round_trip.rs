//! Out and in again.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::serializers::LarderObjects;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::shelf::{self, Weights, content, files, long_name, stocked, weights};
use larder::archive::{Form, Limits, export, open, open_in};
use larder::maintenance::CopyOptions;
use larder::{Error, Larder, Reference};

const FORMS: [(&str, Form); 3] =
    [("shelf", Form::Folder), ("shelf.tar", Form::Tar), ("shelf.tar.zst", Form::TarZst)];

/// The bytes of an export, all files of it.
fn bytes(path: &Path) -> Vec<(String, Vec<u8>)> {
    if path.is_dir() {
        return files(path).into_iter().collect();
    }
    vec![(String::new(), fs::read(path).unwrap())]
}

fn copy(from: &Path, to: &Larder) -> larder::maintenance::CopyReport {
    let archive = open(from, &Limits::default()).unwrap();
    archive.larder().maintenance().copy(Selection::All, to, &CopyOptions::default()).unwrap()
}

#[test]
fn an_export_of_an_import_is_the_export() {
    for store in ["sqlite:larder.db", "fs:larder"] {
        for (name, form) in FORMS {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            let (scheme, place) = store.split_once(':').unwrap();
            let here = shelf::open(&format!("{scheme}:{}", at(place).display()));
            stocked(&here);
            export(&here, Selection::All, false, &at(name), form).unwrap();

            let there = shelf::open(&format!("{scheme}:{}", at("there").display()));
            let copied = copy(&at(name), &there);
            assert_eq!((copied.versions.len(), copied.tags.len()), (3, 2));
            assert_eq!(there.maintenance().verify(Selection::All).unwrap().findings, []);
            assert_eq!(there.load::<Weights>("net:prod").unwrap().layer, 1);
            assert_eq!(there.load::<Weights>(long_name()).unwrap().layer, 9);
            assert!(matches!(there.show("net@2"), Err(Error::NotFound { .. })));

            let again = at(&format!("again-{name}"));
            export(&there, Selection::All, false, &again, form).unwrap();
            assert_eq!(bytes(&at(name)), bytes(&again), "{store} {name}");
        }
    }
}

#[test]
fn equal_larders_in_different_stores_are_equal_exports() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut seen = Vec::new();
    for url in [
        "memory:".to_owned(),
        format!("sqlite:{}", at("a.db").display()),
        format!("fs:{}", at("a").display()),
    ] {
        let larder = shelf::open(&url);
        stocked(&larder);
        let made = FORMS.map(|(name, form)| {
            let path = at(&format!("{}-{name}", seen.len()));
            export(&larder, Selection::All, false, &path, form).unwrap();
            bytes(&path)
        });
        seen.push(made);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[test]
fn an_archive_holds_the_files_of_the_folder_and_other_tools_unpack_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let larder = shelf::open("memory:");
    stocked(&larder);
    for (name, form) in FORMS {
        export(&larder, Selection::All, false, &at(name), form).unwrap();
    }
    let mut wanted = files(&at("shelf"));
    assert_eq!(wanted.remove("lock"), Some(Vec::new()), "which is only there for writers");

    fs::create_dir(at("unpacked")).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(at("shelf.tar")).arg("-C").arg(at("unpacked"));
    assert!(tar.status().unwrap().success());
    assert_eq!(files(&at("unpacked")), wanted);

    let unzipped = zstd::decode_all(&fs::read(at("shelf.tar.zst")).unwrap()[..]).unwrap();
    assert_eq!(unzipped, fs::read(at("shelf.tar")).unwrap());

    // What another tool unpacked is an export too.
    let there = shelf::open("memory:");
    assert_eq!(copy(&at("unpacked"), &there).versions.len(), 3);
}

#[test]
fn an_exported_folder_is_a_larder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shelf");
    let larder = shelf::open("memory:");
    stocked(&larder);
    export(&larder, Selection::All, false, &path, Form::Folder).unwrap();
    let exported = shelf::open(&format!("fs:{}", path.display()));
    assert_eq!(exported.load::<Weights>("net").unwrap().layer, 3);
    assert!(exported.apply("net", &weights(4)).unwrap().is_created());
}

#[test]
fn only_what_is_asked_for_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let larder = shelf::open("memory:");
    stocked(&larder);
    let newest: Reference = "net".parse().unwrap();
    for (all, versions) in [(false, 1), (true, 2)] {
        let path = folder.path().join(format!("{all}.tar"));
        let told = export(&larder, newest.clone(), all, &path, Form::Tar).unwrap();
        assert_eq!(told.versions, versions);
        let there = shelf::open("memory:");
        assert_eq!(copy(&path, &there).versions.len() as u64, versions);
    }
    let gone: Reference = "net@2".parse().unwrap();
    let error = export(&larder, [gone], false, &folder.path().join("x.tar"), Form::Tar);
    assert!(matches!(error, Err(Error::NotFound { .. })));
    assert!(!folder.path().join("x.tar").exists());
}

#[test]
fn an_import_merges_without_doubles_and_tells_what_it_would_move() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shelf.tar.zst");
    let (here, there) = (shelf::open("memory:"), shelf::open("memory:"));
    stocked(&here);
    export(&here, Selection::All, false, &path, Form::TarZst).unwrap();
    there.apply("net", &weights(1)).unwrap();
    there.apply("net", &weights(8)).unwrap();
    there.tag("net@2", "prod").unwrap();

    let archive = open(&path, &Limits::default()).unwrap();
    let before = content(&there);
    let refused = archive
        .larder()
        .maintenance()
        .copy(Selection::All, &there, &CopyOptions::default())
        .unwrap_err();
    assert!(refused.to_string().contains("net:prod from v2 to v1"), "{refused}");
    assert_eq!(content(&there), before);

    let overwrite = CopyOptions { overwrite: true, ..CopyOptions::default() };
    archive.larder().maintenance().copy(Selection::All, &there, &overwrite).unwrap();
    let layers: Vec<_> = (1..=3)
        .map(|number| there.load::<Weights>(format!("net@{number}")).unwrap().layer)
        .collect();
    assert_eq!(layers, [1, 8, 3], "the first was there");
    let again = archive
        .larder()
        .maintenance()
        .copy(Selection::All, &there, &CopyOptions::default())
        .unwrap();
    assert_eq!(again.blobs, 0);
    assert_eq!(there.versions("net").unwrap().len(), 3);
}

#[test]
fn nothing_is_written_over_and_nothing_half_written_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let larder = shelf::open("memory:");
    stocked(&larder);
    for (name, form) in FORMS {
        let path = folder.path().join(name);
        fs::write(&path, "precious").unwrap();
        let error = export(&larder, Selection::All, false, &path, form).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        fs::remove_file(&path).unwrap();
    }
    let lost = larder.show("net").unwrap().manifest.artifacts()[0].digest;
    larder.store().remove_blobs(&[lost]).unwrap();
    for (name, form) in FORMS {
        let error =
            export(&larder, Selection::All, false, &folder.path().join(name), form).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_temporary_folder_goes_with_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shelf.tar");
    let larder = shelf::open("memory:");
    stocked(&larder);
    export(&larder, Selection::All, false, &path, Form::Tar).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let archive = open_in(&path, &Limits::default(), temp.path()).unwrap();
    let unpacked = fs::read_dir(temp.path()).unwrap().next().unwrap().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(unpacked.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert!(unpacked.path().join("larder.json").exists());
    drop(archive);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn the_bytes_of_an_archive_are_those_of_the_first_release() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shelf.tar");
    let larder = shelf::open("memory:");
    larder.store_object_as::<_, larder::serializers::MsgPack>("answer", "deep", &42_u8).unwrap();
    export(&larder, Selection::All, false, &path, Form::Tar).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 18 * 512, "a header and a block for each of 8 files, and the end");
    assert_eq!(&bytes[257..263], b"ustar\0");
    assert_eq!(
        larder::store::Digest::of(&bytes).to_string(),
        "b3:e57e0c15ddd48e09540680be0741530db0b394bd5383ee109788a4ec50fd60ce"
    );
}
