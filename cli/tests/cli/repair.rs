//! `verify --repair-from`, and what leads nowhere.

use std::fs;

use insta::assert_snapshot;
use larder::Artifact;

use crate::components::LittleEndian;
use crate::test_dir::{TestDir, everywhere, price};

#[test]
fn verify_repairs_from_another_larder() {
    let printed = everywhere(|dir| {
        dir.filled();
        let twin = format!("{}-twin", dir.store);
        let (scheme, path) = twin.split_once(':').unwrap();
        let url = format!("{scheme}:{}", dir.path(path).display());
        // The same weights under another name, and the same manifest.
        let other = larder::open(&url).unwrap();
        other.apply("copy", &price([5.0, 1.5, 0.25])).unwrap();
        let larder = dir.larder();
        let shown = larder.show("wine/price@1").unwrap();
        let (manifest, weights) = (shown.version.digest, shown.manifest.artifacts()[0].digest);
        let label = larder.show("label").unwrap().version.digest;
        larder.store().remove_blobs(&[manifest, weights, label]).unwrap();
        let repair = ["verify", "--repair-from", &twin];
        let printed = [
            dir.plain(&["verify", "wine/price@1"]),
            dir.plain(&repair),
            dir.plain(&[&repair[..], &["--format", "json"]].concat()),
            dir.plain(&["verify", "wine/price@1"]),
            dir.plain(&["verify", "--repair-from", "fs:nowhere"]),
        ];
        assert!(!dir.path("nowhere").exists());
        printed.concat().replace(&twin, "[twin]")
    });
    assert_snapshot!(printed, @r#"
    exit 4
    --- stdout
    WHAT          BLOB             FAULT
    wine/price@1  b3:d9836dc820fe  its bytes are missing
    --- stderr
    verified 1 version, 1 blob, 0 B
    error: found 1 fault in [store]
    hint: repair from another larder with `larder verify --repair-from URL`
    exit 4
    --- stdout
    WHAT          BLOB             FAULT
    label@1       b3:7e39801b4cf9  its bytes are missing
    wine/price@1  b3:d9836dc820fe  its bytes are missing
    repaired wine/price@1 (b3:d9836dc820fe)
    repaired wine/price@1 (b3:f188dcc52279)
    not found: label@1 (b3:7e39801b4cf9)
    --- stderr
    verified 3 versions, 4 blobs, 330 B
    error: found 1 fault in [store]
    hint: restore the rest from another copy
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
    {
      "schema": 1,
      "error": {
        "message": "found 1 fault in [store]",
        "causes": [],
        "hint": "restore the rest from another copy",
        "exit": 4
      }
    }
    exit 0
    --- stderr
    verified 1 version, 2 blobs, 330 B: no damage
    exit 3
    --- stderr
    error: cannot open fs:nowhere: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    "#);
}

#[test]
fn verify_replaces_a_flipped_bit_by_a_good_copy() {
    let dir = TestDir::new("fs:data_dir");
    let weights = Artifact::<Vec<f64>, LittleEndian>::new(vec![0.5; 20_000]);
    let large = crate::components::Price { currency: "EUR".into(), weights };
    dir.apply("large", &large);
    let twin = larder::open(&format!("fs:{}", dir.path("twin").display())).unwrap();
    twin.apply("large", &large).unwrap();
    let digest = twin.show("large").unwrap().manifest.artifacts()[0].digest.to_hex();
    let blob = dir.path(&format!("data_dir/blobs/{}/{digest}", &digest[..2]));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[100_000] ^= 1;
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, bytes).unwrap();
    let printed = dir.plain(&["verify", "--repair-from", "fs:twin"]) + &dir.plain(&["verify"]);
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    WHAT     BLOB             FAULT
    large@1  b3:4db1fee7ddd4  its digest is b3:2a5f27fad0c9 instead of b3:4db1fee7ddd4
    repaired large@1 (b3:4db1fee7ddd4)
    --- stderr
    verified 1 version, 2 blobs, 156.6 KiB
    exit 0
    --- stderr
    verified 1 version, 2 blobs, 156.6 KiB: no damage
    ");
}

#[test]
fn verify_finds_what_leads_nowhere() {
    let printed = everywhere(|dir| {
        let larder = dir.filled().larder();
        let store = larder.store();
        let key = |text: &str| larder::store::RecordKey::new(text).unwrap();
        let expected = || larder::store::Expected::Anything;
        let remove =
            |text| larder::store::Change::RemoveRecord { key: key(text), expected: expected() };
        let removals =
            ["versions/wine/price/@0000000001", "versions/label/@0000000001"].map(remove);
        assert_eq!(store.commit(&removals).unwrap(), larder::store::Committed::All);
        dir.plain(&["verify"])
    });
    assert_snapshot!(printed, @"
    exit 4
    --- stdout
    WHAT                                                                                                        BLOB  FAULT
    the record digests/label/@7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6-0000000001       -     it leads to label@1, which is not there
    the record digests/wine/price/@d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6-0000000001  -     it leads to wine/price@1, which is not there
    the record moves/wine/price/@prod/@0000000001                                                               -     it is of wine/price@1, which is not there
    the record names/label                                                                                      -     it leads to label@1, which is not there
    the record tags/wine/price/@prod                                                                            -     it leads to wine/price@1, which is not there
    --- stderr
    verified 1 version, 2 blobs, 330 B
    error: found 5 faults in [store]
    hint: repair from another larder with `larder verify --repair-from URL`
    ");
}

#[test]
fn a_file_copied_without_its_folder_says_what_to_copy() {
    let dir = TestDir::new("sqlite:larder.db");
    dir.write("big.bin", vec![3; 100_000]);
    dir.plain(&["put", "big", "big.bin"]);
    std::fs::create_dir(dir.path("else")).unwrap();
    std::fs::copy(dir.path("larder.db"), dir.path("else/copy.db")).unwrap();
    let commands: [&[&str]; 7] = [
        &["get", "big", "-o", "out"],
        &["verify"],
        &["doctor", "--quiet"],
        &["gc", "--dry-run"],
        &["put", "more", "big.bin"],
        &["copy", "--all", "fs:other"],
        &["list", "--quiet"],
    ];
    let printed = commands.map(|words| {
        let mut words = words.to_vec();
        words.extend(["--store", "else/copy.db"]);
        dir.plain(&words)
    });
    assert!(!dir.path("else/copy.db.blobs").exists());
    assert_snapshot!(printed.concat(), @"
    exit 4
    --- stderr
    error: cannot read the large artifacts of else/copy.db: the folder [folder]/else/copy.db.blobs is missing; copy the folder `[place].blobs` that stands beside the original file too, or make an empty one if it is lost
    exit 4
    --- stdout
    WHAT                                 BLOB             FAULT
    big@1                                b3:b5cfe8af493b  the folder [folder]/else/copy.db.blobs is missing; copy the folder `[place].blobs` that stands beside the original file too, or make an empty one if it is lost
    the large artifacts of else/copy.db  -                the folder [folder]/else/copy.db.blobs is missing; copy the folder `[place].blobs` that stands beside the original file too, or make an empty one if it is lost
    --- stderr
    verified 1 version, 2 blobs, 354 B
    error: found 2 faults in sqlite:else/copy.db
    hint: repair from another larder with `larder verify --repair-from URL`
    exit 1
    --- stdout
    warning: the large artifacts of else/copy.db: the folder [folder]/else/copy.db.blobs is missing; copy the folder `[place].blobs` that stands beside the original file too, or make an empty one if it is lost
      restore it from a copy of the larder; `larder verify` lists all damage
    --- stderr
    error: found 1 warning
    exit 4
    --- stderr
    error: cannot read the large artifacts of else/copy.db: the folder [folder]/else/copy.db.blobs is missing; copy the folder `[place].blobs` that stands beside the original file too, or make an empty one if it is lost
    exit 4
    --- stderr
    error: cannot read the large artifacts of else/copy.db: the folder [folder]/else/copy.db.blobs is missing; copy the folder `[place].blobs` that stands beside the original file too, or make an empty one if it is lost
    exit 4
    --- stderr
    error: cannot read the large artifacts of else/copy.db: the folder [folder]/else/copy.db.blobs is missing; copy the folder `[place].blobs` that stands beside the original file too, or make an empty one if it is lost
    exit 0
    --- stdout
    big@1
    ");
}
