//! Packages of npm that the tests run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to do where npm is missing.
pub const ADVICE: &str = "`node` or `npm` is missing: run `scripts/prepare`";

/// Returns the folder `name` below `target`, in which the package is installed, once, and the program lies as `main.mjs`.
///
/// # Panics
/// If npm cannot install the package.
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub fn with_package(target: &Path, name: &str, package: &str, program: &str) -> PathBuf {
    let folder = target.join(name);
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let ready = folder.join("ready");
    if !fs::read_to_string(&ready).is_ok_and(|installed| installed == package) {
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--silent", package]);
        let status = install.current_dir(&folder).status().expect(ADVICE);
        assert!(status.success(), "npm cannot install {package}");
        fs::write(ready, package).unwrap();
    }
    let main = folder.join("main.mjs");
    if !fs::read_to_string(&main).is_ok_and(|found| found == program) {
        fs::write(main, program).unwrap();
    }
    folder
}
