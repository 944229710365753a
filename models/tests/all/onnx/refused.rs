//! Files that are refused when they are put.

use std::fs;

use larder_core::Error;
use larder_models::{ModelKind, OnnxModel};

use super::fixture;

fn reason(bytes: Vec<u8>) -> String {
    match OnnxModel::from_bytes(bytes) {
        Err(Error::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn reason_of(name: &str) -> String {
    match OnnxModel::open(fixture(&format!("refused_{name}.onnx"))) {
        Err(Error::Refused { action, reason }) => {
            assert!(action.contains(name), "{action}");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_operator_that_tract_lacks_is_named() {
    let reason = reason_of("operator");
    assert!(reason.contains("needs the operator `Teleport`"), "{reason}");
}

#[test]
fn an_operator_of_another_domain_is_not_taken_for_one_of_onnx() {
    let reason = reason_of("domain");
    assert!(reason.contains("`acme:Relu`"), "{reason}");
}

#[test]
fn zipmap_is_refused_with_the_way_to_export_without_it() {
    let reason = reason_of("zipmap");
    assert!(reason.contains("`ZipMap`") && reason.contains("\"zipmap\": False"), "{reason}");
}

#[test]
fn boosted_trees_are_refused_by_their_operator() {
    let reason = reason_of("trees");
    assert!(reason.contains("`TreeEnsembleRegressor`"), "{reason}");
}

#[test]
fn tensors_in_other_files_are_refused_and_not_read() {
    let reason = reason_of("external");
    assert!(reason.contains("`w` is in another file"), "{reason}");
}

#[test]
fn an_opset_that_is_not_known_is_refused() {
    let reason = reason_of("opset");
    assert!(reason.contains("opset 99"), "{reason}");
}

#[test]
fn a_constant_of_terabytes_is_refused_before_it_is_computed() {
    let reason = reason_of("bomb");
    assert!(reason.contains("a tensor of more than"), "{reason}");
}

#[test]
fn an_output_that_nothing_makes_is_refused() {
    let reason = reason_of("dangling");
    assert!(reason.contains("nothing in it makes its output `y`"), "{reason}");
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_it_was_cut() {
    let whole = fs::read(fixture("digits_cnn.onnx")).unwrap();
    for len in (0..whole.len()).step_by(97) {
        let cut = whole[..len].to_vec();
        assert_ne!(ModelKind::of(&cut), ModelKind::Onnx, "{len} bytes");
        assert!(!reason(cut).is_empty());
    }
}

#[test]
fn a_file_with_flipped_bytes_is_an_error_or_another_model_but_no_panic() {
    let whole = fs::read(fixture("two_inputs.onnx")).unwrap();
    let mut refused = 0;
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            refused += usize::from(OnnxModel::from_bytes(bytes).is_err());
        }
    }
    assert!(refused > whole.len(), "{refused} of {}", 3 * whole.len());
}

#[test]
fn ten_megabytes_of_noise_are_refused() {
    let mut state = 88_172_645_463_325_252_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let noise: Vec<u8> = noise.take(10 << 17).flatten().collect();
    assert_eq!(noise.len(), 10 << 20);
    assert_eq!(ModelKind::of(&noise), ModelKind::File);
    assert!(reason(noise).contains("no ONNX file"));
}

#[test]
fn a_folder_and_a_missing_file_are_errors() {
    let folder = OnnxModel::open(fixture(""));
    assert!(matches!(folder, Err(Error::Refused { .. })), "{folder:?}");
    let missing = OnnxModel::open(fixture("missing.onnx"));
    assert!(matches!(missing, Err(Error::Store { .. })), "{missing:?}");
}
