//! Types that nobody here wrote: each is applied here, and answers the same in another process.
//!
//! That a value comes back equal says little: some types skip fields when they are serialized. So each of
//! them is asked.

use std::process::Command;

use larder::{ComponentType, Predict};
use larder_tests::third_party::{
    LinfaTree, NalgebraDistance, NdarrayMeans, PetgraphBridges, SmartcoreForest, flowers, species,
};
use serde::Serialize;

/// Applies the model, asks it here and in another process, and gives what both said.
fn asked_elsewhere<M>(model: &M, inputs: Vec<M::Input>) -> Vec<M::Output>
where
    M: ComponentType + Predict<Input: Serialize + Clone>,
{
    let here = model.predict_batch(inputs.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (scheme, path) in [("sqlite", "larder.db"), ("fs", "larder")] {
        let url = format!("{scheme}:{}", folder.path().join(path).display());
        let larder = larder::open(&url).unwrap();
        larder.apply("model", model).unwrap();
        assert!(!larder.apply("model", model).unwrap().is_created(), "the same is unchanged");

        let loaded: M = larder.load("model").unwrap();
        assert!(!larder.apply("model", &loaded).unwrap().is_created());

        let inputs = serde_json::to_string(&inputs).unwrap();
        let mut worker = Command::new(env!("CARGO_BIN_EXE_third_party"));
        let output = worker.args([&url, "model", &inputs]).output().unwrap();
        let (there, said) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{url}: {said}");
        // As text, so that numbers are the same to the last digit.
        assert_eq!(there.trim_end(), serde_json::to_string(&here).unwrap(), "{url}");
    }
    here
}

/// Number of correctly classified irises.
fn right<T: Into<i128> + Copy>(said: &[T]) -> usize {
    said.iter().zip(species()).filter(|(said, is)| (**said).into() == *is as i128).count()
}

#[test]
fn a_decision_tree_of_linfa_judges_the_same_in_another_process() {
    let said = asked_elsewhere(&LinfaTree::fit().unwrap(), flowers());
    let said: Vec<u64> = said.into_iter().map(|species| species as u64).collect();
    assert!(right(&said) > 140, "{} of 150", right(&said));
}

#[test]
fn a_random_forest_of_smartcore_judges_the_same_in_another_process() {
    let said = asked_elsewhere(&SmartcoreForest::fit().unwrap(), flowers());
    assert!(right(&said) > 140, "{} of 150", right(&said));
}

#[test]
fn an_array_of_ndarray_measures_the_same_in_another_process() {
    let said = asked_elsewhere(&NdarrayMeans::fit(), flowers());
    let nearest = |distances: &Vec<f64>| {
        (0..3_u64).min_by(|a, b| distances[*a as usize].total_cmp(&distances[*b as usize])).unwrap()
    };
    let nearest: Vec<u64> = said.iter().map(nearest).collect();
    assert!(right(&nearest) > 130, "{} of 150", right(&nearest));
}

#[test]
fn matrices_of_nalgebra_measure_the_same_in_another_process() {
    let said = asked_elsewhere(&NalgebraDistance::fit().unwrap(), flowers());
    // The mean of the squares is the number of measurements, whatever the data are.
    let mean = said.iter().map(|distance| distance * distance).sum::<f64>() / 150.0;
    assert!((mean - 4.0).abs() < 1e-9, "{mean}");
}

#[test]
fn a_graph_of_petgraph_finds_the_same_ways_in_another_process() {
    let lands = ["Altstadt", "Vorstadt", "Kneiphof", "Lomse"].map(str::to_owned).to_vec();
    let said = asked_elsewhere(&PetgraphBridges::build(), lands);
    assert_eq!(said[0]["Vorstadt"], 150.5, "over Kneiphof, by the shorter bridges");
    assert_eq!(said[1]["Lomse"], 100.1, "over Kneiphof, not by the direct bridge");
}
