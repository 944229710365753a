//! The trainers on wines and flowers, against trivial baselines, on rows that they have not seen.

use serde_json::json;

use super::*;

/// Wines as rows; every fifth is held out.
fn wines() -> (Vec<Fields>, Vec<Fields>) {
    let wines = linfa_datasets::winequality();
    let names = ["acidity", "volatile", "citric", "sugar", "chlorides", "free", "sulfur", "density", "ph", "sulphates", "alcohol"];
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    for (at, (record, quality)) in wines.records.rows().into_iter().zip(&wines.targets).enumerate() {
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
