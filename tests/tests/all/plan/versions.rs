//! Two versions that are there.

use larder::maintenance::LarderMaintenance;
use std::sync::Arc;

use larder::Reference;
use larder::serializers::{Tensor, Tensors};

use super::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/numbers")]
struct Numbers {
    numbers: Vec<u64>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/trained")]
struct Trained {
    weights: Artifact<Tensors>,
}

#[test]
fn a_diff_needs_no_type_and_no_blob_but_the_manifests() {
    let store = MemoryStore::new();
    let writer = Larder::new(Arc::new(store.clone()), Registry::linked().unwrap());
    writer.apply("planned", &Planned::new(0.5, 7)).unwrap();
    writer.apply("planned", &Planned::new(0.6, 7)).unwrap();
    let manifests: Vec<_> =
        writer.versions("planned").unwrap().iter().map(|version| version.digest).collect();
    let mut others: Vec<_> = store.blobs().map(|blob| blob.unwrap().0).collect();
    others.retain(|digest| !manifests.contains(digest));
    writer.store().remove_blobs(&others).unwrap();

    let reader = Larder::new(Arc::new(store), Registry::new());
    let diff = reader.diff("planned@1", "planned@2").unwrap();
    assert_eq!(told(&diff), ["changed rate", "same title", "same weights", "same parts"]);
    assert_eq!((&diff.fields[0].old, &diff.fields[0].new), (&json("0.5"), &json("0.6")));
    let same = reader.diff("planned", "planned@2").unwrap();
    assert!(same.is_same() && same.changes().next().is_none(), "{same:?}");
}

#[test]
fn a_diff_of_what_is_not_there_says_which() {
    let larder = larder();
    larder.apply("planned", &Planned::new(0.5, 7)).unwrap();
    let there: Reference = "planned".parse().unwrap();
    for (old, new) in [("planned", "planned@9"), ("planned@9", "planned")] {
        let error = larder.diff(old, new).unwrap_err();
        let Error::NotFound { reference, .. } = &error else { panic!("{error:?}") };
        assert_eq!(reference, "planned@9");
    }
    larder.remove("planned@1").unwrap();
    assert!(matches!(larder.diff(&there, &there), Err(Error::NotFound { .. })));
}

#[test]
fn versions_of_two_types_are_compared_too() {
    let larder = larder();
    larder.apply("planned", &Planned::new(0.5, 7)).unwrap();
    larder.apply("numbers", &Numbers { numbers: vec![1, 2] }).unwrap();
    let diff = larder.diff("planned", "numbers").unwrap();
    assert_eq!(diff.old.as_ref().unwrap().type_tag.as_str(), "tests/planned");
    assert_eq!(diff.new.type_tag.as_str(), "tests/numbers");
    assert_eq!(
        told(&diff),
        [
            "added numbers",
            "removed rate",
            "removed title",
            "removed weights",
            "removed parts[0]",
            "removed parts[1]"
        ]
    );
}

#[test]
fn a_few_items_of_a_list_are_told_one_by_one_and_many_as_one() {
    let larder = larder();
    let apply = |numbers: Vec<u64>| {
        larder.apply("numbers", &Numbers { numbers }).unwrap().version().version
    };
    apply((0..1_000).collect());
    let mut few: Vec<_> = (0..1_000).collect();
    few[500] = 7;
    few.remove(400);
    apply(few.clone());
    let diff = larder.diff("numbers@1", "numbers@2").unwrap();
    assert_eq!(told(&diff), ["changed numbers"], "a hundred numbers moved up by one");
    few.insert(400, 400);
    few.truncate(998);
    few.push(7);
    apply(few);
    let diff = larder.diff("numbers@1", "numbers@3").unwrap();
    let paths = ["changed numbers[500]", "changed numbers[998]", "removed numbers[999]"];
    assert_eq!(told(&diff), paths);
    assert_eq!((&diff.fields[0].old, &diff.fields[0].new), (&json("500"), &json("7")));
}

#[test]
fn long_lists_take_no_longer_than_reading_them_and_what_is_told_is_bounded() {
    let larder = larder();
    let size = 300_000;
    let numbers = (0..size).collect();
    larder.apply("numbers", &Numbers { numbers }).unwrap();
    let numbers = (0..size).map(|number| if number == 0 { 1 } else { number ^ 1 }).collect();
    larder.apply("numbers", &Numbers { numbers }).unwrap();
    let numbers = (1..size).collect();
    larder.apply("numbers", &Numbers { numbers }).unwrap();
    let start = std::time::Instant::now();
    for (old, new) in [("numbers@1", "numbers@2"), ("numbers@1", "numbers@3")] {
        let diff = larder.diff(old, new).unwrap();
        assert_eq!(diff.counts.differing(), 1, "{:?}", diff.counts);
        let text = format!("{:?}", diff.fields);
        assert!(text.len() < 1_000, "{} bytes", text.len());
    }
    // In a debug build on a busy machine; a comparison of all with all takes hours.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn of_tensors_it_is_said_how_many_bytes_are_shared() {
    let larder = larder();
    let tensor = |number: f32| Tensor::from_vec([50_000], vec![number; 50_000]).unwrap();
    let tensors = |third: f32| -> Tensors {
        [("a", 1.0), ("b", 2.0), ("c", third)]
            .map(|(name, number)| (name.to_owned(), tensor(number)))
            .into_iter()
            .collect()
    };
    larder.apply("trained", &Trained { weights: Artifact::new(tensors(3.0)) }).unwrap();
    let trained = Trained { weights: Artifact::new(tensors(4.0)) };
    let plan = larder.plan("trained", &trained).unwrap();
    assert!(plan.stored >= 200_000 && plan.stored < 210_000, "{}", plan.stored);
    larder.apply("trained", &trained).unwrap();
    let diff = larder.diff("trained@1", "trained@2").unwrap();
    assert_eq!(told(&diff), ["changed weights"]);
    assert_eq!(diff.fields[0].shared, Some(400_000));
    let Some(FieldValue::Artifact { size, held, .. }) = &diff.fields[0].new else {
        panic!("{diff:?}")
    };
    assert!(*size < 1_000 && *held == 600_000, "{size} and {held}");
    assert_eq!(diff.bytes.both, 400_000);
    assert_eq!(diff, plan.diff);
}
