//! Tensors in a larder: what versions share, what is read, and one serializer after the other.

use std::collections::BTreeMap;

use larder::Error;
use larder::prelude::*;
use larder::serializers::{SafeTensors, Tensor, Tensors};
use larder::store::{Digest, StoreExt};

use super::{every_kind, noisy, same, told};

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/shared")]
struct Shared {
    weights: Artifact<Tensors>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/one-file")]
struct OneFile {
    weights: Artifact<Tensors, SafeTensors>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/direct")]
struct Direct {
    weights: Tensors,
}

fn larders(folder: &tempfile::TempDir) -> [Larder; 3] {
    let place = |name: &str| folder.path().join(name).display().to_string();
    [
        larder::open(&format!("fs:{}", place("folder"))).unwrap(),
        larder::open(&format!("sqlite:{}", place("larder.db"))).unwrap(),
        larder::open("memory:").unwrap(),
    ]
}

/// Every blob with its size.
fn blobs(larder: &Larder) -> BTreeMap<Digest, u64> {
    larder.store().blobs().map(Result::unwrap).collect()
}

const KIB_256: usize = 256 << 10;

/// A hundred tensors of 256 KiB.
fn hundred() -> Tensors {
    let names: Vec<_> = (0..100).map(|layer| format!("layers.{layer:02}.weight")).collect();
    noisy(&names.iter().map(String::as_str).collect::<Vec<_>>(), KIB_256)
}

/// A tensor like the one that is there, but for one number.
fn tuned(tensor: &Tensor) -> Tensor {
    let mut numbers = tensor.as_slice::<u32>().unwrap().to_vec();
    numbers[7] ^= 1;
    Tensor::from_vec(tensor.shape(), numbers).unwrap()
}

#[test]
fn a_second_version_with_one_of_a_hundred_tensors_changed_writes_a_hundredth() {
    let folder = tempfile::tempdir().unwrap();
    for larder in larders(&folder) {
        larder.apply("base", &Shared { weights: hundred().into() }).unwrap();
        let before = blobs(&larder);
        let first: u64 = before.values().sum();
        assert!(first > 100 * KIB_256 as u64);

        let mut model: Shared = larder.load("base").unwrap();
        let weights = model.weights.get_mut().unwrap();
        let changed = tuned(weights.tensor("layers.42.weight").unwrap());
        weights.insert("layers.42.weight", changed);
        assert!(larder.apply("base", &model).unwrap().is_created());

        let after = blobs(&larder);
        let fresh: u64 =
            after.iter().filter(|(d, _)| !before.contains_key(d)).map(|(_, n)| n).sum();
        assert!(fresh >= KIB_256 as u64, "the changed tensor is written");
        assert!(fresh * 100 <= first + first / 3, "{fresh} of {first} bytes were written anew");

        // Nothing but the tensor that was changed has been read on the way.
        let weights = model.weights.get().unwrap();
        let read: Vec<_> =
            weights.iter().filter(|(_, t)| t.is_read()).map(|(name, _)| name).collect();
        assert_eq!(read, ["layers.42.weight"]);

        // Both versions are whole.
        let (old, new): (Shared, Shared) =
            (larder.load("base@1").unwrap(), larder.load("base@2").unwrap());
        assert!(same(old.weights.get().unwrap(), &hundred()));
        assert!(!same(new.weights.get().unwrap(), &hundred()));
    }
}

#[test]
fn tensors_made_anew_share_the_blobs_of_equal_ones() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("base", &Shared { weights: hundred().into() }).unwrap();
    let before = blobs(&larder).len();
    let mut again = hundred();
    let changed = tuned(again.tensor("layers.00.weight").unwrap());
    again.insert("layers.00.weight", changed);
    larder.apply("base", &Shared { weights: again.into() }).unwrap();
    assert_eq!(blobs(&larder).len() - before, 3, "a tensor, the list of tensors, the manifest");
    let unchanged = Shared { weights: larder.load::<Shared>("base").unwrap().weights };
    assert!(!larder.apply("base", &unchanged).unwrap().is_created());
}

#[test]
fn one_tensor_is_read_without_the_others() {
    let folder = tempfile::tempdir().unwrap();
    for larder in larders(&folder) {
        let original = noisy(&["a", "b"], 100_000);
        larder.apply("two", &Shared { weights: original.clone().into() }).unwrap();
        // The bytes of `b` are gone.
        let b = Digest::of(original.tensor("b").unwrap().bytes().unwrap());
        larder.store().remove_blobs(&[b]).unwrap();

        let two: Shared = larder.load("two").unwrap();
        let weights = two.weights.get().unwrap();
        assert_eq!(weights.tensor("a").unwrap().bytes().unwrap().len(), 100_000);
        assert_eq!(weights.tensor("b").unwrap().shape(), [25_000], "what it is, is known");
        let error = weights.tensor("b").unwrap().as_slice::<u32>().unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}

#[test]
fn small_tensors_stand_in_the_list_and_large_ones_are_blobs() {
    let larder = larder::open("memory:").unwrap();
    let mut tensors = noisy(&["at most"], 64 << 10);
    larder.apply("small", &Shared { weights: tensors.clone().into() }).unwrap();
    assert_eq!(larder.show("small").unwrap().manifest.artifacts().len(), 1);

    tensors.insert("above", vec![0_u8; (64 << 10) + 1]);
    larder.apply("small", &Shared { weights: tensors.clone().into() }).unwrap();
    let shown = larder.show("small").unwrap();
    let [tensor, list] = shown.manifest.artifacts() else { panic!("{:?}", shown.manifest) };
    assert_eq!((tensor.serializer.as_str(), tensor.size), ("bytes", (64 << 10) + 1));
    assert_eq!((list.serializer.as_str(), &list.holds[..]), ("msgpack-named", &[0][..]));
    assert!(same(larder.load::<Shared>("small").unwrap().weights.get().unwrap(), &tensors));
}

#[test]
fn every_kind_comes_back_from_every_store_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = every_kind();
    tensors.insert("large", vec![0.5_f64; 20_000]);
    for larder in larders(&folder) {
        larder.apply("shared", &Shared { weights: tensors.clone().into() }).unwrap();
        larder.apply("file", &OneFile { weights: tensors.clone().into() }).unwrap();
        larder.apply("direct", &Direct { weights: tensors.clone() }).unwrap();
        let shared: Shared = larder.load("shared").unwrap();
        let file: OneFile = larder.load("file").unwrap();
        let direct: Direct = larder.load("direct").unwrap();
        for read in [shared.weights.get().unwrap(), file.weights.get().unwrap(), &direct.weights] {
            assert!(same(read, &tensors), "{read:?}");
            let [complex, ..] = read.tensor("c64").unwrap().as_slice::<[f32; 2]>().unwrap() else {
                panic!("`c64` has elements");
            };
            assert_eq!(complex, &[1.0, -1.0]);
            assert_eq!(read.tensor("large").unwrap().as_slice::<f64>().unwrap()[19_999], 0.5);
        }
        assert!(!larder.apply("direct", &direct).unwrap().is_created());
        assert!(!larder.apply("file", &file).unwrap().is_created());
    }
}

#[test]
fn the_blob_of_one_file_is_the_file() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("file", &OneFile { weights: every_kind().into() }).unwrap();
    let shown = larder.show("file").unwrap();
    let [entry] = shown.manifest.artifacts() else { panic!("{:?}", shown.manifest) };
    assert_eq!(entry.serializer, "safetensors");
    let expected = include_bytes!("../../../fixtures/tensors/larder.safetensors");
    assert_eq!(entry.digest, Digest::of(expected));
}

#[test]
fn equal_tensors_are_an_unchanged_version_with_metadata_too() {
    let larder = larder::open("memory:").unwrap();
    for round in 0..20 {
        let mut tensors = every_kind();
        for key in 0..16 {
            tensors.metadata_mut().insert(format!("key {key}"), "value".into());
        }
        let file = OneFile { weights: tensors.clone().into() };
        assert_eq!(larder.apply("file", &file).unwrap().is_created(), round == 0);
        let shared = Shared { weights: tensors.into() };
        assert_eq!(larder.apply("shared", &shared).unwrap().is_created(), round == 0);
    }
}

/// The same type by another serializer: a field whose mind was changed.
mod changed_mind {
    use super::*;

    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "tests/mind")]
    struct Before {
        weights: Artifact<Tensors>,
    }

    #[test]
    fn what_one_serializer_wrote_is_read_by_a_field_of_the_other() {
        let larder = larder::open("memory:").unwrap();
        let mut tensors = every_kind();
        tensors.insert("large", vec![1_u8; 100_000]);
        let chosen = Before { weights: Artifact::named("safetensors", tensors.clone()) };
        larder.apply("mind", &chosen).unwrap();
        assert!(same(larder.load::<Before>("mind").unwrap().weights.get().unwrap(), &tensors));

        let chosen = OneFile { weights: Artifact::named("msgpack-named", tensors.clone()) };
        larder.apply("file", &chosen).unwrap();
        assert_eq!(larder.show("file").unwrap().manifest.artifacts().len(), 2);
        assert!(same(larder.load::<OneFile>("file").unwrap().weights.get().unwrap(), &tensors));
    }
}

#[test]
fn mapped_tensors_are_lent_without_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let larder = larder::open(&format!("fs:{}", folder.path().display())).unwrap();
    larder.apply("shared", &Shared { weights: noisy(&["a"], 1 << 20).into() }).unwrap();
    let shared: Shared = larder.load("shared").unwrap();
    let tensor = shared.weights.get().unwrap().tensor("a").unwrap();
    let numbers = tensor.as_slice::<u32>().unwrap().as_ptr();
    assert!(numbers.addr().is_multiple_of(4096), "a mapped blob begins at a page");
}

#[test]
fn a_blob_of_another_size_than_its_tensor_is_an_error_when_it_is_read() {
    let mut forged = serde_json::to_value(noisy(&["a"], 400)).unwrap();
    forged["tensors"]["a"]["shape"] = serde_json::json!([101]);
    let forged: Tensors = serde_json::from_value(forged).unwrap();
    let error = forged.tensor("a").unwrap().as_slice::<u32>().unwrap_err();
    assert!(told(&error).contains("404 bytes") && told(&error).contains("400"), "{error}");
}
