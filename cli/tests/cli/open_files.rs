//! Many files in one version need few open files, whatever is done with them.
#![cfg(unix)]

use std::fs;
use std::process::{Command, Stdio};

use crate::test_dir::{PLAIN, TestDir};

/// Number of small files, far more than a process may have open here.
const SMALL: usize = 700;
/// Number of files that are no rows of a database.
const LARGE: usize = 60;

/// Runs the program with at most 100 open files, of which the bounds of Larder leave some for other uses.
fn frugal(dir: &TestDir, args: &[&str]) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\"", PLAIN]).args(args);
    command.current_dir(dir.path(".")).env("XDG_CACHE_HOME", dir.path("cache"));
    command.env_remove("LARDER_STORE").stdout(Stdio::piped()).stderr(Stdio::piped());
    let printed = dir.run(command, b"");
    assert!(printed.starts_with("exit 0\n"), "{args:?}: {printed}");
    printed
}

fn fill(dir: &TestDir) {
    fs::create_dir_all(dir.path("many/sub")).unwrap();
    for number in 0..SMALL {
        dir.write(&format!("many/sub/small-{number}"), format!("the file {number}"));
    }
    for number in 0..LARGE {
        dir.write(&format!("many/large-{number}"), vec![number as u8; 70_000]);
    }
}

#[test]
fn every_command_has_few_files_open() {
    let dir = &TestDir::new("fs:unused");
    fill(dir);
    for (scheme, other) in [("fs", "sqlite"), ("sqlite", "fs")] {
        let name = |what: &str| format!("{scheme}:{scheme}-{what}");
        let [here, there, mirror, again] = ["here", "there", "mirror", "again"].map(name);
        let across = format!("{other}:{scheme}-across");
        let [tar, folder, out] = ["tar.tar", "folder", "out"].map(|it| format!("{scheme}-{it}"));
        let at = |store: &str, args: &[&str]| frugal(dir, &[args, &["--store", store]].concat());
        at(&here, &["put", "many", "many"]);
        at(&here, &["put", "many", "many"]);
        at(&here, &["copy", "many", &there]);
        at(&here, &["copy", "many", &across]);
        frugal(dir, &["mirror", &here, &mirror]);
        at(&here, &["export", "-o", &tar]);
        at(&here, &["export", "-o", &folder]);
        at(&again, &["import", &tar]);
        at(&format!("{again}-2"), &["import", &folder]);
        at(&here, &["get", "many", "-o", &out]);
        let files = fs::read_dir(dir.path(&out)).unwrap().count();
        assert_eq!(files, LARGE + 1);
        for blobs in [format!("{scheme}-there/blobs"), format!("{scheme}-there.blobs")] {
            for folder in fs::read_dir(dir.path(&blobs)).into_iter().flatten() {
                for blob in fs::read_dir(folder.unwrap().path()).unwrap() {
                    fs::remove_file(blob.unwrap().path()).unwrap();
                }
            }
        }
        let repaired = at(&there, &["verify", "--repair-from", &here]);
        assert!(repaired.contains("repaired"), "{repaired}");
        at(&there, &["remove", "many@1"]);
        at(&there, &["restore", "many@1"]);
        at(&there, &["gc", "--grace", "0s", "--exclusive"]);
        at(&there, &["verify"]);
    }
}
