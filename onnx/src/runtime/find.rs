//! The search for ONNX Runtime's shared library.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Variables that name the library.
const VARIABLES: [&str; 2] = ["LARDER_ONNXRUNTIME", "ORT_DYLIB_PATH"];
/// Folders of libraries.
const FOLDERS: [&str; 8] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/onnxruntime/lib",
    "/opt/homebrew/lib",
    "/opt/local/lib",
];
/// Advice if no library is found.
const ADVICE: &str =
    "install it with `pip install onnxruntime`, or set LARDER_ONNXRUNTIME to its shared library";

/// Finds the library: where a variable says, else in the folders of libraries and of Python environments.
pub(super) fn library() -> Result<PathBuf, String> {
    for variable in VARIABLES {
        let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) else { continue };
        if path == "none" {
            return Err(format!("{variable} forbids ONNX Runtime"));
        }
        let path = PathBuf::from(path);
        if !path.is_file() {
            return Err(format!(
                "cannot find ONNX Runtime: {variable} names {}, which is no file",
                path.display()
            ));
        }
        return Ok(path);
    }
    let listed = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"].into_iter().filter_map(env::var_os);
    let listed: Vec<PathBuf> =
        listed.flat_map(|paths| env::split_paths(&paths).collect::<Vec<_>>()).collect();
    let folders = listed.into_iter().chain(FOLDERS.map(PathBuf::from));
    let found = folders.chain(python_folders()).find_map(|folder| newest_in(&folder));
    found.ok_or_else(|| format!("ONNX Runtime was not found: {ADVICE}"))
}

/// Folders in which Python's wheel keeps the library: the active environment first.
fn python_folders() -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(env::var_os)
        .map(PathBuf::from)
        .collect();
    if let Some(paths) = env::var_os("PATH") {
        let python = if cfg!(windows) { "python.exe" } else { "python3" };
        let bins = env::split_paths(&paths).filter(|bin| bin.join(python).exists());
        prefixes.extend(bins.filter_map(|bin| bin.parent().map(Path::to_path_buf)));
    }
    prefixes.extend(env::var_os("HOME").map(|home| Path::new(&home).join(".local")));
    let mut folders = Vec::new();
    for prefix in prefixes {
        let mut libraries = vec![prefix.join("Lib")];
        libraries.extend(entries(&prefix.join("lib"), "python3"));
        for library in libraries {
            for packages in ["site-packages", "dist-packages"] {
                folders.push(library.join(packages).join("onnxruntime/capi"));
            }
        }
    }
    folders
}

/// The newest library in a folder, by its name.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    let prefix = if cfg!(windows) { "onnxruntime." } else { "libonnxruntime." };
    let is_library = |path: &PathBuf| {
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        path.is_file() && [".so", ".dylib", ".dll"].iter().any(|mark| name.contains(mark))
    };
    entries(folder, prefix).into_iter().filter(is_library).max_by_key(|path| version_of(path))
}

fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<OsString> =
        names.filter(|name| name.to_string_lossy().starts_with(prefix)).collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Returns the version numbers in a file's name, or in the name of its link's target.
pub(super) fn version_of(path: &Path) -> Vec<u32> {
    let numbers = |path: &Path| -> Vec<u32> {
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.split('.').filter_map(|part| part.parse().ok()).collect()
    };
    let own = numbers(path);
    match fs::canonicalize(path) {
        Ok(target) => own.max(numbers(&target)),
        Err(_) => own,
    }
}
