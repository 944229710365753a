//! Hostile folders.

use larder::Selection;
use std::fs;
use std::path::{Path, PathBuf};

use larder::Error;
use larder::archive::{Form, Limits, export, open};
use larder::store::StoreExt;

use crate::common;

/// An export, and the path of one of its records.
fn exported(root: &Path) -> (PathBuf, PathBuf) {
    let larder = common::open("memory:");
    common::fill(&larder);
    let folder = root.join("export");
    export(&larder, Selection::All, false, &folder, Form::Folder).unwrap();
    let record = folder.join("records/names/net.json");
    assert!(record.exists());
    (folder, record)
}

fn refused(attack: impl FnOnce(&Path, &Path), why: &str) {
    let root = tempfile::tempdir().unwrap();
    let (folder, record) = exported(root.path());
    attack(&folder, &record);
    let error = open(&folder, &Limits::default()).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    let known =
        matches!(error, Error::Refused { .. } | Error::Corrupt { .. } | Error::NewerFormat { .. });
    assert!(known, "{error:?}");
}

#[test]
#[cfg(unix)]
fn rejects_links_and_pipes() {
    use std::os::unix::fs::symlink;
    let to = |target: &'static str| {
        move |_: &Path, record: &Path| {
            fs::remove_file(record).unwrap();
            symlink(target, record).unwrap();
        }
    };
    refused(to("/etc/passwd"), "`records/names/net.json` is a symbolic link");
    refused(to("../tags/net/@prod.json"), "symbolic link");
    let folder_link = |folder: &Path, _: &Path| {
        fs::rename(folder.join("records"), folder.join("../elsewhere")).unwrap();
        symlink("../elsewhere", folder.join("records")).unwrap();
    };
    refused(folder_link, "`records` is a symbolic link");
    let lock = |folder: &Path, _: &Path| {
        fs::remove_file(folder.join("lock")).unwrap();
        symlink("/etc/passwd", folder.join("lock")).unwrap();
    };
    refused(lock, "`lock` is a symbolic link");
    let marker = |folder: &Path, _: &Path| {
        fs::remove_file(folder.join("larder.json")).unwrap();
        symlink("/etc/passwd", folder.join("larder.json")).unwrap();
    };
    refused(marker, "`larder.json` is a symbolic link");
    let pipe = |_: &Path, record: &Path| {
        fs::remove_file(record).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(record).status().unwrap().success());
    };
    refused(pipe, "pipe");
}

#[test]
fn rejects_unknown_files() {
    let unknown = |folder: &Path, _: &Path| fs::write(folder.join("evil.sh"), "x").unwrap();
    refused(unknown, "`evil.sh`");
    let capitals = |_: &Path, record: &Path| {
        fs::write(record.with_file_name("Net.json"), "{}").unwrap();
    };
    refused(capitals, "capital letters");
    let deep = |folder: &Path, _: &Path| {
        let path = format!("records/{}", "a/".repeat(300));
        fs::create_dir_all(folder.join(path)).unwrap();
    };
    refused(deep, "nested");
    let bare = |folder: &Path, _: &Path| fs::remove_file(folder.join("larder.json")).unwrap();
    refused(bare, "no larder.json");
}

#[test]
fn rejects_damage_and_newer_format() {
    let newer = |folder: &Path, _: &Path| {
        fs::write(folder.join("larder.json"), r#"{"larder":2,"store":"fs"}"#).unwrap();
    };
    refused(newer, "format 2");
    refused(|_, record| fs::write(record, r#"{"larder":3}"#).unwrap(), "format 3");
    refused(|_, record| fs::write(record, vec![b' '; 2 << 20]).unwrap(), "1048576");
    let flip = |folder: &Path, _: &Path| {
        let larder = common::open(&format!("fs:{}", folder.display()));
        let (digest, _) = larder.store().blobs().next().unwrap().unwrap();
        let path = larder.store().read_blob(&digest).unwrap().unwrap().path().unwrap().to_owned();
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    refused(flip, "digest is b3:");
}

#[test]
fn rejects_folder_beyond_limits() {
    let root = tempfile::tempdir().unwrap();
    let (folder, _) = exported(root.path());
    for limits in [
        Limits { files: 3, ..Limits::default() },
        Limits { total: 1_000, ..Limits::default() },
        Limits { record: 10, ..Limits::default() },
    ] {
        let error = open(&folder, &limits).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }
}
