//! Commands that cannot do their work leave nothing behind: no larder, no folder, no file.

use std::fs;

use insta::assert_snapshot;
use larder::store::StoreExt;

use crate::test_dir::{TestDir, everywhere};

/// The names of everything in the folder.
fn names(dir: &TestDir) -> Vec<String> {
    let names = fs::read_dir(dir.path(".")).unwrap();
    let mut names: Vec<_> =
        names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs commands that must fail and leave everything as it was.
fn refused(dir: &TestDir, commands: &[&[&str]]) -> String {
    let before = names(dir);
    let mut printed = String::new();
    for command in commands {
        let said = dir.plain(command);
        assert!(!said.starts_with("exit 0"), "{command:?}: {said}");
        assert_eq!(names(dir), before, "{command:?}: {said}");
        printed += &said;
    }
    printed
}

#[test]
fn a_refused_copy_leaves_no_target() {
    everywhere(|dir| {
        let larder = dir.filled().larder();
        larder.remove("wine/price@2").unwrap();
        dir.plain(&["export", "-o", "sound.tar"]);
        let manifest = larder.show("label").unwrap().version.digest;
        larder.store().remove_blobs(&[manifest]).unwrap();
        fs::write(dir.path("file"), "a file").unwrap();
        for target in ["fs:new", "sqlite:new.db", "fs:deep/er/new"] {
            refused(
                dir,
                &[
                    // The bytes of a version are missing.
                    &["copy", "--all", target],
                    &["copy", "label", target],
                    &["mirror", dir.store, target],
                    &["pull", &format!("{}#label", dir.store), "--store", target],
                    &["export", "-o", "out"],
                    &["export", "-o", "out.tar"],
                    // There is no such version, or no such larder.
                    &["copy", "label@7", target],
                    &["mirror", "fs:nowhere", target],
                    &["pull", "fs:nowhere#label", "--store", target],
                    &["import", "file", "--store", target],
                    &["import", "sound.tar", "label@7", "--store", target],
                    &["put", "a", "nowhere", "--store", target],
                    &["put", "a", "file", "--as", "onnx", "--store", target],
                    &["restore", "label@1", "--store", target],
                ],
            );
        }
        String::new()
    });
}

#[test]
fn an_export_without_a_version_is_refused() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["export", "label", "-o", "out"]);
        let records = dir.path("out/records");
        for name in ["names", "versions", "digests"] {
            fs::remove_dir_all(records.join(name)).unwrap();
        }
        refused(dir, &[&["import", "out", "--store", "fs:new"]])
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot import out: it has no version
    ");
}

#[test]
fn a_path_out_of_a_folder_that_does_not_exist_makes_nothing() {
    let printed = everywhere(|dir| {
        dir.filled().plain(&["export", "label", "-o", "out.tar"]);
        fs::write(dir.path("file"), "a file").unwrap();
        dir.plain(&["put", "file", "file"]);
        let mut printed = String::new();
        for target in ["fs:no/../new", "sqlite:no/../new.db", "no/../new.db", "no/../../up"] {
            printed += &refused(
                dir,
                &[
                    &["put", "a", "file", "--store", target],
                    &["import", "out.tar", "--store", target],
                    &["copy", "label", target],
                    &["list", "--store", target],
                ],
            );
        }
        printed += &refused(
            dir,
            &[
                &["put", "a", "no/../file"],
                &["export", "-o", "no/../new"],
                &["export", "-o", "no/../new.tar"],
                &["get", "file", "-o", "no/../new"],
                &["man", "no/../new"],
            ],
        );
        printed
    });
    assert_snapshot!(printed, @"
    exit 1
    --- stderr
    error: cannot create the folder no/../new
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot create the folder no/../new
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot create the folder no/../new
      caused by: the folder no does not exist
    exit 3
    --- stderr
    error: cannot open fs:no/../new: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 1
    --- stderr
    error: cannot open no/../new.db
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot open no/../new.db
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot open no/../new.db
      caused by: the folder no does not exist
    exit 3
    --- stderr
    error: cannot open sqlite:no/../new.db: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 1
    --- stderr
    error: cannot open no/../new.db
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot open no/../new.db
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot open no/../new.db
      caused by: the folder no does not exist
    exit 3
    --- stderr
    error: cannot open sqlite:no/../new.db: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 1
    --- stderr
    error: cannot create the folder no/../../up
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot create the folder no/../../up
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot create the folder no/../../up
      caused by: the folder no does not exist
    exit 3
    --- stderr
    error: cannot open fs:no/../../up: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 1
    --- stderr
    error: cannot look at no/../file
      caused by: No such file or directory (os error 2)
    exit 1
    --- stderr
    error: cannot write no/../new
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot write no/../new.tar
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot write no/../new
      caused by: the folder no does not exist
    exit 1
    --- stderr
    error: cannot write manual pages to no/../new
      caused by: the folder no does not exist
    ");
}

#[test]
fn a_path_with_dots_that_exists_is_one_place() {
    everywhere(|dir| {
        fs::create_dir_all(dir.path("a/b")).unwrap();
        fs::write(dir.path("file"), "a file").unwrap();
        for (target, same) in [("fs:a/b/../new", "fs:a/new"), ("a/../a/b/../new.db", "a/new.db")] {
            dir.plain(&["put", "a", "file", "--store", target]);
            let listed = dir.plain(&["list", "--quiet", "--store", same]);
            assert_eq!(listed, "exit 0\n--- stdout\na@1\n");
            assert_eq!(dir.plain(&["list", "--quiet", "--store", target]), listed);
        }
        assert!(dir.larder().store().records("").next().is_none());
        String::new()
    });
}
