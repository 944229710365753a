//! `show --source`.

use insta::assert_snapshot;

use crate::components::half;
use crate::test_dir::everywhere;

#[test]
fn the_source_is_printed_where_it_is_linked_in_and_where_it_is_not() {
    let printed = everywhere(|dir| {
        dir.apply("half", &half::model());
        let printed = dir.plain(&["show", "half", "--source"]);
        assert_eq!(printed, dir.linked(&["show", "half", "--source"]));
        printed
    });
    assert_snapshot!(printed, @"
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
    let printed = everywhere(|dir| {
        let mut older = half::model();
        older.source.text = "fn half(x: f64) -> f64 {\n\tx * 0.5\u{1b}[2J\n}".into();
        dir.apply("half", &older);
        dir.linked(&["show", "half", "--source"])
            + &dir.linked(&["show", "half", "--source", "--format", "json"])
            + &dir.plain(&["show", "half", "--source", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    fn half(x: f64) -> f64 {
    	x * 0.5\u{1b}[2J
    }
    --- stderr
    the linked source differs, and is what runs; `--format json` prints both
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
    let printed = everywhere(|dir| dir.filled().linked(&["show", "wine/price:prod", "--source"]));
    assert_snapshot!(printed, @"
    exit 1
    --- stderr
    error: cannot show the source of wine/price@1: it has none
    hint: only scripts and `#[codemodel]` components have source text
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_model_that_is_not_linked_in_says_how_to_see_its_source() {
    let printed = everywhere(|dir| {
        dir.apply("half", &half::model());
        dir.run(dir.command(crate::test_dir::PLAIN, &["predict", "half"]), br#"{"x": 1}"#)
            + &dir.fed(&["predict", "half"], r#"{"x": 1}"#)
            + &dir.fed(&["predict", "half"], r#"{"x": "one"}"#)
    });
    assert_snapshot!(printed, @r#"
    exit 6
    --- stderr
    error: cannot use half@1: the component type `example/half` is not linked in (linked in: larder/checkpoint, larder/collection, larder/files, larder/imputer, larder/listener, larder/neighbours, larder/onnx, larder/outputs, larder/projection, larder/script, larder/serializer, larder/wasm, larder/wasm-serializer, larder/watch); it was applied from the crate larder-cli [version]; link that crate in (`use … as _;`); its source of examples/linked/components.rs is stored with half@1
    hint: print its source with `larder show --source REF`; to use it, link it into your own command line: https://docs.rs/larder-cli
    exit 0
    --- stdout
    0.5
    exit 1
    --- stderr
    error: cannot use the input at `x`: it does not fit the model's signature
      caused by: invalid type: string "one", expected f64 at line 1 column 11
    hint: `larder show REF` prints the signature of the model
    "#);
}
