//! Values that a format refuses to write.

use std::sync::{Arc, Mutex};

use larder::serializers::{Bincode, Format, Json, MsgPack, Postcard};
use larder::store::with_causes;
use larder_testkit::within_limits;
use serde::{Deserialize, Serialize, Serializer};

use super::{Attacked, TIME, Value};

/// The results of an encoder, typed and by name.
#[track_caller]
fn not_written<T: Value>(format: impl Attacked + Format, value: &T) -> String {
    let typed = format.typed::<T>().encode(value).expect_err("it was written");
    let erased = format.erased::<T>().encode(value).expect_err("by name, it was written");
    let (typed, erased) = (with_causes(&*typed), with_causes(&*erased));
    assert_eq!(typed, erased, "both faces of a format say the same");
    typed
}

#[test]
fn formats_without_a_mark_for_some_refuse_to_write_what_would_become_none() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Layer {
        bias: Option<Option<f32>>,
    }
    let layers =
        vec![Layer { bias: None }, Layer { bias: Some(Some(1.0)) }, Layer { bias: Some(None) }];
    for said in [not_written(MsgPack, &layers), not_written(Json, &layers)] {
        assert!(said.contains("`Some(None)`") && said.contains("`[2].bias`"), "{said}");
    }
    not_written(MsgPack, &Some(()));
    not_written(Json, &Some(()));
    not_written(Json, &vec![None, Some(Some(Some(None::<u8>)))]);
}

/// A list that may lead back to where it began.
#[derive(Clone, Debug)]
struct Node(Arc<Mutex<Option<Node>>>);

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let next = self.0.try_lock().map(|next| next.clone()).expect("one thread, one lock");
        serializer.serialize_newtype_struct("Node", &next)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::new(Mutex::new(Option::deserialize(deserializer)?))))
    }
}

#[test]
fn every_format_refuses_to_write_a_cycle() {
    let said = within_limits(TIME, || {
        let node = Node(Arc::default());
        *node.0.lock().unwrap() = Some(node.clone());
        let said = [
            not_written(MsgPack, &node),
            not_written(Json, &node),
            not_written(Bincode, &node),
            not_written(Postcard, &node),
        ];
        *node.0.lock().unwrap() = None;
        said
    });
    for said in said {
        assert!(said.contains("cycle"), "{said}");
    }
}
