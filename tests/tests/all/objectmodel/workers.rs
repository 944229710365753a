//! Batches.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use larder_tests::errors::message;

use super::*;

fn rows(numbers: impl IntoIterator<Item = u64>) -> Vec<<slow_when_early as Predict>::Input> {
    numbers.into_iter().map(|n| (n,).into()).collect()
}

/// The first rows take longest, so that later ones are ready before them.
#[objectmodel(tag = "test/slow-when-early", num_workers = 4)]
fn slow_when_early(n: u64) -> u64 {
    if n < 8 {
        thread::sleep(Duration::from_millis(8 - n));
    }
    n * n
}

#[test]
fn a_batch_comes_back_in_its_order_whatever_its_length() {
    for len in [0, 1, 2, 3, 4, 5, 63, 64, 65, 1000, 4099] {
        let outputs = slow_when_early::model().predict_batch(rows(0..len)).unwrap();
        assert_eq!(outputs, (0..len).map(|n| n * n).collect::<Vec<_>>(), "{len} rows");
    }
}

/// Every worker waits here for three others.
static FOUR: Barrier = Barrier::new(4);

#[objectmodel(tag = "test/meeting", num_workers = 4)]
fn meeting(_n: u64) -> String {
    FOUR.wait();
    format!("{:?}", thread::current().id())
}

#[test]
fn so_many_workers_work_at_the_same_time() {
    // On fewer it would wait for ever.
    let inputs = (0..4).map(|n| (n,).into()).collect();
    let threads: BTreeSet<_> =
        meeting::model().predict_batch(inputs).unwrap().into_iter().collect();
    assert_eq!(threads.len(), 4);
}

#[objectmodel(tag = "test/here")]
fn here() -> String {
    format!("{:?}", thread::current().id())
}

#[test]
fn without_workers_a_batch_stays_on_the_thread_of_its_caller() {
    let threads = here::model().predict_batch((0..100).map(|_| ().into()).collect()).unwrap();
    assert!(threads.iter().all(|id| *id == format!("{:?}", thread::current().id())));
}

#[objectmodel(tag = "test/picky", num_workers = 3)]
fn picky(n: u64) -> Result<u64, String> {
    match n % 1000 {
        500 => {
            // Later bad rows are met before it.
            thread::sleep(Duration::from_millis(20));
            Err(format!("{n} is bad"))
        }
        501.. => Err(format!("{n} is worse")),
        _ => Ok(n),
    }
}

#[test]
fn the_first_bad_row_is_reported_with_its_index_every_time() {
    for _ in 0..20 {
        let inputs = (0..1000).map(|n| (n,).into()).collect();
        let error = picky::model().predict_batch(inputs).unwrap_err();
        assert!(matches!(error, Error::Predict { row: Some(500), .. }), "{error:?}");
        assert!(message(&error).ends_with(": 500 is bad"), "{error:?}");
    }
    let (one, two) = ((700,).into(), (3,).into());
    let error = picky::model().predict_batch(vec![two, one]).unwrap_err();
    assert!(matches!(error, Error::Predict { row: Some(1), .. }), "{error:?}");
}

#[objectmodel(tag = "test/panicky", num_workers = 2)]
fn panicky(n: u64) -> u64 {
    assert!(n != 70, "row {n} is too much");
    n
}

#[objectmodel(tag = "test/panicky-alone")]
fn panicky_alone(n: u64) -> u64 {
    panicky(n)
}

#[test]
fn a_row_on_which_the_model_panics_is_an_error_on_many_workers_and_on_one() {
    let many = panicky::model().predict_batch((0..100).map(|n| (n,).into()).collect());
    let one = panicky_alone::model().predict_batch((0..100).map(|n| (n,).into()).collect());
    for error in [many.unwrap_err(), one.unwrap_err()] {
        assert!(matches!(error, Error::Predict { row: Some(70), .. }), "{error:?}");
        assert!(message(&error).ends_with("panicked: row 70 is too much"), "{error:?}");
    }
    let fine = panicky::model().predict_batch((0..70).map(|n| (n,).into()).collect());
    assert_eq!(fine.unwrap().len(), 70, "the model serves on");
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/by-hand", model)]
struct ByHand {
    workers: usize,
}

impl Predict for ByHand {
    type Input = u64;
    type Output = String;

    fn predict(&self, _: u64) -> larder::Result<String> {
        thread::sleep(Duration::from_millis(2));
        Ok(format!("{:?}", thread::current().id()))
    }

    fn num_workers(&self) -> usize {
        self.workers
    }
}

#[test]
fn a_model_written_by_hand_says_how_many_workers_it_wants() {
    let threads = |workers| {
        let outputs = ByHand { workers }.predict_batch((0..50).collect()).unwrap();
        outputs.into_iter().collect::<BTreeSet<_>>().len()
    };
    assert_eq!(threads(0), 1);
    assert_eq!(threads(1), 1);
    assert!((2..=3).contains(&threads(3)));
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/own-batch", model)]
struct OwnBatch;

impl Predict for OwnBatch {
    type Input = u64;
    type Output = u64;

    fn predict(&self, n: u64) -> larder::Result<u64> {
        Ok(n)
    }

    fn predict_batch(&self, inputs: Vec<u64>) -> larder::Result<Vec<u64>> {
        let sum = inputs.iter().sum();
        Ok(vec![sum; inputs.len()])
    }
}

#[test]
fn a_batch_of_the_models_own_is_what_runs() {
    let model = larder_of(&OwnBatch).load_model("it").unwrap();
    assert_eq!(model.predict_batch_json("[1, 2, 3]").unwrap(), "[6,6,6]");
}
