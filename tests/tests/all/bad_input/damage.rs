//! Blobs that are not what was written.

use larder::Error;
use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::store::{Corruption, Digest, StoreExt};
use larder_tests::errors::message;

use super::{Plain, WithArtifacts, larder, replace_blob, with_artifacts};

const TEXT: &str = "in vino veritas";

/// A larder with two versions that share one artifact, that artifact's digest, and its bytes.
fn damaged(damage: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> (larder::Larder, Digest, Digest) {
    let (larder, _) = larder();
    larder.apply("wine", &with_artifacts(1, TEXT)).unwrap();
    larder.apply("wine", &with_artifacts(2, TEXT)).unwrap();
    larder.apply("other", &Plain { number: 1 }).unwrap();
    let shown = larder.show("wine").unwrap();
    let digest = shown.manifest.artifacts()[0].digest;
    let bytes = larder.store().get_blob(&digest).unwrap().unwrap();
    match damage(bytes.to_vec()) {
        Some(bytes) => replace_blob(&larder, digest, bytes),
        None => larder.store().remove_blobs(&[digest]).unwrap(),
    }
    (larder, digest, shown.version.digest)
}

#[track_caller]
fn fault(larder: &larder::Larder) -> (Corruption, String) {
    let loaded: WithArtifacts = larder.load("wine").unwrap();
    let error = loaded.text.get().unwrap_err();
    let again = loaded.text.get().unwrap_err();
    assert_eq!(error.to_string(), again.to_string(), "it is not taken for good the second time");
    let said = message(&error);
    let Error::Corrupt { what, fault } = error else { panic!("{said}") };
    assert!(what.starts_with("the artifact b3:") && what.ends_with(" of wine@2"), "{what}");
    (fault, said)
}

/// `verify` finds one fault, once, and names the blob and where it was met first.
#[track_caller]
fn assert_found(larder: &larder::Larder, digest: Digest, said: &str) {
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    assert_eq!((checked.versions, checked.blobs), (3, 4));
    let [finding] = &checked.findings[..] else { panic!("{:?}", checked.findings) };
    assert_eq!((finding.what.as_str(), finding.digest), ("wine@1", Some(digest)));
    assert!(finding.fault.contains(said), "{}", finding.fault);
    assert!(larder.maintenance().verify(["other".parse().unwrap()]).unwrap().findings.is_empty());
    let checked = larder.maintenance().verify(["wine@2".parse().unwrap()]).unwrap();
    assert_eq!((checked.versions, checked.findings.len()), (1, 1));
    assert_eq!(checked.findings[0].what, "wine@2");
}

#[test]
fn a_flipped_bit_is_found_when_the_artifact_is_used_and_by_verify() {
    for (at, bit) in [(0, 0), (7, 3), (TEXT.len(), 7)] {
        let (larder, digest, _) = damaged(|mut bytes| {
            bytes[at] ^= 1 << bit;
            Some(bytes)
        });
        let (found, said) = fault(&larder);
        assert!(
            matches!(found, Corruption::Digest { expected, .. } if expected == digest),
            "{found:?}"
        );
        assert!(said.contains(&format!("instead of {}", digest.short())), "{said}");
        assert_found(&larder, digest, "b3:");
    }
}

#[test]
fn bytes_cut_short_or_grown_are_found() {
    let (larder, digest, _) = damaged(|mut bytes| {
        bytes.pop();
        Some(bytes)
    });
    let (found, said) = fault(&larder);
    assert_eq!(found, Corruption::Size { expected: 16, found: 15 });
    assert!(said.contains("15 bytes") && said.contains("16"), "{said}");
    assert_found(&larder, digest, "15 bytes");
    let (larder, digest, _) = damaged(|bytes| Some([bytes, vec![0]].concat()));
    assert_eq!(fault(&larder).0, Corruption::Size { expected: 16, found: 17 });
    assert_found(&larder, digest, "17 bytes");
    let (larder, digest, _) = damaged(|_| Some(Vec::new()));
    assert_eq!(fault(&larder).0, Corruption::Size { expected: 16, found: 0 });
    assert_found(&larder, digest, "0 bytes");
}

#[test]
fn missing_bytes_are_found_and_an_apply_of_the_same_brings_them_back() {
    let (larder, digest, _) = damaged(|_| None);
    let (found, _) = fault(&larder);
    assert_eq!(found, Corruption::Missing);
    assert_found(&larder, digest, "missing");

    // What was loaded but never read cannot bring them back, and says so.
    let loaded: WithArtifacts = larder.load("wine").unwrap();
    let error = larder.apply("wine", &loaded).unwrap_err();
    assert!(matches!(error, Error::Corrupt { fault: Corruption::Missing, .. }), "{error:?}");

    assert!(!larder.apply("wine", &with_artifacts(2, TEXT)).unwrap().is_created());
    assert!(
        larder.maintenance().verify(Selection::All).unwrap().findings.is_empty(),
        "whole again"
    );
    let loaded: WithArtifacts = larder.load("wine@1").unwrap();
    assert_eq!(loaded.text.get().unwrap(), TEXT);
}

#[test]
fn a_damaged_manifest_is_found_on_load_and_once_by_verify() {
    for damage in ["flipped", "short", "missing"] {
        let (larder, _, manifest) = damaged(Some);
        let json = larder.store().get_blob(&manifest).unwrap().unwrap().to_vec();
        match damage {
            "flipped" => {
                let changed =
                    String::from_utf8(json).unwrap().replace("\"number\":2", "\"number\":3");
                replace_blob(&larder, manifest, changed);
            }
            "short" => replace_blob(&larder, manifest, json[..json.len() - 1].to_vec()),
            _ => larder.store().remove_blobs(&[manifest]).unwrap(),
        }
        for error in [
            larder.load::<WithArtifacts>("wine").unwrap_err(),
            larder.load_component("wine@2").unwrap_err(),
            larder.show("wine").unwrap_err(),
        ] {
            let Error::Corrupt { what, .. } = &error else { panic!("{damage}: {error:?}") };
            assert_eq!(what, "the manifest of wine@2");
        }
        assert_eq!(larder.load::<WithArtifacts>("wine@1").unwrap().number, 1, "{damage}");
        assert_eq!(larder.list().count(), 2, "it is listed all the same");
        let checked = larder.maintenance().verify(Selection::All).unwrap();
        let [finding] = &checked.findings[..] else { panic!("{:?}", checked.findings) };
        assert_eq!((finding.what.as_str(), finding.digest), ("wine@2", Some(manifest)));
    }
}

#[test]
fn several_faults_are_all_found() {
    let (larder, artifact, manifest) = damaged(|_| None);
    larder.store().remove_blobs(&[manifest]).unwrap();
    let other = larder.show("other").unwrap().version.digest;
    replace_blob(&larder, other, b"{}".to_vec());
    let mut found: Vec<_> = larder
        .maintenance()
        .verify(Selection::All)
        .unwrap()
        .findings
        .into_iter()
        .map(|finding| finding.digest)
        .collect();
    let mut expected = vec![Some(artifact), Some(manifest), Some(other)];
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "each once");
}
