//! Files and folders: what goes in comes out, and what must not go in or out does not.

mod drafts;
mod refused;

use larder::Selection;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use larder::Error;
use larder::files::TreeKind;
use larder::prelude::*;
use larder::store::{Digest, StoreExt};
use tempfile::TempDir;

/// A folder to work in, and larders on every store.
fn everywhere(test: impl Fn(&Path, &Larder)) {
    for scheme in ["sqlite", "fs", "memory"] {
        let here = tempfile::tempdir().unwrap();
        let url = match scheme {
            "memory" => "memory:".to_owned(),
            scheme => format!("{scheme}:{}", here.path().join("larder").display()),
        };
        let larder = larder::open(&url).unwrap().with_cache(here.path().join("cache"));
        test(here.path(), &larder);
    }
}

fn write(path: PathBuf, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Two files with one basename, a large file, and an empty folder.
fn sample(here: &Path) -> PathBuf {
    let folder = here.join("sample");
    write(folder.join("left/index.bin"), "left");
    write(folder.join("right/index.bin"), "right");
    write(folder.join("large.bin"), vec![7; 300_000]);
    write(folder.join("none.txt"), "");
    fs::create_dir_all(folder.join("left/empty/inner")).unwrap();
    folder
}

/// Every path below a folder, with the content of the files.
fn content(folder: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.push((name, None));
                folders.push(path);
            } else {
                found.push((name, Some(fs::read(path).unwrap())));
            }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn assert_empty(larder: &Larder) {
    assert_eq!(larder.store().records("").count(), 0, "no record was written");
}

#[test]
fn a_folder_comes_back_with_every_name_byte_and_empty_folder() {
    everywhere(|here, larder| {
        let folder = sample(here);
        assert!(larder.apply("data", &Tree::read(&folder).unwrap()).unwrap().is_created());
        assert!(!larder.apply("data", &Tree::read(&folder).unwrap()).unwrap().is_created());

        let tree: Tree = larder.load("data").unwrap();
        assert_eq!(tree.kind(), TreeKind::Folder);
        let laid_out = larder.materialise(&tree).unwrap();
        assert_eq!(content(&laid_out), content(&folder), "equal basenames do not meet");
        tree.write(here.join("copy")).unwrap();
        assert_eq!(content(&here.join("copy")), content(&folder));
        assert!(!larder.apply("data", &tree).unwrap().is_created(), "a loaded tree is the same");
        assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
    });
}

#[test]
fn one_file_keeps_its_name_and_is_a_blob_of_exactly_its_bytes() {
    everywhere(|here, larder| {
        let file = here.join("index.ann");
        write(file.clone(), "near");
        larder.apply("index", &Tree::read(&file).unwrap()).unwrap();
        let shown = larder.show("index").unwrap();
        let [entry] = shown.manifest.artifacts() else { panic!("one artifact") };
        assert_eq!((entry.digest, entry.serializer.as_str()), (Digest::of(b"near"), "file"));

        let tree: Tree = larder.load("index").unwrap();
        let path = larder.materialise(&tree).unwrap();
        assert_eq!(path.file_name().unwrap(), "index.ann");
        assert_eq!(fs::read(path).unwrap(), b"near");
        let (name, file) = tree.single_file().unwrap();
        assert_eq!(name.as_str(), "index.ann");
        assert_eq!(file.content.get().unwrap().bytes().unwrap(), "near");
    });
}

#[test]
fn equal_files_are_stored_once_across_folders_and_versions() {
    everywhere(|here, larder| {
        let folder = here.join("folder");
        write(folder.join("a"), vec![1; 100_000]);
        write(folder.join("b"), vec![1; 100_000]);
        larder.apply("data", &Tree::read(&folder).unwrap()).unwrap();
        write(folder.join("c"), "new");
        larder.apply("data", &Tree::read(&folder).unwrap()).unwrap();
        let blobs: u64 = larder.store().blobs().map(|blob| blob.unwrap().1).sum();
        assert!(blobs < 110_000, "{blobs} bytes are stored");
    });
}

#[test]
fn a_tree_is_a_field_like_any_other() {
    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "test/with-trees")]
    struct WithTrees {
        trees: Vec<Tree>,
    }
    everywhere(|here, larder| {
        let tree = Tree::read(sample(here)).unwrap();
        larder.apply("both", &WithTrees { trees: vec![tree.clone(), tree] }).unwrap();
        let loaded: WithTrees = larder.load("both").unwrap();
        let [first, second] = &loaded.trees[..] else { panic!("two trees") };
        let places = [first, second].map(|tree| larder.materialise(tree).unwrap());
        assert_eq!(places[0], places[1], "equal trees share a place");
        assert_eq!(content(&places[0]), content(&here.join("sample")));
    });
}

#[test]
fn a_tree_that_was_never_applied_is_laid_out_too_and_at_the_same_place() {
    everywhere(|here, larder| {
        let folder = sample(here);
        let before = larder.materialise(&Tree::read(&folder).unwrap()).unwrap();
        assert_eq!(content(&before), content(&folder));
        larder.apply("data", &Tree::read(&folder).unwrap()).unwrap();
        let after = larder.materialise(&larder.load("data").unwrap()).unwrap();
        assert_eq!(before, after);
    });
}

#[cfg(unix)]
fn mode(path: impl AsRef<Path>) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn the_executable_bit_is_kept_and_a_cache_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    everywhere(|here, larder| {
        let folder = here.join("bin");
        write(folder.join("run.sh"), vec![b'#'; 100_000]);
        write(folder.join("data"), "data");
        fs::set_permissions(folder.join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
        larder.apply("bin", &Tree::read(&folder).unwrap()).unwrap();
        let tree: Tree = larder.load("bin").unwrap();

        let cached = larder.materialise(&tree).unwrap();
        assert_eq!(mode(cached.join("run.sh")) & 0o333, 0o111 & (mode(cached.join("run.sh")) >> 2));
        assert_eq!(mode(cached.join("run.sh")) & 0o500, 0o500);
        assert_eq!(mode(cached.join("data")) & 0o333, 0);
        tree.write(here.join("copy")).unwrap();
        assert_eq!(mode(here.join("copy/run.sh")) & 0o700, 0o700);
        assert_eq!(mode(here.join("copy/data")) & 0o700, 0o600, "a copy is the user's to write");
        fs::write(here.join("copy/run.sh"), "changed").unwrap();
        assert!(
            larder.maintenance().verify(Selection::All).unwrap().findings.is_empty(),
            "nothing is linked to the store"
        );
    });
}

#[cfg(unix)]
#[test]
fn a_change_of_the_executable_bit_alone_is_a_new_version() {
    use std::os::unix::fs::PermissionsExt;
    everywhere(|here, larder| {
        let file = here.join("run.sh");
        write(file.clone(), "#!/bin/sh\n");
        larder.apply("run", &Tree::read(&file).unwrap()).unwrap();
        let plain = larder.materialise(&larder.load("run").unwrap()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(larder.apply("run", &Tree::read(&file).unwrap()).unwrap().is_created());
        let executable = larder.materialise(&larder.load("run").unwrap()).unwrap();
        assert_ne!(plain, executable);
        assert_eq!((mode(plain) & 0o111, mode(executable) & 0o100), (0, 0o100));
    });
}

#[test]
fn a_damaged_cache_is_laid_out_again() {
    everywhere(|here, larder| {
        larder.apply("data", &Tree::read(sample(here)).unwrap()).unwrap();
        let tree: Tree = larder.load("data").unwrap();
        let place = larder.materialise(&tree).unwrap();
        let shorten: fn(&Path) = |file| {
            fs::remove_file(file).unwrap();
            fs::write(file, "").unwrap();
        };
        let remove: fn(&Path) = |file| fs::remove_file(file).unwrap();
        for damage in [shorten, remove] {
            damage(&place.join("large.bin"));
            assert_eq!(larder.materialise(&tree).unwrap(), place);
            assert_eq!(content(&place), content(&here.join("sample")));
        }
        fs::remove_dir(place.join("left/empty/inner")).unwrap();
        larder.materialise(&tree).unwrap();
        assert!(place.join("left/empty/inner").is_dir());
    });
}

#[test]
fn many_threads_that_lay_out_one_tree_find_it_whole() {
    everywhere(|here, larder| {
        let folder = here.join("many");
        (0..100).for_each(|n| write(folder.join(format!("{n}")), vec![n; 1000]));
        larder.apply("data", &Tree::read(&folder).unwrap()).unwrap();
        let expected = content(&folder);
        for _ in 0..5 {
            let start = Barrier::new(8);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let tree: Tree = larder.load("data").unwrap();
                        start.wait();
                        let place = larder.materialise(&tree).unwrap();
                        assert_eq!(content(&place), expected);
                    });
                }
            });
            let places: Vec<_> = fs::read_dir(here.join("cache")).unwrap().collect();
            assert_eq!(places.len(), 1, "nothing else is left");
            fs::remove_dir_all(here.join("cache")).unwrap();
        }
    });
}

#[test]
fn ten_thousand_files_go_in_and_out_in_seconds() {
    everywhere(|here, larder| {
        if larder.store().url() == "memory:" {
            return;
        }
        let folder = here.join("many");
        for n in 0..10_000 {
            write(folder.join(format!("{}/{n}", n % 100)), format!("file {n}"));
        }
        let start = Instant::now();
        larder.apply("many", &Tree::read(&folder).unwrap()).unwrap();
        let applied = start.elapsed();
        let tree: Tree = larder.load("many").unwrap();
        let place = larder.materialise(&tree).unwrap();
        let laid_out = start.elapsed() - applied;
        let again = Instant::now();
        assert_eq!(larder.materialise(&tree).unwrap(), place);
        let again = again.elapsed();
        assert_eq!(tree.files().len(), 10_000);
        assert_eq!(fs::read(place.join("42/4242")).unwrap(), b"file 4242");
        assert!(applied + laid_out < Duration::from_secs(120), "{applied:?}, {laid_out:?}");
        assert!(again < Duration::from_secs(10), "{again:?}");
    });
}

#[test]
fn a_copy_overwrites_nothing_unless_it_is_told_to() {
    everywhere(|here, larder| {
        larder.apply("data", &Tree::read(sample(here)).unwrap()).unwrap();
        write(here.join("single"), "single");
        larder.apply("single", &Tree::read(here.join("single")).unwrap()).unwrap();
        let (folder, file): (Tree, Tree) =
            (larder.load("data").unwrap(), larder.load("single").unwrap());
        let (a_file, a_folder) = (here.join("a-file"), here.join("a-folder"));
        write(a_file.clone(), "mine");
        write(a_folder.join("mine"), "mine");
        for place in [&a_file, &a_folder] {
            assert!(matches!(folder.write(place), Err(Error::Refused { .. })));
            assert!(matches!(file.write(place), Err(Error::Refused { .. })));
        }
        assert!(matches!(folder.replace(&a_file), Err(Error::Refused { .. })));
        assert!(matches!(file.replace(&a_folder), Err(Error::Refused { .. })));
        assert_eq!(fs::read(&a_file).unwrap(), b"mine");
        assert_eq!(fs::read(a_folder.join("mine")).unwrap(), b"mine");

        folder.replace(&a_folder).unwrap();
        assert_eq!(content(&a_folder), content(&here.join("sample")), "the old folder is gone");
        file.replace(&a_file).unwrap();
        assert_eq!(fs::read(&a_file).unwrap(), b"single");
        let hidden = fs::read_dir(here).unwrap().filter(|entry| {
            entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(".larder")
        });
        assert_eq!(hidden.count(), 0, "no temporary folder is left");
    });
}

#[test]
fn a_larder_without_a_cache_uses_a_folder_that_goes_with_it() {
    let here: TempDir = tempfile::tempdir().unwrap();
    let store = Arc::new(larder::store::MemoryStore::new());
    let larder = Larder::new(store, larder::Registry::linked().unwrap());
    let place = larder.materialise(&Tree::read(sample(here.path())).unwrap()).unwrap();
    assert!(place.join("large.bin").exists());
    let clone = larder.clone();
    drop(larder);
    assert!(place.exists());
    drop(clone);
    assert!(!place.exists());
}
