//! Several users, places where nothing can be written, and file systems without locks.
//!
//! These tests act as other users: they need root, or `sudo` that asks for no password.

mod place;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use self::place::{
    GROUP, NOBODY, OTHER, OWNER, Place, READING, STORES, WRITING, as_root, chmod, chown, done,
    listing, succeeds,
};

#[test]
fn a_reader_leaves_nothing_that_shuts_the_owner_out() {
    let place = Place::new();
    for store in STORES {
        // The reader may create files in the folder, but may not write the larder.
        let folder = place.dir(&store.replace(':', "-"), 0o777);
        place.fill(OWNER, &folder, store);
        chmod(&folder, 0o777);
        place.reads(NOBODY, &folder, store);
        let again = ["put", "small", "small.txt"]
            .map(|word| word.replace("small.txt", "../inputs/small.txt"));
        let again: Vec<_> = again.iter().map(String::as_str).collect();
        succeeds(place.larder(OWNER, &folder, store, &again));

        // While somebody writes, a reader sees it at once.
        let (scheme, name) = store.split_once(':').unwrap();
        let larder = larder::open(&format!("{scheme}:{}", folder.join(name).display())).unwrap();
        let mut run = larder::files::LarderFiles::run(&larder, "fresh").unwrap();
        run.log_artifact("text", place.path("inputs/small.txt")).unwrap();
        larder
            .apply("live", &crate::components::Label { title: "x".into(), years: vec![] })
            .unwrap();
        assert!(succeeds(place.larder(NOBODY, &folder, store, &["list"])).contains("live"));
        drop(larder);
        assert!(listing(&folder).iter().all(|line| !line.contains(&format!(" {NOBODY} "))));
        let tagged = ["tag", "small@1", "first"];
        if fs::metadata("/proc/self").unwrap().uid() == 0 && scheme == "sqlite" {
            succeeds(place.larder(OWNER, &folder, store, &tagged));
        }
    }
}

#[test]
fn users_of_one_group_write_one_larder() {
    let place = Place::new();
    for (store, mode) in STORES.iter().flat_map(|store| [(store, 0o2775), (store, 0o775)]) {
        let folder = place.dir(&format!("{}-{mode:o}", store.replace(':', "-")), mode);
        chown(&folder, &format!("{OWNER}:{GROUP}"));
        chmod(&folder, mode);
        place.fill(OWNER, &folder, store);
        for (round, user) in [OTHER, OWNER, OTHER].into_iter().enumerate() {
            let name = format!("../inputs/new-{round}");
            let (path, size) = (place.path("inputs").join(format!("new-{round}")), 150_000 + round);
            fs::write(path, vec![round as u8; size]).unwrap();
            for words in [
                &["put", "big", &name, "--tag", "new"][..],
                &["put", &format!("of-{round}"), &name],
                &["note", "big", "--label", &format!("round={round}")],
                &["remove", &format!("of-{round}@1")],
                &["verify"],
                &["get", "big@1", "-o", &format!("../inputs/got-{user}-{round}")],
            ] {
                succeeds(place.larder(user, &folder, store, words));
            }
            done(
                as_root("rm")
                    .arg("-rf")
                    .arg(place.path("inputs").join(format!("got-{user}-{round}"))),
            );
        }
        succeeds(place.larder(OTHER, &folder, store, &["gc", "--grace", "1s"]));
        for line in listing(&folder) {
            let words: Vec<_> = line.split(' ').rev().collect();
            let (group, mode) = (words[1], words[3]);
            assert_eq!(group, GROUP.to_string(), "{store} {line}");
            assert_eq!(&mode[4..5], "r", "{store} {line}");
            let is_blob = line.contains("blobs/") && !mode.starts_with('d');
            assert_eq!(&mode[5..6], if is_blob { "-" } else { "w" }, "{store} {line}");
        }
    }
}

/// Threads of one process make folders at once; each takes its group from the one that it is in.
#[test]
fn whatever_makes_a_folder_first_it_has_the_group() {
    let place = Place::new();
    let many = place.path("inputs/many");
    fs::create_dir(&many).unwrap();
    for file in 0..40 {
        fs::write(many.join(file.to_string()), format!("file {file}")).unwrap();
    }
    for round in 0..25 {
        let folder = place.dir(&format!("first-{round}"), 0o775);
        chown(&folder, &format!("{OWNER}:{GROUP}"));
        chmod(&folder, 0o775);
        let put = ["put", "many", "../inputs/many"];
        succeeds(place.larder(OWNER, &folder, "fs:folder", &put));
        for line in listing(&folder) {
            assert_eq!(line.split(' ').nth_back(1), Some(&*GROUP.to_string()), "{line}");
        }
    }
}

#[test]
fn every_reading_command_works_where_nothing_can_be_written() {
    let place = Place::new();
    for store in STORES {
        // Another user's, who lets others read.
        let folder = place.dir(&format!("public-{}", store.replace(':', "-")), 0o777);
        place.fill(OWNER, &folder, store);
        chmod(&folder, 0o555);
        place.reads(NOBODY, &folder, store);

        // The owner's own, closed to everybody else and to writing.
        let folder = place.dir(&format!("own-{}", store.replace(':', "-")), 0o777);
        chown(&folder, &format!("{OWNER}:{OWNER}"));
        place.fill(OWNER, &folder, store);
        for mode in ["a-w,go-rwx", "u-w"] {
            done(as_root("chmod").args(["-R", mode]).arg(&folder));
            place.reads(OWNER, &folder, store);
        }
        done(as_root("chmod").args(["-R", "u+w"]).arg(&folder));
    }
}

#[test]
fn a_log_that_a_dead_writer_left_is_read_where_nothing_can_be_written() {
    let place = Place::new();
    let store = STORES[0];
    let folder = place.dir("whole", 0o777);
    place.fill(OWNER, &folder, store);
    let path = folder.join("larder.db");
    done(as_root("chmod").args(["-R", "a+rwX"]).arg(&folder));
    let larder = larder::open(path.to_str().unwrap()).unwrap();
    larder.apply("logged", &crate::components::Label { title: "x".into(), years: vec![] }).unwrap();
    for (name, files) in [
        ("with-index", &["larder.db", "larder.db-wal", "larder.db-shm"][..]),
        // As it is copied by hand.
        ("without-index", &["larder.db", "larder.db-wal"]),
    ] {
        let copy = place.dir(name, 0o777);
        for file in files {
            fs::copy(folder.join(file), copy.join(file)).unwrap();
        }
        done(Command::new("cp").arg("-r").arg(folder.join("larder.db.blobs")).arg(&copy));
        done(as_root("chmod").args(["-R", "a+rX,a-w"]).arg(&copy));
        place.reads(NOBODY, &copy, store);
        let listed = succeeds(place.larder(
            NOBODY,
            &place.path("inputs"),
            &format!("sqlite:{}/larder.db", copy.display()),
            &["list"],
        ));
        assert!(listed.contains("logged"), "{name}: {listed}");
        done(as_root("chmod").args(["-R", "u+w"]).arg(&copy));
    }
}

#[test]
fn archives_and_larders_on_a_read_only_mount_are_read() {
    let place = Place::new();
    let folder = place.dir("m", 0o777);
    for store in STORES {
        place.fill(0, &folder, store);
    }
    succeeds(place.larder(0, &folder, STORES[0], &["export", "-o", "all.tar.zst"]));
    let (program, inputs) = (place.path("larder"), place.path("inputs"));
    let (program, inputs) = (program.display(), inputs.display());
    let mount =
        format!("mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}'", folder.display());
    let may_mount = as_root("unshare").args(["-m", "sh", "-c", &mount]).output().unwrap();
    // In a container that may not mount, the folders of the other tests are what there is.
    let mount = if may_mount.status.success() {
        format!("{mount} && ! touch '{}/x' 2>/dev/null", folder.display())
    } else {
        chmod(&folder, 0o555);
        "true".to_owned()
    };
    let mut script = format!("set -e; {mount}; cd {inputs}; umask 022; ");
    for store in STORES {
        let (scheme, name) = store.split_once(':').unwrap();
        for words in READING {
            let words = words.join(" ").replace("OUT", &format!("{inputs}/out"));
            script += &format!(
                "{program} --store '{scheme}:{}/{name}' {words} >/dev/null; rm -rf {inputs}/out*\n",
                folder.display()
            );
        }
    }
    script +=
        &format!("{program} --store fs:{inputs}/in import {}/all.tar.zst\n", folder.display());
    script += &format!("{program} --store fs:{inputs}/in verify\n");
    let before = listing(&folder);
    succeeds(
        as_root("unshare")
            .args(["-m", "sh", "-c", &script])
            .env("HOME", "/nonexistent")
            .output()
            .unwrap(),
    );
    assert_eq!(listing(&folder), before);
    chmod(&folder, 0o777);
    done(as_root("rm").arg("-rf").arg(place.path("inputs/in")));
}

/// Replaces the functions of the C library that lock.
const WITHOUT_LOCKS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int flock(int fd, int how) { errno = FAULT; return -1; }
static int locks(int what) {
    return what == F_SETLK || what == F_SETLKW || what == F_OFD_SETLK || what == F_OFD_SETLKW;
}
#define REPLACE(name) \
    int name(int fd, int what, ...) { \
        va_list rest; va_start(rest, what); void *argument = va_arg(rest, void *); va_end(rest); \
        if (locks(what)) { errno = FAULT; return -1; } \
        int (*real)(int, int, void *) = (int (*)(int, int, void *))dlsym(RTLD_NEXT, #name); \
        return real(fd, what, argument); \
    }
REPLACE(fcntl)
REPLACE(fcntl64)
"#;

#[test]
#[cfg(target_os = "linux")]
fn every_reading_command_works_where_nothing_can_be_locked() {
    let place = Place::new();
    let user = fs::metadata("/proc/self").unwrap().uid();
    fs::write(place.path("locks.c"), WITHOUT_LOCKS).unwrap();
    let folder = place.dir("l", 0o777);
    for store in STORES {
        place.fill(user, &folder, store);
    }
    for fault in ["ENOSYS", "ENOLCK", "EOPNOTSUPP"] {
        let shim = place.path(&format!("{fault}.so"));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(format!("-DFAULT={fault}"));
        done(cc.arg(place.path("locks.c")).arg("-ldl"));
        for store in STORES {
            let before = listing(&folder);
            for (words, works) in READING
                .iter()
                // These write elsewhere, where there are no locks either.
                .filter(|words| !["copy", "export"].contains(&words[0]))
                .map(|words| (words, true))
                .chain(WRITING.iter().map(|words| (words, false)))
            {
                let out = place.path("inputs/out");
                let mut command = Command::new(place.path("larder"));
                command.args(words.iter().map(|word| word.replace("OUT", out.to_str().unwrap())));
                let (scheme, name) = store.split_once(':').unwrap();
                command.env("LARDER_STORE", format!("{scheme}:{}", folder.join(name).display()));
                command.env("LD_PRELOAD", &shim).current_dir(place.path("inputs"));
                command.env("XDG_CACHE_HOME", place.path("cache"));
                let output = command.output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.success(), works, "{fault} {store} {words:?}: {said}");
                let _ = fs::remove_dir_all(&out).or_else(|_| fs::remove_file(&out));
            }
            assert_eq!(listing(&folder), before, "{fault} {store}");
        }
    }
}

#[test]
fn a_link_to_another_users_larder_is_read() {
    let place = Place::new();
    let folder = place.dir("far", 0o777);
    place.fill(OWNER, &folder, STORES[0]);
    chmod(&folder, 0o755);
    symlink(folder.join("larder.db"), place.path("inputs/near.db")).unwrap();
    let got = ["get", "big", "-o", "out.bin"];
    succeeds(place.larder(NOBODY, &place.path("inputs"), "near.db", &got));
    assert_eq!(
        listing(&place.path("inputs")).iter().filter(|line| line.contains("near")).count(),
        1
    );
    done(as_root("rm").arg("-rf").arg(place.path("inputs/out.bin")));
}
