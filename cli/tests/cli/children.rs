//! Commands on components that refer to others.

use insta::assert_snapshot;
use larder::prelude::*;

use crate::components::{Label, Thermometer};
use crate::test_dir::{TestDir, everywhere};

/// Refers to whatever there is.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/board")]
struct Board {
    holds: Vec<Ref<dyn Component>>,
}

fn label(title: &str) -> Label {
    Label { title: title.into(), years: vec![2021] }
}

/// A board with another one on it, and a label on both.
fn hung(dir: &TestDir) {
    let label = Ref::any("label", label("Riesling")).unwrap();
    let small = Board { holds: vec![label.clone()] };
    let air = Ref::any("cellar/air", Thermometer { place: "the wall".into() }).unwrap();
    let small = Ref::any("board/small", small).unwrap();
    let board = Board {
        holds: vec![
            small.clone(),
            label,
            Ref::any("board/other", Board { holds: vec![small] }).unwrap(),
            air,
        ],
    };
    dir.apply("board", &board);
}

#[test]
fn show_prints_what_a_version_uses_and_what_uses_it() {
    let printed = everywhere(|dir| {
        hung(dir);
        dir.plain(&["show", "board"]) + &dir.plain(&["show", "label"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name     board
    version  v1
    tags     none
    type     tests/board (not linked in)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     924 B
    digest   b3:25747da3c1da11cbad49d2844c196493f8618a771a6084db2ada257a41a7ebff
    uses     board/small@1, label@1, board/other@1, cellar/air@1

    fields:
    {
      "holds": [
        {
          "$component": "board/small",
          "manifest": "b3:45bda947c0da86f2c31f4b98eb0910aee25886be19bbc1a3c791f8621953a285"
        },
        {
          "$component": "label",
          "manifest": "b3:803659dddea26e2f7427cb29b1f1c331928204310fca7576bb1fcb20345de2cb"
        },
        {
          "$component": "board/other",
          "manifest": "b3:308fd116d6e1ad6d1462bcce836ab3dbca6916cff7394a1532b0a2027e7e40cd"
        },
        {
          "$component": "cellar/air",
          "manifest": "b3:321388d3a5f5b53e07934e572056fd8cd9be212fd799e19a2102d805fce3c408"
        }
      ]
    }
    exit 0
    --- stdout
    name     label
    version  v1
    tags     none
    type     example/label (not linked in)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     95 B
    digest   b3:803659dddea26e2f7427cb29b1f1c331928204310fca7576bb1fcb20345de2cb
    used by  board@1, board/small@1

    fields:
    {
      "title": "Riesling",
      "years": [
        2021
      ]
    }
    "#);
}

#[test]
fn show_tree_prints_versions_below_each_other() {
    let printed = everywhere(|dir| {
        hung(dir);
        dir.apply("label", &label("Merlot"));
        dir.plain(&["show", "--tree", "board"])
            + &dir.plain(&["show", "--tree", "label"])
            + &dir.plain(&["show", "--tree", "board/small", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    board@1  tests/board
    ├── board/small@1  tests/board
    │   └── label@1  example/label
    ├── label@1  example/label
    ├── board/other@1  tests/board
    │   └── board/small@1  tests/board  (see above)
    └── cellar/air@1  example/thermometer
    exit 0
    --- stdout
    label@2  example/label
    exit 0
    --- stdout
    {
      "schema": 1,
      "tree": [
        {
          "depth": 0,
          "name": "board/small",
          "version": 1,
          "digest": "b3:45bda947c0da86f2c31f4b98eb0910aee25886be19bbc1a3c791f8621953a285",
          "type": "tests/board",
          "repeated": false
        },
        {
          "depth": 1,
          "name": "label",
          "version": 1,
          "digest": "b3:803659dddea26e2f7427cb29b1f1c331928204310fca7576bb1fcb20345de2cb",
          "type": "example/label",
          "repeated": false
        }
      ]
    }
    "#);
}

#[test]
fn what_is_used_is_removed_by_force_only() {
    let printed = everywhere(|dir| {
        hung(dir);
        dir.plain(&["remove", "label@1"])
            + &dir.plain(&["remove", "label@1", "--force"])
            + &dir.plain(&["show", "--tree", "board/small"])
            + &dir.plain(&["verify"])
            + &dir.plain(&["restore", "label@1"])
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot remove label: it is used by board@1, board/small@1; remove those first, or force the removal
    hint: use `--force` to do it anyway
    exit 0
    --- stdout
    removed label@1 (b3:803659dddea2, 95 B)
    exit 0
    --- stdout
    board/small@1  tests/board
    └── label (b3:803659dddea2, removed)
    exit 4
    --- stdout
    WHAT           BLOB  FAULT
    board@1        -     it refers to label@1, which was removed
    board/small@1  -     it refers to label@1, which was removed
    --- stderr
    verified 4 versions, 5 blobs, 1.6 KiB
    error: found 2 faults in [store]
    hint: repair from another larder with `larder verify --repair-from URL`
    exit 0
    --- stdout
    restored label@1 (b3:803659dddea2, 95 B)
    ");
}
