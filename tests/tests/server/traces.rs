//! Spans of requests, as a receiver of OpenTelemetry gets them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use larder_tests::{Doubler, http};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const SECRET: &str = "larder_not-to-be-told";
const QUESTION: &[u8] = b"{\"input\":271828.5}";

/// A server as a process, with a model and with variables of OpenTelemetry.
struct Traced {
    process: Child,
    address: SocketAddr,
    _place: tempfile::TempDir,
}

impl Traced {
    fn start(endpoint: SocketAddr, variables: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", place.path().join("larder.db").display());
        let larder = larder::open(&*url).unwrap();
        larder.apply("house/price", &Doubler { factor: 1.0 }).unwrap();
        larder.apply("house/price", &Doubler { factor: 2.0 }).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_worker"))
            .args(["serve", &url, "127.0.0.1:0"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}"))
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().parse().unwrap();
        Self { process, address, _place: place }
    }

    fn ask(&self, method: &str, path: &str, traceparent: Option<&str>) -> http::Answer {
        let mut headers = vec![("x-request-id", "request-7")];
        headers.extend(traceparent.map(|it| ("traceparent", it)));
        let body = if method == "POST" { QUESTION } else { b"" };
        http::send(self.address, method, path, Some(SECRET), &headers, body)
    }

    /// Stops the server as a supervisor does, and returns how long it took.
    fn stop(mut self) -> Duration {
        let started = Instant::now();
        let told = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(told.success());
        assert!(self.process.wait().unwrap().success());
        started.elapsed()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads a request, answers it, and returns its path and its body.
fn receive(mut stream: TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim().to_ascii_lowercase()
    };
    let path = line().split(' ').nth(1).unwrap().to_owned();
    let head: Vec<String> = std::iter::repeat_with(line).take_while(|it| !it.is_empty()).collect();
    assert!(head.contains(&"content-type: application/x-protobuf".to_owned()), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    (path, body)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|it| it.key == key)?.value.clone()?.value?;
    Some(match found {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{key}: {other:?}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_request_is_a_span_below_the_one_of_its_caller() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = receiver.local_addr().unwrap();
    let (sender, received) = mpsc::channel();
    thread::spawn(move || {
        for stream in receiver.incoming() {
            if sender.send(receive(stream.unwrap())).is_err() {
                break;
            }
        }
    });
    // Only the end of the server exports anything.
    let variables = [("OTEL_SERVICE_NAME", "houses"), ("OTEL_BSP_SCHEDULE_DELAY", "600000")];
    let server = Traced::start(endpoint, &variables);

    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let predicted = server.ask("POST", "/predict/house/price", Some(&sampled));
    assert_eq!((predicted.status, predicted.text().as_str()), (200, "{\"output\":543657.0}"));
    let lost = server.ask("GET", "/nowhere/at-all", None);
    assert_eq!(lost.status, 404);
    // Its caller records nothing.
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    assert_eq!(server.ask("GET", "/livez", Some(&unsampled)).status, 200);
    let took = server.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");

    let (path, body) = received.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(path, "/v1/traces");
    for secret in [SECRET.as_bytes(), b"271828", b"543657", b"nowhere"] {
        assert!(!body.windows(secret.len()).any(|part| part == secret), "{body:?}");
    }
    let request = ExportTraceServiceRequest::decode(&*body).unwrap();
    let [spans] = &*request.resource_spans else { panic!("{request:?}") };
    let resource = spans.resource.as_ref().unwrap();
    assert_eq!(text(&resource.attributes, "service.name").unwrap(), "houses");
    let spans: Vec<&Span> = spans.scope_spans.iter().flat_map(|it| &it.spans).collect();
    let [first, second] = *spans else { panic!("{spans:?}") };

    assert_eq!((hex(&first.trace_id), hex(&first.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!((&*first.name, first.kind), ("POST /predict/{*rest}", SpanKind::Server as i32));
    assert!(first.end_time_unix_nano > first.start_time_unix_nano);
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/predict/{*rest}"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("larder.request.id", "request-7"),
        ("larder.model.name", "house/price"),
        ("larder.model.version", "2"),
    ] {
        assert_eq!(text(&first.attributes, key).as_deref(), Some(value), "{key}");
    }
    let answered = format!("00-{TRACE}-{}-01", hex(&first.span_id));
    assert_eq!(predicted.header("traceparent"), Some(&*answered), "the answer names the span");

    assert_eq!((&*second.name, hex(&second.parent_span_id)), ("GET", String::new()));
    assert_ne!(hex(&second.trace_id), TRACE);
    assert_eq!(text(&second.attributes, "http.response.status_code").unwrap(), "404");
    assert_eq!(text(&second.attributes, "http.route"), None);
    let status = second.status.as_ref().map_or(StatusCode::Unset as i32, |status| status.code);
    assert_eq!(status, StatusCode::Unset as i32, "the fault is the client's");
    assert!(received.try_recv().is_err(), "there is nothing else to export");
}

/// The time of the slowest of many requests, and of the end of the server.
fn with_receiver_at(endpoint: SocketAddr) {
    // The queue of spans is full soon.
    let variables = [("OTEL_BSP_SCHEDULE_DELAY", "5"), ("OTEL_BSP_MAX_QUEUE_SIZE", "16")];
    let server = Traced::start(endpoint, &variables);
    let mut slowest = Duration::ZERO;
    for _ in 0..500 {
        let started = Instant::now();
        assert_eq!(server.ask("POST", "/predict/house/price", None).status, 200);
        slowest = slowest.max(started.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let took = server.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_receiver_that_is_away_costs_no_request() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = receiver.local_addr().unwrap();
    drop(receiver);
    with_receiver_at(endpoint);
}

#[test]
fn a_receiver_that_never_answers_costs_no_request() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    with_receiver_at(receiver.local_addr().unwrap());
}

#[test]
fn a_receiver_that_is_no_url_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["serve", "memory:", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("export traces"), "{text}");
}
