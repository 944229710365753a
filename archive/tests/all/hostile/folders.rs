//! Folders that were made to harm.

use larder::Selection;
use std::fs;
use std::path::{Path, PathBuf};

use larder::Error;
use larder::archive::{Form, Limits, export, open};
use larder::store::StoreExt;

use crate::shelf;

/// An export, and the path of one of its records.
fn exported(root: &Path) -> (PathBuf, PathBuf) {
    let larder = shelf::open("memory:");
    shelf::stocked(&larder);
    let folder = root.join("shelf");
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
fn links_and_pipes_in_a_folder_are_refused() {
    use std::os::unix::fs::symlink;
    let to = |target: &'static str| {
        move |_: &Path, record: &Path| {
            fs::remove_file(record).unwrap();
            symlink(target, record).unwrap();
        }
    };
    refused(to("/etc/passwd"), "`records/names/net.json` is a symbolic link");
    refused(to("../tags/net/@prod.json"), "is a symbolic link");
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
    refused(pipe, "`records/names/net.json` is a device or a pipe");
}

#[test]
fn strangers_in_a_folder_are_refused() {
    let stranger = |folder: &Path, _: &Path| fs::write(folder.join("evil.sh"), "x").unwrap();
    refused(stranger, "`evil.sh` is no file of a larder");
    let capitals = |_: &Path, record: &Path| {
        fs::write(record.with_file_name("Net.json"), "{}").unwrap();
    };
    refused(capitals, "`records/names/Net.json` has capital letters");
    let deep = |folder: &Path, _: &Path| {
        let path = format!("records/{}", "a/".repeat(300));
        fs::create_dir_all(folder.join(path)).unwrap();
    };
    refused(deep, "too deep");
    let bare = |folder: &Path, _: &Path| fs::remove_file(folder.join("larder.json")).unwrap();
    refused(bare, "it holds no larder.json");
}

#[test]
fn a_folder_with_damage_or_a_newer_format_is_refused() {
    let newer = |folder: &Path, _: &Path| {
        fs::write(folder.join("larder.json"), r#"{"larder":2,"store":"fs"}"#).unwrap();
    };
    refused(newer, "has format 2");
    refused(|_, record| fs::write(record, r#"{"larder":3}"#).unwrap(), "has format 3");
    refused(|_, record| fs::write(record, vec![b' '; 2 << 20]).unwrap(), "1048576 at most");
    let flip = |folder: &Path, _: &Path| {
        let larder = shelf::open(&format!("fs:{}", folder.display()));
        let (digest, _) = larder.store().blobs().next().unwrap().unwrap();
        let path = larder.store().read_blob(&digest).unwrap().unwrap().path().unwrap().to_owned();
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    refused(flip, "its digest is b3:");
}

#[test]
fn a_folder_beyond_the_limits_is_refused() {
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
