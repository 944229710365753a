//! The client of served models, against a server written by hand.

use std::time::{Duration, Instant};

use larder::Error;
use larder::client::Endpoint;
use larder::store::with_causes;
use larder_tests::errors::message;
use serde_json::{Value, json};

use super::fake::{Asked, Fake, say};

/// Doubles numbers, as a server does for a model.
fn doubled(asked: &Asked) -> Value {
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let double = |input: &Value| json!(input.as_f64().unwrap() * 2.0);
    match (&body["input"], &body["inputs"]) {
        (input @ Value::Number(_), _) => json!({ "output": double(input), "version": 3 }),
        (_, Value::Array(inputs)) => {
            json!({ "outputs": inputs.iter().map(double).collect::<Vec<_>>(), "version": 3 })
        }
        _ => panic!("{body}"),
    }
}

fn doubler() -> Fake {
    Fake::start(|asked, _, line| {
        say(
            line,
            "200 OK",
            "content-type: application/json\r\n",
            doubled(asked).to_string().as_bytes(),
        );
    })
}

#[test]
fn one_input_and_many_are_predicted() {
    let fake = doubler();
    let endpoint: Endpoint<f64, f64> =
        Endpoint::new(&format!("{}/team", fake.url()), "house/price:prod").unwrap();
    let endpoint = endpoint.with_token("larder_QZ0").unwrap();
    assert_eq!(endpoint.predict(&1.5).unwrap(), 3.0);
    assert_eq!(endpoint.predict_json("4").unwrap(), "8.0");
    assert_eq!(endpoint.predict_batch(&[]).unwrap(), Vec::<f64>::new());
    assert_eq!(fake.count(), 2, "nothing is asked for an empty batch");
    let inputs: Vec<f64> = (0..2_500).map(f64::from).collect();
    let outputs = endpoint.predict_batch(&inputs).unwrap();
    assert!(outputs.into_iter().eq(inputs.iter().map(|input| input * 2.0)));
    assert_eq!(fake.count(), 5, "in requests of 1,000 inputs");
    let asked = fake.asked.lock().unwrap();
    assert_eq!(asked[0].line, "POST /team/predict/house/price:prod HTTP/1.1");
    assert_eq!(asked[0].body, br#"{"input":1.5}"#);
    assert!(asked.iter().all(|it| it.headers.contains(&"authorization: bearer larder_qz0".into())));
}

#[test]
fn large_inputs_are_sent_in_requests_of_bounded_size() {
    let fake = Fake::start(|asked, _, line| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let lengths: Vec<_> = body["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap().len())
            .collect();
        say(line, "200 OK", "", json!({ "outputs": lengths }).to_string().as_bytes());
    });
    let endpoint: Endpoint<String, usize> = Endpoint::new(&fake.url(), "wine").unwrap();
    let inputs: Vec<String> =
        [10, 600_000, 600_000, 3_000_000, 5].map(|len| "x".repeat(len)).into();
    assert_eq!(endpoint.predict_batch(&inputs).unwrap(), [10, 600_000, 600_000, 3_000_000, 5]);
    let sizes: Vec<_> = fake.asked.lock().unwrap().iter().map(|it| it.body.len()).collect();
    assert_eq!(sizes.len(), 3, "{sizes:?}");
}

#[test]
fn only_what_is_safe_is_tried_again() {
    for (status, headers, tried) in [
        ("500 Internal Server Error", "", 1),
        ("502 Bad Gateway", "", 1),
        ("503 Service Unavailable", "", 1),
        ("503 Service Unavailable", "retry-after: 0\r\n", 3),
        ("429 Too Many Requests", "", 3),
    ] {
        let fake = Fake::start(move |_, _, line| say(line, status, headers, b""));
        let url = format!("{}?retries=2", fake.url());
        let endpoint: Endpoint<f64, f64> = Endpoint::new(&url, "wine").unwrap();
        assert!(endpoint.predict(&1.0).is_err());
        assert_eq!(fake.count(), tried, "{status}");
    }
    // A connection that is cut: the model may have run.
    let fake = Fake::start(|_, _, _| {});
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&fake.url(), "wine").unwrap();
    let error = endpoint.predict(&1.0).unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{}", with_causes(&error));
    assert_eq!(fake.count(), 1);
}

#[test]
fn a_server_that_starts_late_is_waited_for() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&format!("http://{address}"), "wine").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(400));
            let listener = std::net::TcpListener::bind(address).unwrap();
            let (mut line, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let _ = std::io::Read::read(&mut line, &mut head).unwrap();
            say(&mut line, "200 OK", "", br#"{"output":2.0}"#);
        });
        assert_eq!(endpoint.predict(&1.0).unwrap(), 2.0);
    });
}

#[test]
fn a_deadline_ends_a_call() {
    let fake = Fake::start(|_, _, _| std::thread::sleep(Duration::from_secs(20)));
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&fake.url(), "wine").unwrap();
    let endpoint = endpoint.with_deadline(Duration::from_millis(300));
    let begun = Instant::now();
    let error = endpoint.predict(&1.0).unwrap_err();
    let said = message(&error);
    assert!(matches!(error, Error::Store { .. }) && said.contains("300ms"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    // It also ends the waiting for a busy server.
    let fake = Fake::start(|_, _, line| say(line, "503 Busy", "retry-after: 9\r\n", b""));
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&fake.url(), "wine").unwrap();
    let begun = Instant::now();
    assert!(endpoint.with_deadline(Duration::from_secs(1)).predict(&1.0).is_err());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn errors_are_of_their_kind() {
    let of = |status: &'static str, code: &str, message: &str| {
        let body = json!({ "error": { "code": code, "message": message } }).to_string();
        let fake = Fake::start(move |_, _, line| say(line, status, "", body.as_bytes()));
        let endpoint: Endpoint<f64, f64> = Endpoint::new(&fake.url(), "wine").unwrap();
        endpoint.with_token("larder_QZ0").unwrap().predict(&1.0).unwrap_err()
    };
    let error = of("404 Not Found", "not_found", "cannot find wine in this larder");
    assert!(matches!(&error, Error::NotFound { reference, .. } if reference == "wine"));
    let error = of("422 Unprocessable Entity", "invalid_input", "cannot use the input at `[0]`: x");
    assert!(matches!(error, Error::Input { .. }) && with_causes(&error).contains("[0]"));
    let error = of("422 Unprocessable Entity", "model_failed", "cannot predict: the model failed");
    assert!(matches!(error, Error::Predict { .. }), "{error:?}");
    let error = of("403 Forbidden", "forbidden", "cannot predict `wine`: no grant");
    assert!(matches!(error, Error::Denied { .. }) && !with_causes(&error).contains("QZ0"));
    let error = of("500 Internal Server Error", "internal", "cannot answer: the server failed");
    assert!(matches!(error, Error::Store { .. }), "{error:?}");

    let fake = Fake::start(|_, _, line| say(line, "200 OK", "", br#"{"output":"text"}"#));
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&fake.url(), "wine").unwrap();
    assert!(matches!(endpoint.predict(&1.0), Err(Error::Decode { .. })));
    assert!(matches!(endpoint.predict_json("{"), Err(Error::Input { .. })));
    let fake = Fake::start(|_, _, line| say(line, "200 OK", "", br#"{"outputs":[1.0]}"#));
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&fake.url(), "wine").unwrap();
    let error = endpoint.predict_batch(&[1.0, 2.0]).unwrap_err();
    let said = message(&error);
    assert!(matches!(error, Error::Store { .. }) && said.contains("1 outputs"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_socket_of_this_machine_is_a_server_too() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut line, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let read = line.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            assert!(head.starts_with("POST /predict/house/price HTTP/1.1"), "{head}");
            let body = "{\"output\":7.0}";
            write!(line, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                .unwrap();
        });
        let url = format!("unix:{}", path.display());
        let endpoint: Endpoint<f64, f64> = Endpoint::new(&url, "house/price").unwrap();
        assert_eq!(endpoint.predict(&1.0).unwrap(), 7.0);
    });
}

/// The same client against a real server.
#[test]
fn a_model_of_a_larder_is_called_through_its_server() {
    use larder_access::Role;
    use larder_tests::Doubler;

    use super::served::Served;

    let served = Served::at("memory:");
    served.larder.apply("house/price", &Doubler { factor: 2.5 }).unwrap();
    served.larder.apply("house/price", &Doubler { factor: 10.0 }).unwrap();
    served.larder.tag("house/price@1", "prod").unwrap();
    let user = served.user("ann", Role::User, "house/*");
    let of = |reference: &str, token: &str| {
        let endpoint: Endpoint<f64, f64> = Endpoint::new(&served.server.url(), reference).unwrap();
        endpoint.with_token(token).unwrap()
    };
    let prod = of("house/price:prod", &user);
    assert_eq!(prod.predict(&4.0).unwrap(), 10.0);
    assert_eq!(of("house/price", &user).predict(&4.0).unwrap(), 40.0);
    assert_eq!(of("house/price@2", &user).predict_json("4").unwrap(), "40.0");
    let inputs: Vec<f64> = (0..1_500).map(f64::from).collect();
    let outputs = prod.predict_batch(&inputs).unwrap();
    assert!(outputs.into_iter().eq(inputs.iter().map(|input| input * 2.5)));

    let text: Endpoint<&str, f64> = Endpoint::new(&served.server.url(), "house/price").unwrap();
    let error = text.with_token(&user).unwrap().predict(&"four").unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{}", with_causes(&error));
    let error = of("house/cost", &user).predict(&1.0).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{}", with_causes(&error));
    let viewer = served.user("ben", Role::Viewer, "*");
    let error = of("house/price", &viewer).predict(&1.0).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{}", with_causes(&error));
    let error = of("house/price", "larder_wrong").predict(&1.0).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{}", with_causes(&error));

    // The printed command, as it is, says the same.
    let command = prod.curl(&4.0).unwrap();
    assert!(!command.contains(&user), "{command}");
    let ran =
        std::process::Command::new("sh").args(["-c", &command]).env("LARDER_TOKEN", &user).output();
    let ran = ran.unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "{\"output\":10.0}");
}
