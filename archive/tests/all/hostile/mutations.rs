//! Randomly mutated archives.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::serializers::LarderObjects;
use std::fs;

use larder::Larder;
use larder::archive::{Form, Limits, write};
use larder::store::StoreExt;

use super::builder::import;
use crate::common;

/// A deterministic random number generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn mutated(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(3) {
            let (at, other) = (self.below(bytes.len()), self.below(bytes.len()));
            let length = self.below(600).min(bytes.len() - at.max(other));
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.below(256) as u8,
                2 => bytes.truncate(at.max(1)),
                3 => bytes.copy_within(other..other + length, at),
                4 => drop(bytes.drain(at..at + length)),
                _ => {
                    let block = bytes[other..other + length].to_vec();
                    bytes.splice(at..at, block);
                }
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        bytes
    }
}

#[test]
fn mutated_archive_imports_nothing_or_valid_versions() {
    let larder = common::open("memory:");
    for number in 1..=3_u8 {
        larder
            .store_object_as::<_, larder::serializers::MsgPack>("answer", "deep", &number)
            .unwrap();
    }
    let digests = |larder: &Larder| {
        let versions = larder.versions("answer").unwrap_or_default();
        versions.into_iter().map(|version| version.digest).collect::<Vec<_>>()
    };
    let good = digests(&larder);
    let folder = tempfile::tempdir().unwrap();
    let (path, temp) = (folder.path().join("archive"), folder.path().join("temp"));
    fs::create_dir(&temp).unwrap();
    let mut rng = Rng(2026);
    let mut refusals = 0;
    for form in [Form::Tar, Form::TarZst] {
        let mut bytes = Vec::new();
        write(&larder, Selection::All, false, form, &mut bytes).unwrap();
        for round in 0..400 {
            let mutated = rng.mutated(&bytes);
            fs::write(&path, &mutated).unwrap();
            let target = common::open("memory:");
            if import(&path, &Limits::default(), &temp, &target).is_err() {
                refusals += 1;
                assert_eq!(common::content(&target), (Vec::new(), 0), "round {round}");
            } else {
                // A mutated record may still be valid; its versions are complete.
                assert!(digests(&target).iter().all(|digest| good.contains(digest)));
                assert_eq!(target.maintenance().verify(Selection::All).unwrap().findings, []);
                assert!(target.store().blobs().count() <= larder.store().blobs().count());
            }
            assert_eq!(fs::read_dir(&temp).unwrap().count(), 0, "round {round}");
        }
    }
    assert!(refusals > 600, "{refusals}");
}
