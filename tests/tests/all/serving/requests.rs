//! Requests: batches, bounds, deadlines, panics.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use larder::serving::{Input, Outcome, ServeError};

use super::*;

/// A model whose batches cost as much as a row, and that remembers their sizes.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/serving/batcher", model)]
struct Batcher;

static ROWS: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

impl Predict for Batcher {
    type Input = f64;
    type Output = f64;

    fn predict(&self, x: f64) -> Result<f64> {
        Ok(self.predict_batch(vec![x])?[0])
    }

    fn predict_batch(&self, rows: Vec<f64>) -> Result<Vec<f64>> {
        if rows.iter().any(|x| *x < 0.0) {
            return Err(Error::predict("a negative number"));
        }
        std::thread::sleep(Duration::from_millis(2));
        ROWS.fetch_add(rows.len(), Ordering::SeqCst);
        CALLS.fetch_add(1, Ordering::SeqCst);
        Ok(rows.into_iter().map(|x| x * 10.0).collect())
    }
}

/// Keeps all workers busy until the gate opens.
fn occupy(serving: &Serving, model: &Arc<LoadedModel>, gate: &str) {
    for _ in 0..serving.workers().0 {
        let _ticket = serving.submit(model, ask(&format!("gate:{gate}")), |_| {});
    }
    eventually("all workers are busy", || serving.waiting(model) == 0);
}

#[test]
fn each_format_is_answered_as_the_model_answers_it() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    assert_eq!(number(serving.predict(&model, Request::json(r#"{"x": 2}"#))), 3.0);
    let words = serving.predict(&model, Request::json(r#"{"x": "NaN"}"#)).unwrap();
    assert_eq!(words.output, Output::Json("\"NaN\"".into()));
    let rows = serving.predict(&model, Request::json_rows(r#"[{"x": 1}, {"x": 4}]"#)).unwrap();
    assert_eq!(rows.output, Output::Json("[2.0,5.0]".into()));
    assert_eq!(rows.version.version.get(), 1);
    let packed = |value: &serde_json::Value| rmp_serde::to_vec_named(value).unwrap();
    let input = packed(&serde_json::json!({"x": 1.5}));
    let answer = serving.predict(&model, Request::new(Input::MessagePack(input.clone().into())));
    let output = answer.unwrap().output.into_bytes();
    assert_eq!(rmp_serde::from_slice::<f64>(&output).unwrap(), 2.5);
    let inputs = packed(&serde_json::json!([{"x": 1}, {"x": 2}, {"x": 3}]));
    let answer = serving.predict(&model, Request::new(Input::MessagePackRows(inputs.into())));
    let output = answer.unwrap().output.into_bytes();
    assert_eq!(rmp_serde::from_slice::<Vec<f64>>(&output).unwrap(), [2.0, 3.0, 4.0]);
    let after = [input, vec![1]].concat();
    let error = serving.predict(&model, Request::new(Input::MessagePack(after.into())));
    assert!(matches!(error.unwrap_err(), ServeError::Model(Error::Input { .. })));
    let call: larder::serving::Call = Arc::new(|model| {
        Ok(model.predict_typed::<Ask, f64>(Ask { x: 3.0, act: None })?.to_string().into_bytes())
    });
    let answer = serving.predict(&model, Request::new(Input::Call(call, 0))).unwrap();
    assert_eq!(answer.output, Output::Bytes(b"4".to_vec()));
    assert_eq!(model.metrics().rows(), 1 + 1 + 2 + 1 + 3);
    assert_eq!(model.metrics().requests(Outcome::Succeeded), 6);
    assert_eq!(model.metrics().requests(Outcome::BadInput), 1);
}

#[test]
fn waiting_requests_are_merged_in_order_and_each_gets_its_answer() {
    let larder = larder_with(1);
    larder.apply("batcher", &Batcher).unwrap();
    let serving = start(&larder, &options());
    let (gates, batcher) = (model(&serving, "probe"), model(&serving, "batcher"));
    // One prediction alone, to know the model.
    assert_eq!(number(serving.predict(&batcher, Request::json("1"))), 10.0);
    occupy(&serving, &gates, "merged");
    let rows = ROWS.load(Ordering::SeqCst);
    let texts = ["2", "3", "-4", "[5]", "6], [7", "8", "9", "10", "11", "12"];
    let pending: Vec<_> =
        texts.iter().map(|text| serving.request(&batcher, Request::json(*text))).collect();
    open_gate("merged");
    for (text, pending) in texts.iter().zip(pending) {
        let answer = pending.wait();
        match text.parse::<f64>() {
            Ok(x) if x >= 0.0 => assert_eq!(number(answer), x * 10.0),
            Ok(_) => assert!(matches!(answer, Err(ServeError::Model(Error::Predict { .. })))),
            Err(_) => assert!(matches!(answer, Err(ServeError::Model(Error::Input { .. })))),
        }
    }
    assert_eq!(ROWS.load(Ordering::SeqCst) - rows, 7, "each good row was predicted once");
    // Sound ones alone: far fewer calls than requests.
    let gate = "merged again";
    occupy(&serving, &gates, gate);
    let calls = CALLS.load(Ordering::SeqCst);
    let pending: Vec<_> =
        (0..64).map(|x| (x, serving.request(&batcher, Request::json(x.to_string())))).collect();
    open_gate(gate);
    for (x, pending) in pending {
        assert_eq!(number(pending.wait()), f64::from(x) * 10.0);
    }
    let calls = CALLS.load(Ordering::SeqCst) - calls;
    assert!(calls <= 16, "64 requests took {calls} calls");
    let batches = batcher.metrics().batch_size().snapshot();
    assert!(batches.sum > batches.count as f64, "{batches:?}");
}

#[test]
fn a_full_queue_refuses_at_once_with_advice() {
    let larder = larder_with(1);
    let serving = start(&larder, &options().waiting(3));
    let model = model(&serving, "probe");
    occupy(&serving, &model, "full");
    let pending: Vec<_> = (0..3).map(|_| serving.request(&model, ask("none"))).collect();
    let error = serving.request(&model, ask("none")).wait().unwrap_err();
    let ServeError::Busy { waiting: 3, retry_after, .. } = error else { panic!("{error}") };
    assert!(retry_after >= Duration::from_secs(1));
    open_gate("full");
    for pending in pending {
        assert_eq!(number(pending.wait()), 1.0);
    }
    assert_eq!(model.metrics().requests(Outcome::Busy), 1);
}

#[test]
fn a_request_that_waits_beyond_its_deadline_is_late_and_never_runs() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    occupy(&serving, &model, "late");
    let rows = model.metrics().rows();
    let request = ask("none").within(Duration::from_millis(30));
    let started = Instant::now();
    let error = serving.request(&model, request).wait().unwrap_err();
    assert!(matches!(error, ServeError::Late { .. }), "{error}");
    let took = started.elapsed();
    assert!((30..2_000).contains(&took.as_millis()), "{took:?}");
    open_gate("late");
    assert_eq!(number(serving.predict(&model, ask("none"))), 1.0);
    eventually("all ended", || model.metrics().rows() == rows + 3);
    assert_eq!(model.metrics().requests(Outcome::Late), 1);
}

#[test]
fn a_cancelled_request_never_runs() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    occupy(&serving, &model, "cancelled");
    let (sender, answers) = mpsc::channel();
    let ticket = serving.submit(&model, ask("none"), move |answer| sender.send(answer).unwrap());
    drop(serving.request(&model, ask("none")));
    ticket.cancel();
    open_gate("cancelled");
    assert!(answers.recv().is_err(), "its function was dropped, not called");
    eventually("the others ended", || model.metrics().requests(Outcome::Succeeded) == 2);
    assert_eq!(model.metrics().requests(Outcome::Cancelled), 2);
    assert_eq!(model.metrics().rows(), 2, "only those at the gate ran");
}

#[test]
fn a_panic_costs_its_own_request() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    occupy(&serving, &model, "panic");
    let acts = ["none", "panic", "none", "fail", "none"];
    let pending: Vec<_> = acts.iter().map(|act| serving.request(&model, ask(act))).collect();
    open_gate("panic");
    let answers: Vec<_> = pending.into_iter().map(|pending| pending.wait()).collect();
    for (act, answer) in acts.iter().zip(answers) {
        match (*act, answer) {
            ("panic", Err(error @ ServeError::Panicked { .. })) => {
                let source = std::error::Error::source(&error).unwrap().to_string();
                assert_eq!(source, "it panicked: it was asked to panic");
            }
            ("fail", Err(ServeError::Model(Error::Predict { .. }))) => {}
            ("none", answer) => assert_eq!(number(answer), 1.0),
            (act, answer) => panic!("{act}: {answer:?}"),
        }
    }
    assert_eq!(serving.workers(), (2, 0), "no worker was lost");
    assert_eq!(model.metrics().requests(Outcome::Panicked), 1);
    assert_eq!(model.metrics().requests(Outcome::Failed), 1);
}

#[test]
fn a_caller_that_panics_costs_no_worker() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    for _ in 0..8 {
        let _ticket = serving.submit(&model, ask("none"), |_| panic!("the caller panics"));
    }
    assert_eq!(number(serving.predict(&model, ask("none"))), 1.0);
    assert_eq!(serving.workers(), (2, 0));
}

#[test]
fn a_fast_model_runs_on_the_callers_thread() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    let input = Input::Json(r#"{"x": 1}"#.into());
    assert!(serving.try_predict_now(&model, &input).is_none(), "it is not known yet");
    let until = Instant::now() + Duration::from_secs(20);
    while serving.try_predict_now(&model, &input).is_none() {
        assert!(Instant::now() < until, "it never counts as fast");
        serving.request(&model, Request::json(r#"{"x": 1}"#)).wait().unwrap();
    }
    let answer = serving.try_predict_now(&model, &input).unwrap();
    assert_eq!(number(answer), 2.0);
    let large = Input::Json(format!(r#"{{"x": 1{}}}"#, " ".repeat(20_000)));
    assert!(serving.try_predict_now(&model, &large).is_none());
    let rows = Input::JsonRows("[]".into());
    assert!(serving.try_predict_now(&model, &rows).is_none());
    let fails = Input::Json("{\"act\": \"panic\"}".into());
    let error = serving.try_predict_now(&model, &fails).unwrap().unwrap_err();
    assert!(matches!(error, ServeError::Panicked { .. }), "{error}");
    serving.predict(&model, ask("sleep:30")).unwrap();
    assert!(serving.try_predict_now(&model, &input).is_none(), "it was slow of late");
}

#[tokio::test]
async fn an_answer_can_be_awaited() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    let requests: Vec<_> = (0..20).map(|_| serving.request(&model, ask("sleep:5"))).collect();
    let other = tokio::spawn(async { 7 });
    for request in requests {
        assert_eq!(number(request.await), 1.0);
    }
    assert_eq!(other.await.unwrap(), 7);
}

#[test]
fn accepted_requests_end_before_a_stop_and_later_ones_are_refused() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    let pending: Vec<_> = (0..6).map(|_| serving.request(&model, ask("sleep:20"))).collect();
    let hangs = serving.request(&model, ask("gate:stop"));
    assert!(!serving.stop(Duration::from_millis(50)), "one still runs");
    let error = serving.request(&model, ask("none")).wait().unwrap_err();
    assert!(matches!(error, ServeError::Stopping), "{error}");
    open_gate("stop");
    assert!(serving.stop(Duration::from_secs(20)));
    for pending in pending.into_iter().chain([hangs]) {
        assert_eq!(number(pending.wait()), 1.0);
    }
}
