//! Clients that exist, unmodified, from their registries: Triton's, MLflow's, Schemathesis and Prometheus.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use larder::serving::{DeployOptions, LarderDeployments};
use larder_tests::Doubler;
use larder_tests::python::with_packages;

use super::inference::Joiner;
use super::mlflow::Named;
use super::{Serving, options};

const TRITON: &str = include_str!("../../../fixtures/server/triton_client.py");
const TRITON_GRPC: &str = include_str!("../../../fixtures/server/triton_grpc_client.py");
const MLFLOW: &str = include_str!("../../../fixtures/server/mlflow_client.py");

fn python(name: &str, packages: &[&str]) -> PathBuf {
    with_packages(Path::new(env!("CARGO_TARGET_TMPDIR")), name, packages)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success(), "{command:?}: {}", said.join("\n"));
}

#[test]
fn tritons_client_asks_in_json_and_in_binary_and_over_grpc() {
    let python = python("triton", &["tritonclient[http,grpc]==2.73.0"]);
    let serving = Serving::start();
    serving.larder.apply("house/price", &Doubler { factor: 2.0 }).unwrap();
    serving.larder.apply("house/price", &Doubler { factor: 3.0 }).unwrap();
    serving.larder.tag("house/price@1", "prod").unwrap();
    serving.larder.apply("house/joiner", &Joiner).unwrap();
    let address = serving.address().to_string();
    for client in [TRITON, TRITON_GRPC] {
        run(Command::new(&python).args(["-c", client, &address, &serving.admin]));
    }
}

#[test]
fn mlflows_client_scores_a_data_frame() {
    let python = python("mlflow-full", &super::MLFLOW);
    // This client sends no token.
    let serving = Serving::with(&options().authenticate(false));
    serving.larder.apply("house/named", &Named).unwrap();
    serving.larder.deploy("house/named", &DeployOptions::new()).unwrap();
    let started = Instant::now();
    while serving.get("/readyz", None).status != 200 {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    let port = serving.address().port().to_string();
    run(Command::new(python).args(["-c", MLFLOW, &port]));
}

#[test]
fn schemathesis_finds_no_answer_that_the_document_does_not_have() {
    let python = python("schemathesis", &["schemathesis==4.32.5"]);
    let serving = Serving::start();
    serving.larder.apply("house/price", &Doubler { factor: 2.0 }).unwrap();
    serving.larder.apply("house/joiner", &Joiner).unwrap();
    for model in ["house/price", "house/joiner"] {
        let url = serving.server.url();
        let mut command = Command::new(python.with_file_name("schemathesis"));
        // It keeps a cache where it runs.
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        command.arg("run").arg(format!("{url}/models/{model}/openapi.json"));
        command.args(["--url", &url, "--max-examples", "60", "--seed", "1"]);
        command.args(["--header", &format!("Authorization: Bearer {}", serving.admin)]);
        command.args(["--checks", "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance"]);
        run(&mut command);
    }
}

#[test]
fn prometheus_own_checker_finds_no_fault_in_the_metrics() {
    let serving = Serving::start();
    serving.larder.apply("house/price", &Doubler { factor: 2.0 }).unwrap();
    assert_eq!(serving.ask("/predict/house/price", "{\"input\": 1}").status, 200);
    let metrics = serving.get("/metrics", Some(&serving.admin)).text();
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("promtool is missing: run `scripts/prepare`");
    process.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{metrics}");
}
