//! The flavours of a model, as its file `MLmodel` says.

use larder_core::store::{StoreExt, TreePath};
use larder_core::{Larder, Result};
use larder_files::TreeListing;

use super::names::{FLAVORS, FORMAT};

/// The most bytes of a file that is looked into.
const MOST_BYTES: u64 = 1 << 20;

/// Returns the labels that say which libraries load the model, and the format of its file.
pub(super) fn labels(larder: &Larder, files: &TreeListing) -> Result<Vec<(&'static str, String)>> {
    let Some(file) = files.files.get(&TreePath::new("MLmodel")?) else { return Ok(Vec::new()) };
    if file.size > MOST_BYTES {
        return Ok(Vec::new());
    }
    let what = || "the file MLmodel".to_owned();
    let bytes = larder.store().get_checked(&file.digest, Some(file.size), what)?;
    let text = String::from_utf8_lossy(&bytes);
    let flavors = flavors(&text).join(", ");
    let mut labels = Vec::new();
    if let Some(format) = format(&text, files) {
        labels.push((FORMAT, format));
    }
    if !flavors.is_empty() && flavors.len() <= 1_000 {
        labels.push((FLAVORS, flavors));
    }
    Ok(labels)
}

/// Returns the keys of the mapping `flavors`. The file is written by MLflow: YAML in blocks, indented by two.
fn flavors(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| *line != "flavors:").skip(1);
    let own = lines.take_while(|line| line.starts_with(' '));
    own.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|key| is_word(key))
        .collect()
}

fn is_word(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(is_plain)
}

/// Returns the format of the model's file: what the file says, or the ending of an ONNX model.
fn format(text: &str, files: &TreeListing) -> Option<String> {
    let stated = text.lines().find_map(|line| line.trim().strip_prefix("serialization_format:"));
    let stated = stated.map(str::trim).filter(|it| is_word(it) && *it != "null");
    let is_onnx = || files.files.keys().any(|path| path.as_str().ends_with(".onnx"));
    stated.map(str::to_owned).or_else(|| is_onnx().then(|| "onnx".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavours_are_read_from_what_mlflow_writes() {
        let text = "artifact_path: x\nflavors:\n  python_function:\n    env:\n      conda: conda.yaml\n  \
                    sklearn:\n    code: null\n    serialization_format: skops\nmodel_id: m-1\n  not:\n";
        assert_eq!(flavors(text), ["python_function", "sklearn"]);
        let none = TreeListing::default();
        assert_eq!(format(text, &none).as_deref(), Some("skops"));
        assert_eq!(format("serialization_format: null", &none), None);
        assert!(flavors("flavors:\n  <b>:\n").is_empty() && flavors("").is_empty());
    }
}
