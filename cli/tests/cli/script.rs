//! Scripts, with the program as it is published.

use insta::assert_snapshot;

use crate::test_dir::{PLAIN, everywhere};

const PRICE: &str = "const WEIGHTS = [2.0, 0.5];

fn predict(input) {
    let sum = 0.0;
    for (x, at) in input {
        sum += x * global::WEIGHTS[at];
    }
    sum
}
";

#[test]
fn a_script_is_put_shown_and_predicts_in_another_process() {
    let printed = everywhere(|dir| {
        dir.write("price.rhai", PRICE);
        let printed = dir.plain(&["put", "house/price", "price.rhai"])
            + &dir.plain(&["show", "house/price", "--source"]);
        let command = dir.command(PLAIN, &["predict", "house/price", "--lines"]);
        printed + &dir.run(command, b"[3.0, 4.0]\n[1, 1]\n")
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    put house/price@1 (b3:2267d2216978, 407 B, script)
    exit 0
    --- stdout
    const WEIGHTS = [2.0, 0.5];

    fn predict(input) {
        let sum = 0.0;
        for (x, at) in input {
            sum += x * global::WEIGHTS[at];
        }
        sum
    }
    exit 0
    --- stdout
    8.0
    2.5
    ");
}

#[test]
fn a_script_that_fails_says_where() {
    let printed = everywhere(|dir| {
        dir.write("bad.rhai", "fn predict(input) {\n    input +* 2\n}\n");
        dir.write("list.rhai", "fn predict(input) {\n    input[3]\n}\n");
        let printed = dir.plain(&["put", "bad", "bad.rhai", "--as", "script"])
            + &dir.plain(&["put", "list", "list.rhai"]);
        let command = dir.command(PLAIN, &["predict", "list"]);
        printed + &dir.run(command, b"[1]")
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot read the script bad.rhai: line 2, column 12: Unexpected '*'
    exit 0
    --- stdout
    put list@1 (b3:8160cffa8d93, 284 B, script)
    exit 1
    --- stderr
    error: cannot predict: the model failed
      caused by: line 2, column 11: Array index 3 out of bounds: only 1 element in array
    ");
}
