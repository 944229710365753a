//! `show --source`.

use insta::assert_snapshot;

use crate::components::half;
use crate::kitchen::everywhere;

#[test]
fn the_source_is_printed_where_it_is_linked_in_and_where_it_is_not() {
    let told = everywhere(|kitchen| {
        kitchen.apply("half", &half::model());
        let told = kitchen.plain(&["show", "half", "--source"]);
        assert_eq!(told, kitchen.linked(&["show", "half", "--source"]));
        told
    });
    assert_snapshot!(told, @"
    exit 0
    --- stdout
    /// Half of a number.
    pub(crate) fn half(x: f64) -> f64 {
        x / 2.0 // exact, but for the smallest
    }
    ");
}

#[test]
fn a_source_other_than_the_one_linked_in_is_printed_with_a_word_on_it() {
    let told = everywhere(|kitchen| {
        let mut older = half::model();
        older.source.text = "fn half(x: f64) -> f64 {\n\tx * 0.5\u{1b}[2J\n}".into();
        kitchen.apply("half", &older);
        kitchen.linked(&["show", "half", "--source"])
            + &kitchen.linked(&["show", "half", "--source", "--format", "json"])
            + &kitchen.plain(&["show", "half", "--source", "--format", "json"])
    });
    assert_snapshot!(told, @r#"
    exit 0
    --- stdout
    fn half(x: f64) -> f64 {
    	x * 0.5\u{1b}[2J
    }
    --- stderr
    the source that is linked in differs from this, and is what runs: `--format json` prints both
    exit 0
    --- stdout
    {
      "schema": 1,
      "source": {
        "$source": "rust",
        "file": "examples/linked/components.rs",
        "text": "fn half(x: f64) -> f64 {\n\tx * 0.5\u001b[2J\n}"
      },
      "linked_source": {
        "$source": "rust",
        "file": "examples/linked/components.rs",
        "text": "/// Half of a number.\npub(crate) fn half(x: f64) -> f64 {\n    x / 2.0 // exact, but for the smallest\n}"
      }
    }
    exit 0
    --- stdout
    {
      "schema": 1,
      "source": {
        "$source": "rust",
        "file": "examples/linked/components.rs",
        "text": "fn half(x: f64) -> f64 {\n\tx * 0.5\u001b[2J\n}"
      },
      "linked_source": null
    }
    "#);
}

#[test]
fn a_component_without_a_source_says_so() {
    let told =
        everywhere(|kitchen| kitchen.stocked().linked(&["show", "wine/price:prod", "--source"]));
    assert_snapshot!(told, @"
    exit 1
    --- stderr
    error: wine/price@1 keeps no source text
    hint: only scripts do, and what `#[codemodel]` made
    ");
}

#[test]
fn a_model_that_is_not_linked_in_says_how_to_see_its_source() {
    let told = everywhere(|kitchen| {
        kitchen.apply("half", &half::model());
        kitchen.told(kitchen.command(crate::kitchen::PLAIN, &["predict", "half"]), br#"{"x": 1}"#)
            + &kitchen.fed(&["predict", "half"], r#"{"x": 1}"#)
            + &kitchen.fed(&["predict", "half"], r#"{"x": "one"}"#)
    });
    assert_snapshot!(told, @r#"
    exit 6
    --- stderr
    error: cannot use half@1: the component type `example/half` is not linked in (linked in: larder/files, larder/onnx, larder/script, larder/serializer, larder/wasm, larder/wasm-serializer); it was applied from the crate larder-cli [version]; link that crate in (`use … as _;`); its source of examples/linked/components.rs is stored with half@1
    hint: a program of your own brings it to this command line: https://docs.rs/larder-cli
    exit 0
    --- stdout
    0.5
    exit 1
    --- stderr
    error: cannot use the input at `x`: it does not fit the model's signature
      caused by: invalid type: string "one", expected f64 at line 1 column 11
    hint: `show` prints what the model takes
    "#);
}
