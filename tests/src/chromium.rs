//! Chromium without a screen, driven by the npm package `playwright-core`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ADVICE: &str = "`node`, `npm` or `chromium` is missing: run `scripts/prepare`";
const PROGRAM: &str = include_str!("../page/walk.mjs");
/// The packages, which npm installs once.
const PACKAGES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// Walks over the web page. `target` keeps the packages and the screenshots. Returns each fault that was found.
///
/// # Panics
/// If the walk does not come to its end.
#[allow(clippy::expect_used, clippy::unwrap_used)]
pub fn walk(target: &Path, environment: &[(&str, &str)]) -> Vec<String> {
    let folder = target.join("playwright");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (ready, wanted) = (folder.join("ready"), PACKAGES.join(" "));
    if !fs::read_to_string(&ready).is_ok_and(|installed| installed == wanted) {
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--silent"]).args(PACKAGES);
        let status = install.current_dir(&folder).status().expect(ADVICE);
        assert!(status.success(), "npm cannot install {wanted}");
        fs::write(ready, wanted).unwrap();
    }
    let program = folder.join("walk.mjs");
    fs::write(&program, PROGRAM).unwrap();
    let mut node = Command::new("node");
    node.arg(program).envs(environment.iter().copied());
    node.env("CHROMIUM", chromium()).env("PAGE_SHOTS", target.join("page"));
    let walked = node.output().expect(ADVICE);
    drop(lock);
    let said = String::from_utf8_lossy(&walked.stdout);
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    let noted = String::from_utf8_lossy(&walked.stderr);
    assert_eq!(lines.pop().as_deref(), Some("done"), "{said}\n{noted}");
    lines
}

/// The program.
#[allow(clippy::expect_used)]
fn chromium() -> PathBuf {
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    known.iter().map(PathBuf::from).find(|path| path.exists()).expect(ADVICE)
}
