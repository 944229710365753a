//! Python programs that the tests run.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const ADVICE: &str = "Python with venv is missing: run `scripts/prepare`";

/// Runs a program and waits for it.
///
/// # Panics
/// If the program fails.
#[allow(clippy::expect_used)]
pub fn run(program: impl AsRef<OsStr>, args: &[&OsStr]) {
    let mut command = Command::new(program);
    let output = command.args(args).output().expect(ADVICE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}\n{ADVICE}; packages come from PyPI");
}

/// Returns a Python with these packages: the virtual environment `name` below `target`, created once.
///
/// # Panics
/// If the environment cannot be created.
#[allow(clippy::unwrap_used)]
pub fn with_packages(target: &Path, name: &str, packages: &[&str]) -> PathBuf {
    fs::create_dir_all(target).unwrap();
    let folder = target.join(name);
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    // Several tests ask for it at once.
    let lock = File::create(target.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !ready.exists() {
        run("python3", &["-m".as_ref(), "venv".as_ref(), folder.as_ref()]);
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--no-cache-dir",
            "--disable-pip-version-check",
        ];
        run(&python, &[&install, packages].concat().iter().map(OsStr::new).collect::<Vec<_>>());
        fs::write(ready, "").unwrap();
    }
    python
}
