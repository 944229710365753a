//! Models of scikit-learn, LightGBM and XGBoost answer as their libraries do, or are refused when they are put.
//!
//! A few by default; with `LARDER_ONNX=all` all estimators that skl2onnx converts, which takes a quarter of an hour.

use std::path::Path;
use std::process::Command;

use larder_tests::python::{run, with_packages};

use super::{PACKAGES, library, runs_all};

/// Packages of all models; the first ones are those of the short form.
const LIBRARIES: [&str; 6] = [
    "scikit-learn==1.7.2",
    "skl2onnx==1.20.0",
    // Newer ones refuse what skl2onnx writes.
    "protobuf==5.29.6",
    "lightgbm==4.7.0",
    "onnxmltools==1.16.0",
    "xgboost-cpu==3.2.0",
];
/// Estimators of the short form: those whose operators are replaced for tract, and one that it refuses.
const FEW: [&str; 8] = [
    "AdaBoostRegressor",
    "Binarizer",
    "DecisionTreeClassifier",
    "LogisticRegression",
    "QuadraticDiscriminantAnalysis",
    "SimpleImputer",
    "StandardScaler",
    "SVC",
];

#[test]
fn estimators_answer_as_their_library_or_are_refused() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (name, libraries) = if runs_all() {
        ("estimators-all", &LIBRARIES[..])
    } else {
        ("estimators", &LIBRARIES[..3])
    };
    let python = with_packages(target, name, &[&PACKAGES[..], libraries].concat());
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/onnx/estimators.py");
    let mut arguments = vec![script.as_os_str(), folder.path().as_os_str()];
    if !runs_all() {
        arguments.extend(FEW.map(AsRef::<std::ffi::OsStr>::as_ref));
    }
    run(&python, &arguments);

    let mut command = Command::new(env!("CARGO_BIN_EXE_onnx_models"));
    let output =
        command.arg(folder.path()).env("LARDER_ONNXRUNTIME", library(&python)).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    let lines: Vec<_> = printed.lines().filter(|line| line.contains(" right, ")).collect();
    assert_eq!(lines.len(), 3, "{printed}");
    println!("{printed}");
    let least = if runs_all() { [210, 190, 210] } else { [20, 16, 20] };
    for (line, least) in lines.into_iter().zip(least) {
        let right = line.split(" models: ").nth(1).and_then(|rest| rest.split(' ').next());
        let right: usize = right.unwrap().parse().unwrap();
        assert!(right >= least, "{printed}");
    }
}
