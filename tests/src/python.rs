//! Programs in Python, which the tests run against Larder's own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const ADVICE: &str = "Python with its module venv is needed: `scripts/prepare` installs Debian's";

/// Runs a program to its end.
///
/// # Panics
/// If it fails.
#[allow(clippy::expect_used)]
pub fn run(program: impl AsRef<OsStr>, args: &[&OsStr]) {
    let mut command = Command::new(program);
    let output = command.args(args).output().expect(ADVICE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}\n{ADVICE}; packages come from PyPI");
}

/// A Python with these packages, made once for a target folder, under a name.
///
/// # Panics
/// If it cannot be made.
#[allow(clippy::unwrap_used)]
pub fn with_packages(target: &Path, name: &str, packages: &[&str]) -> PathBuf {
    fs::create_dir_all(target).unwrap();
    let folder = target.join(name);
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    // The tests of one program, and of several, run at once.
    let lock = File::create(target.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !ready.exists() {
        run("python3", &["-m".as_ref(), "venv".as_ref(), folder.as_ref()]);
        let install = ["-m", "pip", "install", "--quiet"];
        run(&python, &[&install, packages].concat().iter().map(OsStr::new).collect::<Vec<_>>());
        fs::write(ready, "").unwrap();
    }
    python
}
