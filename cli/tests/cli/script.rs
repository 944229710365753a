//! Scripts, with the program as it is published.

use insta::assert_snapshot;

use crate::kitchen::{PLAIN, everywhere};

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
    let told = everywhere(|kitchen| {
        kitchen.write("price.rhai", PRICE);
        let told = kitchen.plain(&["put", "house/price", "price.rhai"])
            + &kitchen.plain(&["show", "house/price", "--source"]);
        let command = kitchen.command(PLAIN, &["predict", "house/price", "--lines"]);
        told + &kitchen.told(command, b"[3.0, 4.0]\n[1, 1]\n")
    });
    assert_snapshot!(told, @"
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
    let told = everywhere(|kitchen| {
        kitchen.write("bad.rhai", "fn predict(input) {\n    input +* 2\n}\n");
        kitchen.write("list.rhai", "fn predict(input) {\n    input[3]\n}\n");
        let told = kitchen.plain(&["put", "bad", "bad.rhai", "--as", "script"])
            + &kitchen.plain(&["put", "list", "list.rhai"]);
        let command = kitchen.command(PLAIN, &["predict", "list"]);
        told + &kitchen.told(command, b"[1]")
    });
    assert_snapshot!(told, @"
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
