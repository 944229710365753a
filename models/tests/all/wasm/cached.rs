//! The cache of compiled code.

use std::fs;
use std::path::{Path, PathBuf};

use larder_core::{Larder, Registry};
use larder_models::WasmModel;

use super::guests::{SETOSA, TREE};

fn with_tree(cache: &Path) -> Larder {
    let larder = Registry::linked().unwrap().open("memory:").unwrap().with_cache(cache);
    larder.apply("tree", &WasmModel::from_bytes(TREE).unwrap()).unwrap();
    larder
}

/// The files of compiled code in a folder.
fn compiled(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(compiled(&path)),
            // Ignores the engine's usage statistics.
            false if path.extension().is_none() => found.push(path),
            false => {}
        }
    }
    found
}

fn predict(larder: &Larder) -> String {
    larder.load_model("tree").unwrap().predict_json("[5.1, 3.5, 1.4, 0.2]").unwrap()
}

#[test]
fn compiles_into_the_cache_once() {
    let here = tempfile::tempdir().unwrap();
    let larder = with_tree(here.path());
    assert_eq!(compiled(here.path()), [] as [PathBuf; 0]);
    assert_eq!(predict(&larder), SETOSA);
    let found = compiled(here.path());
    assert_eq!(found.len(), 1, "{found:?}");
    let written = fs::metadata(&found[0]).unwrap().modified().unwrap();
    assert_eq!(predict(&larder), SETOSA);
    let typed: WasmModel = larder.load("tree").unwrap();
    let typed: &dyn larder_core::Model = &typed;
    assert_eq!(typed.predict_json("[5.1, 3.5, 1.4, 0.2]").unwrap(), SETOSA);
    assert_eq!(compiled(here.path()), found);
    assert_eq!(fs::metadata(&found[0]).unwrap().modified().unwrap(), written);
}

#[test]
fn replaces_invalid_cache() {
    let here = tempfile::tempdir().unwrap();
    let larder = with_tree(here.path());
    predict(&larder);
    let [path] = &*compiled(here.path()) else { panic!("one file") };
    let whole = fs::read(path).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"noise", b""] {
        fs::write(path, damaged).unwrap();
        assert_eq!(predict(&larder), SETOSA);
    }
}

#[cfg(unix)]
#[test]
fn ignores_cache_writable_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let here = tempfile::tempdir().unwrap();
    let folder = here.path().join("wasm");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(predict(&with_tree(here.path())), SETOSA);
    assert_eq!(compiled(here.path()), [] as [PathBuf; 0]);
}

#[cfg(unix)]
#[test]
fn cache_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let here = tempfile::tempdir().unwrap();
    predict(&with_tree(here.path()));
    let mode = fs::metadata(here.path().join("wasm")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn unusable_cache_is_ignored() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("file");
    fs::write(&file, "in the way").unwrap();
    assert_eq!(predict(&with_tree(&file)), SETOSA);
}
