//! What the command line shows of components that refer to others.

use insta::assert_snapshot;
use larder::prelude::*;

use crate::components::{Label, Thermometer};
use crate::kitchen::{Kitchen, everywhere};

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
fn hung(kitchen: &Kitchen) {
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
    kitchen.apply("board", &board);
}

#[test]
fn show_prints_what_a_version_uses_and_what_uses_it() {
    let told = everywhere(|kitchen| {
        hung(kitchen);
        kitchen.plain(&["show", "board"]) + &kitchen.plain(&["show", "label"])
    });
    assert_snapshot!(told, @"");
}

#[test]
fn show_tree_prints_versions_below_each_other() {
    let told = everywhere(|kitchen| {
        hung(kitchen);
        kitchen.apply("label", &label("Merlot"));
        kitchen.plain(&["show", "--tree", "board"])
            + &kitchen.plain(&["show", "--tree", "label"])
            + &kitchen.plain(&["show", "--tree", "board/small", "--format", "json"])
    });
    assert_snapshot!(told, @"");
}

#[test]
fn what_is_used_is_removed_by_force_only() {
    let told = everywhere(|kitchen| {
        hung(kitchen);
        kitchen.plain(&["remove", "label@1"])
            + &kitchen.plain(&["remove", "label@1", "--force"])
            + &kitchen.plain(&["show", "--tree", "board/small"])
            + &kitchen.plain(&["verify"])
            + &kitchen.plain(&["restore", "label@1"])
    });
    assert_snapshot!(told, @"");
}
