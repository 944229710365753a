//! Invalid and unsupported files.

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
    // ONNX Runtime, where it is found, must refuse them too.
    match OnnxModel::open(fixture(&format!("refused_{name}.onnx"))) {
        Err(Error::Refused { action, reason }) => {
            assert!(action.contains(name), "{action}");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rejects_unsupported_operator() {
    let reason = reason_of("operator");
    assert!(reason.contains("`Teleport`"), "{reason}");
}

#[test]
fn rejects_operator_of_another_domain() {
    let reason = reason_of("domain");
    assert!(reason.contains("`acme:Relu`"), "{reason}");
}

#[test]
fn rejects_external_tensors() {
    let reason = reason_of("external");
    assert!(reason.contains("`w`"), "{reason}");
}

#[test]
fn rejects_unsupported_opset() {
    let reason = reason_of("opset");
    assert!(reason.contains("opset 99"), "{reason}");
}

#[test]
fn rejects_huge_constant() {
    let reason = reason_of("bomb");
    assert!(reason.contains("a tensor of"), "{reason}");
}

#[test]
fn rejects_output_without_producer() {
    let reason = reason_of("dangling");
    assert!(reason.contains("`y`"), "{reason}");
}

#[test]
fn rejects_truncated_file() {
    let whole = fs::read(fixture("digits_cnn.onnx")).unwrap();
    for len in (0..whole.len()).step_by(97) {
        let cut = whole[..len].to_vec();
        assert_ne!(ModelKind::of(&cut), ModelKind::Onnx, "{len} bytes");
        assert!(!reason(cut).is_empty());
    }
}

#[test]
fn survives_flipped_bytes() {
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
fn rejects_noise() {
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
    assert!(reason(noise).contains("not an ONNX"));
}

#[test]
fn rejects_folder_and_missing_file() {
    let folder = OnnxModel::open(fixture(""));
    assert!(matches!(folder, Err(Error::Refused { .. })), "{folder:?}");
    let missing = OnnxModel::open(fixture("missing.onnx"));
    assert!(matches!(missing, Err(Error::Store { .. })), "{missing:?}");
}
