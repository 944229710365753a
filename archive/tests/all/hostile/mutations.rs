//! Good archives with something changed at random.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::serializers::LarderObjects;
use std::fs;

use larder::Larder;
use larder::archive::{Form, Limits, write};
use larder::store::StoreExt;

use super::workshop::import;
use crate::shelf;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn mutated(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.roll(3) {
            let (at, other) = (self.roll(bytes.len()), self.roll(bytes.len()));
            let length = self.roll(600).min(bytes.len() - at.max(other));
            match self.roll(6) {
                0 => bytes[at] ^= 1 << self.roll(8),
                1 => bytes[at] = self.roll(256) as u8,
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
fn a_changed_archive_changes_nothing_or_brings_only_what_is_whole() {
    let larder = shelf::open("memory:");
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
    let mut dice = Dice(2026);
    let mut refusals = 0;
    for form in [Form::Tar, Form::TarZst] {
        let mut bytes = Vec::new();
        write(&larder, Selection::All, false, form, &mut bytes).unwrap();
        for round in 0..400 {
            let mutated = dice.mutated(&bytes);
            fs::write(&path, &mutated).unwrap();
            let target = shelf::open("memory:");
            if import(&path, &Limits::default(), &temp, &target).is_err() {
                refusals += 1;
                assert_eq!(shelf::content(&target), (Vec::new(), 0), "round {round}");
            } else {
                // A record may be another and still be one; what it leads to is whole.
                assert!(digests(&target).iter().all(|digest| good.contains(digest)));
                assert_eq!(target.maintenance().verify(Selection::All).unwrap().findings, []);
                assert!(target.store().blobs().count() <= larder.store().blobs().count());
            }
            assert_eq!(fs::read_dir(&temp).unwrap().count(), 0, "round {round}");
        }
    }
    assert!(refusals > 600, "{refusals}");
}
