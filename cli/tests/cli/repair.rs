//! `verify --repair-from`, and what leads nowhere.

use std::fs;

use insta::assert_snapshot;
use larder::Artifact;

use crate::components::LittleEndian;
use crate::kitchen::{Kitchen, everywhere, price};

#[test]
fn verify_repairs_from_another_larder() {
    let told = everywhere(|kitchen| {
        kitchen.stocked();
        let twin = format!("{}-twin", kitchen.store);
        let (scheme, path) = twin.split_once(':').unwrap();
        let url = format!("{scheme}:{}", kitchen.path(path).display());
        // The same weights under another name, and the same manifest.
        let other = larder::open(&url).unwrap();
        other.apply("copy", &price([5.0, 1.5, 0.25])).unwrap();
        let larder = kitchen.larder();
        let shown = larder.show("wine/price@1").unwrap();
        let (manifest, weights) = (shown.version.digest, shown.manifest.artifacts()[0].digest);
        let label = larder.show("label").unwrap().version.digest;
        larder.store().remove_blobs(&[manifest, weights, label]).unwrap();
        let repair = ["verify", "--repair-from", &twin];
        let told = [
            kitchen.plain(&["verify", "wine/price@1"]),
            kitchen.plain(&repair),
            kitchen.plain(&[&repair[..], &["--format", "json"]].concat()),
            kitchen.plain(&["verify", "wine/price@1"]),
            kitchen.plain(&["verify", "--repair-from", "fs:nowhere"]),
        ];
        assert!(!kitchen.path("nowhere").exists());
        told.concat().replace(&twin, "[twin]")
    });
    assert_snapshot!(told, @r#"
    exit 4
    --- stdout
    WHAT          BLOB             FAULT
    wine/price@1  b3:d9836dc820fe  its bytes are missing
    --- stderr
    read 1 version, 1 blob, 0 B
    error: 1 fault in [store]
    hint: `verify --repair-from URL` takes good copies from another larder
    exit 4
    --- stdout
    WHAT          BLOB             FAULT
    label@1       b3:7e39801b4cf9  its bytes are missing
    wine/price@1  b3:d9836dc820fe  its bytes are missing
    repaired wine/price@1 (b3:d9836dc820fe)
    repaired wine/price@1 (b3:f188dcc52279)
    not found: label@1 (b3:7e39801b4cf9)
    --- stderr
    read 3 versions, 4 blobs, 330 B
    error: 1 fault in [store]
    hint: restore from a copy what the other larder does not have
    exit 4
    --- stdout
    {
      "schema": 1,
      "versions": 3,
      "blobs": 5,
      "bytes": 660,
      "findings": [
        {
          "what": "label@1",
          "digest": "b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6",
          "fault": "its bytes are missing"
        }
      ],
      "orphans": null,
      "repair": {
        "repaired": [],
        "not_found": [
          {
            "what": "label@1",
            "digest": "b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6",
            "fault": "its bytes are missing"
          }
        ]
      }
    }
    --- stderr
    error: 1 fault in [store]
    hint: restore from a copy what the other larder does not have
    exit 0
    --- stderr
    read 1 version, 2 blobs, 330 B: all sound
    exit 3
    --- stderr
    error: there is no larder at fs:nowhere
    hint: apply something first, or name another larder with `--store URL`
    "#);
}

#[test]
fn verify_replaces_a_flipped_bit_by_a_good_copy() {
    let kitchen = Kitchen::new("fs:shelf");
    let weights = Artifact::<Vec<f64>, LittleEndian>::new(vec![0.5; 20_000]);
    let large = crate::components::Price { currency: "EUR".into(), weights };
    kitchen.apply("large", &large);
    let twin = larder::open(&format!("fs:{}", kitchen.path("twin").display())).unwrap();
    twin.apply("large", &large).unwrap();
    let digest = twin.show("large").unwrap().manifest.artifacts()[0].digest.to_hex();
    let blob = kitchen.path(&format!("shelf/blobs/{}/{digest}", &digest[..2]));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[100_000] ^= 1;
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, bytes).unwrap();
    let told = kitchen.plain(&["verify", "--repair-from", "fs:twin"]) + &kitchen.plain(&["verify"]);
    assert_snapshot!(told, @"
    exit 0
    --- stdout
    WHAT     BLOB             FAULT
    large@1  b3:4db1fee7ddd4  its digest is b3:2a5f27fad0c9 instead of b3:4db1fee7ddd4
    repaired large@1 (b3:4db1fee7ddd4)
    --- stderr
    read 1 version, 2 blobs, 156.6 KiB
    exit 0
    --- stderr
    read 1 version, 2 blobs, 156.6 KiB: all sound
    ");
}

#[test]
fn verify_finds_what_leads_nowhere() {
    let told = everywhere(|kitchen| {
        let larder = kitchen.stocked().larder();
        let store = larder.store();
        let key = |text: &str| larder::store::RecordKey::new(text).unwrap();
        let expected = || larder::store::Expected::Anything;
        let remove =
            |text| larder::store::Change::RemoveRecord { key: key(text), expected: expected() };
        let removals =
            ["versions/wine/price/@0000000001", "versions/label/@0000000001"].map(remove);
        assert_eq!(store.commit(&removals).unwrap(), larder::store::Committed::All);
        kitchen.plain(&["verify"])
    });
    assert_snapshot!(told, @"
    exit 4
    --- stdout
    WHAT                                                                                                        BLOB  FAULT
    the record names/label                                                                                      -     it leads to label@1, which is not there
    the record digests/label/@7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6-0000000001       -     it leads to label@1, which is not there
    the record digests/wine/price/@d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6-0000000001  -     it leads to wine/price@1, which is not there
    the record tags/wine/price/@prod                                                                            -     it leads to wine/price@1, which is not there
    --- stderr
    read 1 version, 2 blobs, 330 B
    error: 4 faults in [store]
    hint: `verify --repair-from URL` takes good copies from another larder
    ");
}
