//! The trainers on wines and flowers, against trivial baselines, on rows that they have not seen.

use serde_json::json;

use super::*;

/// Wines as rows; every fifth is held out.
fn wines() -> (Vec<Fields>, Vec<Fields>) {
    let wines = linfa_datasets::winequality();
    let names = [
        "acidity",
        "volatile",
        "citric",
        "sugar",
        "chlorides",
        "free",
        "sulfur",
        "density",
        "ph",
        "sulphates",
        "alcohol",
    ];
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    for (at, (record, quality)) in wines.records.rows().into_iter().zip(&wines.targets).enumerate()
    {
        let mut row = Fields::default();
        for (name, number) in names.iter().zip(record) {
            row.0.insert((*name).into(), json!(number));
        }
        row.0.insert("good".into(), json!(if *quality >= 6 { "good" } else { "poor" }));
        if at % 5 == 0 { valid.push(row) } else { train.push(row) }
    }
    (train, valid)
}

#[test]
fn a_class_is_imputed_better_than_by_the_most_frequent() {
    let (train, valid) = wines();
    let imputer = ClassImputer::train(&train, "good", None, 1).unwrap();
    let report = imputer.validate(&train, &valid).unwrap();
    assert_eq!(report.rows, 320);
    assert!(report.accuracy > report.baseline_accuracy + 0.15, "{report:?}");
    // The trees break ties by chance.
    let again = ClassImputer::train(&train, "good", None, 1).unwrap();
    let (one, two) = (imputer.impute(&valid), again.impute(&valid));
    let same = one.iter().zip(&two).filter(|(one, two)| one == two).count();
    assert!(same * 10 > valid.len() * 9, "{same}");
}

#[test]
fn a_number_is_imputed_better_than_by_the_mean() {
    let (train, valid) = wines();
    let imputer = NumberImputer::train(&train, "density", None).unwrap();
    let report = imputer.validate(&train, &valid).unwrap();
    assert!(report.rmse < 0.6 * report.baseline_rmse, "{report:?}");
}

#[test]
fn what_cannot_be_learnt_is_refused() {
    let (train, _) = wines();
    let error = NumberImputer::train(&train, "good", None).unwrap_err().to_string();
    assert!(error.contains("0 rows have a number in `good`"), "{error}");
    let Err(error) = ClassImputer::train(&train, "ph", None, 1) else { panic!("it was trained") };
    assert!(error.to_string().contains("no field"), "{error}");
}

/// The vectors of wines, and whether each is good.
fn vectors(rows: &[Fields]) -> Vec<(Vec<f32>, String)> {
    let number = |value: &serde_json::Value| value.as_f64().map(|number| number as f32);
    let row = |row: &Fields| {
        let label = row.get("good").unwrap().as_str().unwrap().to_owned();
        (row.0.values().filter_map(number).collect(), label)
    };
    rows.iter().map(row).collect()
}

#[test]
fn a_projection_finds_more_of_what_belongs_together_than_plain_vectors() {
    let (train, valid) = wines();
    let (train, valid) = (vectors(&train), vectors(&valid));
    let pairs = train.iter().zip(train.iter().skip(1)).filter(|(a, b)| a.1 == b.1);
    let projection = Projection::train(pairs.map(|(a, b)| (&*a.0, &*b.0))).unwrap();
    let valid: Vec<(&[f32], &str)> = valid.iter().map(|(v, label)| (&**v, &**label)).collect();
    let report = projection.validate(&valid).unwrap();
    assert!(report.precision > report.baseline_precision + 0.03, "{report:?}");
}

#[test]
fn vectors_that_do_not_fit_a_projection_are_refused() {
    assert!(Projection::train([]).is_err());
    let error = Projection::train([(&[1.0, 2.0][..], &[1.0][..])]).unwrap_err().to_string();
    assert!(error.contains("several lengths"), "{error}");
    let error = Projection::train([(&[f32::NAN][..], &[1.0][..])]).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
    let projection = Projection::train([(&[1.0, 2.0][..], &[1.5, 2.0][..])]).unwrap();
    assert!(projection.predict_one(&[1.0]).is_err());
}

impl Projection {
    fn predict_one(&self, vector: &[f32]) -> larder_core::Result<Vec<f32>> {
        larder_core::Predict::predict(self, vector.to_vec())
    }
}

/// The jobs of training components, on a larder in memory.
mod jobs {
    use std::num::NonZeroUsize;

    use larder_collections::{Fold, Insert, LarderCollections, Scan};
    use larder_core::{Error, Larder, Registry};
    use larder_jobs::{LarderJobs, Worker};
    use larder_listeners::{AttachOptions, LarderListeners, OutputStatus, PinnedCollection};
    use serde_json::{Map, Value, json};

    use crate::{Imputer, LookUp, Neighbours, Pairs, TrainReport, TrainingData};

    /// A larder with 1,599 wines, of which every tenth lacks its class.
    fn wines() -> Larder {
        let larder = Registry::linked().unwrap().open("memory:").unwrap();
        let (train, valid) = super::wines();
        let rows = train.into_iter().chain(valid).enumerate().map(|(at, row)| {
            let mut row: Map<String, Value> = row.0.into_iter().collect();
            row.insert("id".into(), json!(at));
            if at % 10 == 3 {
                row.insert("good".into(), Value::Null);
            }
            Ok(row)
        });
        let collection = larder.untyped_collection("wines").unwrap();
        collection.insert_json(rows, Insert::new().key("id").valid_permille(200)).unwrap();
        larder
    }

    fn report(larder: &Larder, name: &str) -> TrainReport {
        let jobs = larder.jobs().wait(&larder.show(format!("{name}@1")).unwrap().version).unwrap();
        serde_json::from_str(jobs[0].output.as_ref().unwrap().get()).unwrap()
    }

    fn data() -> TrainingData {
        TrainingData::new("wines".parse().unwrap()).seed(7)
    }

    #[test]
    fn an_imputer_is_trained_published_and_attached() {
        let larder = wines();
        larder.apply("quality", &Imputer::new(data().filter("alcohol > 0"), "good")).unwrap();
        let report = report(&larder, "quality");
        assert_eq!(report.version, "quality@2");
        assert!(
            report.metrics["accuracy"] > report.metrics["baseline_accuracy"] + 0.1,
            "{report:?}"
        );
        let trained: Imputer = larder.load("quality").unwrap();
        let on = trained.trained_on().unwrap();
        assert_eq!((on.version.get(), &*on.fold, on.seed, on.rows), (1, "train", 7, report.rows));
        assert_eq!(on.filter.as_deref(), Some("alcohol > 0"));
        assert!(on.job.starts_with("quality@1"), "{}", on.job);
        let users = larder.used_by("wines@1").unwrap();
        assert!(users.iter().any(|user| user.reference().to_string() == "quality@2"));
        let shown = larder.show("quality@2").unwrap();
        assert_eq!(shown.annotations.metrics["accuracy"], report.metrics["accuracy"]);

        let listeners = larder.listeners("wines").unwrap();
        let options = AttachOptions::new().fills("good");
        let attached = listeners.attach("quality", &["*"], &options).unwrap();
        larder.jobs().wait(&attached.applied).unwrap();
        let (mut imputed, mut left) = (0, 0);
        listeners
            .for_each_output("quality", |row| {
                match row.status {
                    OutputStatus::Ok => {
                        assert!(row.imputed && row.output.is_string());
                        imputed += 1;
                    }
                    _ => left += 1,
                }
                Ok::<_, Error>(true)
            })
            .unwrap();
        assert_eq!((imputed, left), (160, 1_439));

        // New rows, and a model that has seen them.
        let fired = larder.jobs().fire("quality", "retrain", ()).unwrap();
        larder.jobs().wait(&fired).unwrap();
        assert_eq!(
            larder.load::<Imputer>("quality").unwrap().trained_on().unwrap().version.get(),
            1
        );
        assert!(larder.show("quality.checkpoint").is_err(), "checkpoints are removed");

        // Only rows with an output of the newest model.
        Worker::new(&larder).drain().unwrap();
        let data = data().filter("_status.quality = 'ok' and alcohol > 0");
        larder.apply("density", &Imputer::new(data, "density")).unwrap();
        let scan = Scan::new().fold(Fold::Train).filter("not has good".parse().unwrap());
        let rows = larder.untyped_collection("wines").unwrap().latest().unwrap();
        assert_eq!(self::report(&larder, "density").rows, rows.count(&scan).unwrap());
    }

    #[test]
    fn new_rows_train_again_once_there_are_enough() {
        let larder = wines();
        let imputer = Imputer::new(data().every(100), "density");
        let applied = larder.apply("density", &imputer).unwrap();
        larder.jobs().wait(&applied).unwrap();
        larder.listeners("wines").unwrap().watch("density", "retrain").unwrap();
        let wines = larder.untyped_collection("wines").unwrap();
        let rows = |ids: std::ops::Range<u64>| {
            let row = |id| json!({"id": id, "alcohol": 9.0 + id as f64 / 1e3, "density": 0.99});
            let rows: Vec<Value> = ids.map(row).collect();
            rows.into_iter().map(|row| Ok(row.as_object().unwrap().clone())).collect::<Vec<_>>()
        };
        let trained = || {
            Worker::new(&larder).drain().unwrap();
            larder.load::<Imputer>("density").unwrap().trained_on().unwrap().version.get()
        };
        wines.insert_json(rows(2_000..2_060), Insert::new()).unwrap();
        assert_eq!((trained(), larder.show("density").unwrap().version.version.get()), (1, 2));
        wines.insert_json(rows(2_060..2_120), Insert::new()).unwrap();
        assert_eq!((trained(), larder.show("density").unwrap().version.version.get()), (3, 3));
        // A compaction changes no row.
        let compacted = wines.compact().unwrap().info().version.get();
        assert_eq!((trained(), compacted), (3, 4));
        assert_eq!(larder.show("density").unwrap().version.version.get(), 3);
    }

    #[test]
    fn a_number_is_imputed_and_a_field_of_another_type_is_refused() {
        let larder = wines();
        larder.apply("density", &Imputer::new(data(), "density")).unwrap();
        let report = report(&larder, "density");
        assert!(report.metrics["rmse"] < 0.6 * report.metrics["baseline_rmse"], "{report:?}");
        larder.apply("none", &Imputer::new(data(), "colour")).unwrap();
        let version = larder.show("none@1").unwrap().version;
        let job = larder.jobs().wait(&version);
        assert!(format!("{:?}", job.unwrap_err()).contains("colour"));
    }

    #[test]
    fn a_projection_is_learnt_and_better_than_none() {
        let larder = wines();
        let vector = ["alcohol", "volatile", "sulphates", "free", "sulfur", "acidity"];
        let vector = vector.map(str::to_owned).to_vec();
        let pairs = Pairs::Label { vector, label: "good".into() };
        larder.apply("look", &LookUp::new(data(), pairs)).unwrap();
        let report = report(&larder, "look");
        let (precision, baseline) =
            (report.metrics["precision"], report.metrics["baseline_precision"]);
        assert!(precision > baseline, "{report:?}");
        let model = larder.load_model("look").unwrap();
        let projected = model.predict_json("[10, 0.5, 0.6, 20, 40, 8]").unwrap();
        assert_eq!(serde_json::from_str::<Vec<f32>>(&projected).unwrap().len(), 6);
    }

    #[test]
    fn neighbours_read_the_database_when_they_are_set_up() {
        let larder = wines();
        let rows = PinnedCollection::to("wines").unwrap();
        let model = Neighbours::new(rows, "good", NonZeroUsize::new(7).unwrap());
        larder.apply("near", &model).unwrap();
        let (train, valid) = super::wines();
        let model = larder.load_model("near").unwrap();
        let is_right = |row: &&crate::Fields| {
            let input = serde_json::to_string(row).unwrap();
            let output: Value = serde_json::from_str(&model.predict_json(&input).unwrap()).unwrap();
            Some(&output) == row.get("good")
        };
        let right = valid.iter().take(100).filter(is_right).count();
        assert!(right > 70, "{right} of 100");
        assert!(larder.remove("wines@1").is_err(), "the version is used");
        let _ = train;
    }
}
