//! Predictions that do not end.

use larder::serving::ServeError;

use super::*;

#[test]
fn a_prediction_that_does_not_end_costs_its_own_request_and_its_worker_is_replaced() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    let lost = serving.request(&model, ask("gate:lost").within(Duration::from_millis(50)));
    let error = lost.wait().unwrap_err();
    assert!(matches!(error, ServeError::Late { .. }), "{error}");
    eventually("its worker is replaced", || serving.workers() == (2, 1));
    assert_eq!(model.lost(), 1);
    // Two at once: both workers are there.
    let gates: Vec<_> = (0..2).map(|_| serving.request(&model, ask("gate:both"))).collect();
    eventually("both run", || serving.waiting(&model) == 0);
    open_gate("both");
    for pending in gates {
        assert_eq!(number(pending.wait()), 1.0);
    }
    open_gate("lost");
    eventually("the lost one came back", || serving.workers() == (2, 0) && model.lost() == 0);
}

#[test]
fn a_model_that_loses_too_many_workers_is_stuck_and_others_go_on() {
    let larder = larder_with(2);
    let serving = start(&larder, &options());
    let (bad, good) = (model(&serving, "probe@1"), model(&serving, "probe@2"));
    for lost in 1..=3 {
        let request = ask("gate:stuck").within(Duration::from_millis(20));
        assert!(matches!(serving.request(&bad, request).wait(), Err(ServeError::Late { .. })));
        eventually("its worker is lost", || bad.lost() == lost);
    }
    assert!(bad.is_stuck());
    let error = serving.request(&bad, ask("none")).wait().unwrap_err();
    assert!(matches!(error, ServeError::Stuck { lost: 3, .. }), "{error}");
    assert_eq!(number(serving.predict(&good, ask("none"))), 2.0);
    open_gate("stuck");
    eventually("it came back", || !bad.is_stuck() && serving.workers() == (2, 0));
    assert_eq!(number(serving.predict(&bad, ask("none"))), 1.0);
}

#[test]
fn a_merged_batch_that_does_not_end_costs_the_request_that_does_not_end() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let model = model(&serving, "probe");
    serving.predict(&model, ask("sleep:1")).unwrap();
    let first: Vec<_> = (0..2).map(|_| serving.request(&model, ask("gate:before"))).collect();
    eventually("all workers are busy", || serving.waiting(&model) == 0);
    let acts = ["none", "gate:forever", "none", "none"];
    let pending: Vec<_> = acts
        .iter()
        .map(|act| serving.request(&model, ask(act).within(Duration::from_secs(3))))
        .collect();
    open_gate("before");
    for pending in first {
        assert_eq!(number(pending.wait()), 1.0);
    }
    for (act, pending) in acts.iter().zip(pending) {
        match (*act, pending.wait()) {
            ("none", answer) => assert_eq!(number(answer), 1.0),
            (_, answer) => assert!(matches!(answer, Err(ServeError::Late { .. })), "{answer:?}"),
        }
    }
    open_gate("forever");
    eventually("all came back", || serving.workers() == (2, 0));
}

#[test]
fn a_model_gets_a_worker_while_another_holds_all() {
    let larder = larder_with(2);
    let serving = start(&larder, &options());
    let (slow, quick) = (model(&serving, "probe@1"), model(&serving, "probe@2"));
    let held: Vec<_> = (0..20).map(|_| serving.request(&slow, ask("gate:held"))).collect();
    assert_eq!(number(serving.request(&quick, ask("none")).wait()), 2.0);
    open_gate("held");
    for pending in held {
        assert_eq!(number(pending.wait()), 1.0);
    }
    eventually("the extra workers ended", || serving.workers() == (2, 0));
}

#[test]
fn models_take_turns() {
    let larder = larder_with(2);
    let serving = start(&larder, &options().workers(1));
    let (many, few) = (model(&serving, "probe@1"), model(&serving, "probe@2"));
    let crowd: Vec<_> = (0..100).map(|_| serving.request(&many, ask("sleep:20"))).collect();
    let few = serving.request(&few, ask("none"));
    assert_eq!(number(few.wait()), 2.0);
    assert!(serving.waiting(&many) > 50, "it did not wait for the crowd");
    drop(crowd);
}
