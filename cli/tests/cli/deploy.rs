//! `deploy`, `deployments` and `undeploy`.

use std::time::Duration;

use insta::assert_snapshot;
use larder::serving::{Deployer, Serving, ServingOptions};

use crate::test_dir::{TestDir, everywhere};

#[test]
fn a_model_is_deployed_listed_and_undeployed() {
    let printed = everywhere(|dir| {
        dir.filled().write("double.rhai", "fn predict(x) { 2 * x }");
        dir.plain(&["put", "double", "double.rhai", "--quiet"]);
        dir.plain(&["deploy", "double", "--name", "house/price"])
            + &dir.plain(&["deploy", "double", "--name", "house/price"])
            + &dir.plain(&["deploy", "double@1", "--canary", "double", "--share", "0.25"])
            + &dir.plain(&["deploy", "double@1", "--quiet"])
            + &dir.plain(&["deployments", "--quiet"])
            + &dir.plain(&["undeploy", "double"])
            + &dir.plain(&["undeploy", "price"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    house/price is to serve double
    exit 0
    --- stdout
    unchanged: house/price is to serve double
    exit 0
    --- stdout
    double is to serve double@1
    25% of its requests go to double
    exit 0
    --- stdout
    double
    exit 0
    --- stdout
    double
    house/price
    exit 0
    --- stderr
    undeployed double
    exit 3
    --- stderr
    error: cannot find the deployment price in this larder; did you mean house/price?
    ");
}

#[test]
fn what_cannot_serve_is_refused() {
    let printed = everywhere(|dir| {
        dir.filled().write("notes.txt", "dry");
        dir.plain(&["put", "notes", "notes.txt", "--quiet"]);
        dir.plain(&["deploy", "notes"])
            + &dir.plain(&["deploy", "note"])
            + &dir.plain(&["deploy", "notes", "--share", "0.5"])
            + &dir.plain(&["deploy", "notes", "--timeout", "3s"])
    });
    assert_snapshot!(printed, @"
    exit 1
    --- stderr
    error: cannot predict with notes@1: its type `larder/files` is not a model
    hint: `larder put` stores ONNX files, WebAssembly modules and scripts as models
    exit 3
    --- stderr
    error: cannot find note in this larder; did you mean notes?
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --canary <REF>

    Usage: larder deploy --canary <REF> --share <SHARE> --store <URL> <REF>

    For more information, try '--help'.
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --wait

    Usage: larder deploy --wait --timeout <TIME> --store <URL> <REF>

    For more information, try '--help'.
    ");
}

#[test]
fn waiting_ends_with_what_a_server_says() {
    let dir = TestDir::new("sqlite:larder.db");
    dir.write("double.rhai", "fn predict(x) { 2 * x }");
    dir.plain(&["put", "double", "double.rhai"]);
    let late = dir.plain(&["deploy", "double", "--wait", "--timeout", "100ms"]);
    assert!(late.starts_with("exit 5\n"), "{late}");
    assert!(late.contains("check that a server of this larder runs"), "{late}");
    let options = ServingOptions::new().poll(Duration::from_millis(20));
    let serving = Serving::start(&dir.larder(), &options).unwrap();
    let deployer = Deployer::start(&serving).unwrap();
    let printed = dir.plain(&["deploy", "double", "--wait", "--timeout", "60s"]);
    assert!(printed.starts_with("exit 0\n"), "{printed}");
    assert!(printed.contains("double serves double@1 (b3:"), "{printed}");
    let listed = dir.plain(&["deployments", "double"]);
    assert!(listed.contains("double@1  "), "{listed}");
    assert!(listed.contains("serves\n"), "{listed}");
    assert!(listed.contains("  serving "), "{listed}");
    drop(deployer);
}
