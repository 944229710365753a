//! Folders, path by path.

use larder::maintenance::LarderMaintenance;
use std::fs;
use std::path::Path;

use super::*;

fn write(folder: &Path, files: &[(&str, &str)]) -> Tree {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    Tree::read(folder).unwrap()
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/with-folder")]
struct WithFolder {
    name: String,
    folder: Tree,
}

#[test]
fn a_folder_is_compared_path_by_path() {
    let larder = larder();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = [("same.txt", "same"), ("src/main.rs", "old"), ("gone.txt", "gone"), ("kind", "1")];
    fs::create_dir(first.path().join("empty")).unwrap();
    larder.apply("folder", &write(first.path(), &old)).unwrap();
    let new = [("same.txt", "same"), ("src/main.rs", "newer"), ("a b.txt", "added"), ("kind", "1")];
    fs::create_dir(second.path().join("void")).unwrap();
    let tree = write(second.path(), &new);
    let diff = larder.plan("folder", &tree).unwrap().diff;
    assert_eq!(
        told(&diff),
        [
            "added a b.txt",
            "same kind",
            "same same.txt",
            "changed src/main.rs",
            "removed gone.txt",
            "added void/",
            "removed empty/"
        ]
    );
    let file = |content: &str| {
        let (digest, size) = (Digest::of(content.as_bytes()), content.len() as u64);
        Some(FieldValue::File { digest, size, executable: false })
    };
    assert_eq!((&diff.fields[3].old, &diff.fields[3].new), (&file("old"), &file("newer")));
    assert_eq!(diff.fields[5].new, Some(FieldValue::Folder));
    larder.apply("folder", &tree).unwrap();
    let again = larder.diff("folder@1", "folder@2").unwrap();
    assert_eq!(told(&again), told(&diff));
}

#[test]
fn a_planned_folder_is_still_that_on_the_disk() {
    let larder = larder();
    let folder = tempfile::tempdir().unwrap();
    let tree = write(&folder.path().join("in"), &[("a.txt", "a")]);
    larder.plan("folder", &tree).unwrap();
    tree.write(folder.path().join("out")).unwrap();
    assert_eq!(fs::read(folder.path().join("out/a.txt")).unwrap(), b"a");
}

#[test]
fn a_file_that_became_a_folder_is_another_kind() {
    let larder = larder();
    let folder = tempfile::tempdir().unwrap();
    let tree = write(&folder.path().join("in"), &[("a.txt", "a")]);
    larder.apply("folder", &Tree::read(folder.path().join("in/a.txt")).unwrap()).unwrap();
    let diff = larder.plan("folder", &tree).unwrap().diff;
    assert_eq!(told(&diff), ["changed ", "same a.txt"]);
    assert_eq!(diff.fields[0].new, json("\"folder\""));
}

#[cfg(unix)]
#[test]
fn a_file_that_may_be_executed_now_has_changed() {
    use std::os::unix::fs::PermissionsExt;
    let larder = larder();
    let folder = tempfile::tempdir().unwrap();
    larder.apply("folder", &write(folder.path(), &[("run", "x")])).unwrap();
    fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let plan = larder.plan("folder", &Tree::read(folder.path()).unwrap()).unwrap();
    assert_eq!(told(&plan.diff), ["changed run"]);
    assert!(plan.stored > 0 && plan.diff.bytes.both == 1, "{plan:?}");
}

#[test]
fn a_folder_in_a_field_has_the_path_of_the_field_before_its_own() {
    let larder = larder();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let apply = |folder: Tree| {
        larder.apply("with", &WithFolder { name: "x".into(), folder }).unwrap();
    };
    apply(write(first.path(), &[("a/b.txt", "1"), ("c", "2")]));
    apply(write(second.path(), &[("a/b.txt", "3"), ("c", "2"), ("d.d", "4")]));
    let diff = larder.diff("with@1", "with@2").unwrap();
    assert_eq!(
        told(&diff),
        ["same name", "changed folder.files[\"a/b.txt\"]", "added folder.files[\"d.d\"]"]
    );
}

#[test]
fn of_many_files_all_are_counted_and_the_first_thousand_listed() {
    let larder = larder();
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..1_500).map(|file| format!("{file:04}")).collect();
    let files = |content| names.iter().map(|name| (name.as_str(), content)).collect::<Vec<_>>();
    larder.apply("folder", &write(folder.path(), &files("old"))).unwrap();
    let mut changed = files("new");
    changed.truncate(1_200);
    let diff = larder.plan("folder", &write(folder.path(), &changed)).unwrap().diff;
    assert_eq!((diff.counts.changed, diff.counts.same), (1_200, 300));
    assert_eq!((diff.changes().count(), diff.fields.len()), (1_000, 1_300));
}
