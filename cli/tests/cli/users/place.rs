//! A folder for commands of several users, with what they read.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::test_dir::PLAIN;

pub(super) const OWNER: u32 = 61_001;
pub(super) const OTHER: u32 = 61_002;
pub(super) const GROUP: u32 = 61_000;
pub(super) const NOBODY: u32 = 65_534;

pub(super) const STORES: [&str; 2] = ["sqlite:larder.db", "fs:folder"];

/// Commands that change nothing in a larder. `OUT` is a new path where the user may write.
pub(super) const READING: [&[&str]; 19] = [
    &["list"],
    &["list", "--all"],
    &["show", "small"],
    &["versions", "small"],
    &["history", "small:prod"],
    &["diff", "small@1", "small@1"],
    &["get", "small", "-o", "OUT"],
    &["get", "big", "-o", "OUT"],
    &["export", "-o", "OUT.tar"],
    &["export", "-o", "OUT"],
    &["copy", "--all", "fs:OUT"],
    &["copy", "--all", "sqlite:OUT.db"],
    &["verify"],
    &["doctor"],
    &["gc", "--dry-run"],
    &["jobs"],
    &["types"],
    &["serializers"],
    &["put", "--dry-run", "more", "big.bin"],
];
pub(super) const WRITING: [&[&str]; 3] =
    [&["put", "more", "big.bin"], &["tag", "small@1", "best"], &["remove", "small@1"]];

/// A folder that every user can enter, with the program.
pub(super) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        chmod(place.folder.path(), 0o755);
        // The folder that it was built in may be closed to others.
        done(Command::new("cp").arg(PLAIN).arg(place.path("larder")));
        place.dir("inputs", 0o777);
        fs::write(place.path("inputs/small.txt"), "one").unwrap();
        fs::write(place.path("inputs/big.bin"), vec![7; 200_000]).unwrap();
        place
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn dir(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        chmod(&path, mode);
        path
    }

    /// A shell command of a user, in `folder`.
    pub(super) fn sh(&self, user: u32, folder: &Path, script: &str) -> Output {
        let ids =
            [format!("--reuid={user}"), format!("--regid={user}"), format!("--groups={GROUP}")];
        let ids = ids.map(|id| {
            if user == NOBODY && id.starts_with("--groups") { "--clear-groups".into() } else { id }
        });
        as_root("setpriv")
            .args(ids)
            .args([
                "sh",
                "-c",
                &format!("umask 002; export LARDER_AUTHOR=ann HOME=/nonexistent; {script}"),
            ])
            .current_dir(folder)
            .env_remove("XDG_CACHE_HOME")
            .output()
            .unwrap()
    }

    /// A command of Larder by a user.
    pub(super) fn larder(&self, user: u32, folder: &Path, store: &str, words: &[&str]) -> Output {
        let program = self.path("larder");
        let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        self.sh(
            user,
            folder,
            &format!("{} --store '{store}' {}", program.display(), words.join(" ")),
        )
    }

    /// As the user, puts versions that every command of [`READING`] finds.
    pub(super) fn fill(&self, user: u32, folder: &Path, store: &str) {
        let inputs = self.path("inputs");
        let (small, big) = (inputs.join("small.txt"), inputs.join("big.bin"));
        let (small, big) = (small.to_str().unwrap(), big.to_str().unwrap());
        for words in [["put", "small", small], ["put", "big", big]] {
            succeeds(self.larder(user, folder, store, &words));
        }
        succeeds(self.larder(user, folder, store, &["put", "small", big, "--tag", "prod"]));
    }

    /// As the user, runs every reading command on the larder, and a few that write, which must fail.
    pub(super) fn reads(&self, user: u32, folder: &Path, store: &str) {
        let before = listing(folder);
        let inputs = self.path("inputs");
        let (scheme, name) = store.split_once(':').unwrap();
        let store = format!("{scheme}:{}", folder.join(name).display());
        let out = inputs.join("out");
        for words in READING {
            let words: Vec<_> =
                words.iter().map(|word| word.replace("OUT", out.to_str().unwrap())).collect();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            succeeds(self.larder(user, &inputs, &store, &words));
            for left in ["out", "out.tar", "out.db", "out.db.blobs"].map(|name| inputs.join(name)) {
                done(as_root("rm").arg("-rf").arg(left));
            }
        }
        for words in WRITING {
            let output = self.larder(user, &inputs, &store, words);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{store} {words:?}");
            assert!(said.starts_with("error: cannot "), "{store} {words:?}: {said}");
        }
        assert_eq!(listing(folder), before, "{store}");
    }
}

pub(super) fn chmod(path: &Path, mode: u32) {
    done(as_root("chmod").arg(format!("{mode:o}")).arg(path));
}

pub(super) fn chown(path: &Path, owner: &str) {
    done(as_root("chown").args(["-R", owner]).arg(path));
}

/// A program with the rights of root.
pub(super) fn as_root(program: impl AsRef<OsStr>) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", "--preserve-env"]).arg(program);
    command
}

pub(super) fn done(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {said}; this test needs root, or `sudo` without a password"
    );
}

#[track_caller]
pub(super) fn succeeds(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Everything in a folder: path, mode, owner, group and size.
pub(super) fn listing(folder: &Path) -> Vec<String> {
    let output =
        as_root("find").arg(folder).args(["-printf", "%P %M %U %G %s\n"]).output().unwrap();
    let mut lines: Vec<_> = succeeds(output).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
