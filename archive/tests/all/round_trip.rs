//! Round trips of exports.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::serializers::LarderObjects;
use larder::store::Remedy;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{self, Weights, content, files, fill, long_name, weights};
use larder::archive::{Form, Limits, export, open, open_in, write};
use larder::maintenance::CopyOptions;
use larder::{Error, Larder, Reference};

const FORMS: [(&str, Form); 3] =
    [("export", Form::Folder), ("export.tar", Form::Tar), ("export.tar.zst", Form::TarZst)];

/// The files of an export.
fn bytes(path: &Path) -> Vec<(String, Vec<u8>)> {
    if path.is_dir() {
        return files(path).into_iter().collect();
    }
    vec![(String::new(), fs::read(path).unwrap())]
}

fn copy(from: &Path, to: &Larder) -> larder::maintenance::CopyReport {
    let archive = open(from, &Limits::default()).unwrap();
    archive.larder().maintenance().copy(Selection::All, to, &CopyOptions::new()).unwrap()
}

#[test]
fn reexport_is_identical() {
    for store in ["sqlite:larder.db", "fs:larder"] {
        for (name, form) in FORMS {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            let (scheme, place) = store.split_once(':').unwrap();
            let here = common::open(&format!("{scheme}:{}", at(place).display()));
            fill(&here);
            export(&here, Selection::All, false, &at(name), form).unwrap();

            let there = common::open(&format!("{scheme}:{}", at("there").display()));
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
fn exports_of_equal_larders_are_identical() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut seen = Vec::new();
    for url in [
        "memory:".to_owned(),
        format!("sqlite:{}", at("a.db").display()),
        format!("fs:{}", at("a").display()),
    ] {
        let larder = common::open(&url);
        fill(&larder);
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
fn archive_equals_folder_and_tar_unpacks_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let larder = common::open("memory:");
    fill(&larder);
    for (name, form) in FORMS {
        export(&larder, Selection::All, false, &at(name), form).unwrap();
    }
    let mut wanted = files(&at("export"));
    assert_eq!(wanted.remove("lock"), Some(Vec::new()), "the lock exists for writers only");

    fs::create_dir(at("unpacked")).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(at("export.tar")).arg("-C").arg(at("unpacked"));
    assert!(tar.status().unwrap().success());
    assert_eq!(files(&at("unpacked")), wanted);

    let unzipped = zstd::decode_all(&fs::read(at("export.tar.zst")).unwrap()[..]).unwrap();
    assert_eq!(unzipped, fs::read(at("export.tar")).unwrap());

    // The folder unpacked by tar is an export too.
    let there = common::open("memory:");
    assert_eq!(copy(&at("unpacked"), &there).versions.len(), 3);
}

#[test]
fn an_export_of_nothing_is_refused_and_leaves_nothing() {
    let larder = common::open("memory:");
    for (name, form) in FORMS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let error = export(&larder, Selection::All, false, &path, form).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
        let mut out = Vec::new();
        write(&larder, Selection::All, false, form, &mut out).unwrap_err();
        assert!(out.is_empty(), "{name}");
    }
}

#[test]
fn exported_folder_opens_as_larder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export");
    let larder = common::open("memory:");
    fill(&larder);
    export(&larder, Selection::All, false, &path, Form::Folder).unwrap();
    let exported = common::open(&format!("fs:{}", path.display()));
    assert_eq!(exported.load::<Weights>("net").unwrap().layer, 3);
    assert!(exported.apply("net", &weights(4)).unwrap().is_created());
}

#[test]
fn exports_only_references() {
    let folder = tempfile::tempdir().unwrap();
    let larder = common::open("memory:");
    fill(&larder);
    let newest: Reference = "net".parse().unwrap();
    for (all, versions) in [(false, 1), (true, 2)] {
        let path = folder.path().join(format!("{all}.tar"));
        let message =
            export(&larder, std::slice::from_ref(&newest), all, &path, Form::Tar).unwrap();
        assert_eq!(message.versions, versions);
        let there = common::open("memory:");
        assert_eq!(copy(&path, &there).versions.len() as u64, versions);
    }
    let gone: Reference = "net@2".parse().unwrap();
    let error = export(&larder, [gone], false, &folder.path().join("x.tar"), Form::Tar);
    assert!(matches!(error, Err(Error::NotFound { .. })));
    assert!(!folder.path().join("x.tar").exists());
}

#[test]
fn import_merges_and_reports_tag_conflicts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.tar.zst");
    let (here, there) = (common::open("memory:"), common::open("memory:"));
    fill(&here);
    export(&here, Selection::All, false, &path, Form::TarZst).unwrap();
    there.apply("net", &weights(1)).unwrap();
    there.apply("net", &weights(8)).unwrap();
    there.tag("net@2", "prod").unwrap();

    let archive = open(&path, &Limits::default()).unwrap();
    let before = content(&there);
    let refused = archive
        .larder()
        .maintenance()
        .copy(Selection::All, &there, &CopyOptions::new())
        .unwrap_err();
    assert!(matches!(refused, Error::Blocked { remedy: Remedy::Overwrite, .. }), "{refused}");
    assert!(refused.to_string().contains("net:prod from v2 to v1"), "{refused}");
    assert_eq!(content(&there), before);

    let overwrite = CopyOptions::new().overwrite(true);
    archive.larder().maintenance().copy(Selection::All, &there, &overwrite).unwrap();
    let layers: Vec<_> = (1..=3)
        .map(|number| there.load::<Weights>(format!("net@{number}")).unwrap().layer)
        .collect();
    assert_eq!(layers, [1, 8, 3], "version 1 existed");
    let again =
        archive.larder().maintenance().copy(Selection::All, &there, &CopyOptions::new()).unwrap();
    assert_eq!(again.blobs, 0);
    assert_eq!(there.versions("net").unwrap().len(), 3);
}

#[test]
fn export_never_overwrites_or_leaves_partial_files() {
    let folder = tempfile::tempdir().unwrap();
    let larder = common::open("memory:");
    fill(&larder);
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
fn temporary_folder_is_private_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.tar");
    let larder = common::open("memory:");
    fill(&larder);
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
fn archive_bytes_are_stable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.tar");
    let larder = common::open("memory:");
    larder.store_object_as::<_, larder::serializers::MsgPack>("answer", "deep", &42_u8).unwrap();
    export(&larder, Selection::All, false, &path, Form::Tar).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 20 * 512, "a header and a block for each of 8 files, and the end");
    assert_eq!(&bytes[257..263], b"ustar\0");
    assert_eq!(
        larder::store::Digest::of(&bytes).to_string(),
        "b3:d46b0302784572ad730ed4e05e9506620736f899762dc49eb72f9589c48676a1"
    );
}
