//! Sets in the order of their items.

use std::collections::HashSet;

use serde::{Serialize, Serializer};

/// Writes a `HashSet` in the order of its items.
///
/// Its own order differs each time it is loaded, and would make a new version each time it is applied.
///
/// ```
/// use std::collections::HashSet;
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct StopWords {
///     #[serde(serialize_with = "larder_serializers::sorted")] // `larder::serializers::sorted` in your program
///     words: HashSet<String>,
/// }
///
/// let words = ["the", "is", "a"].map(str::to_owned).into();
/// assert_eq!(serde_json::to_string(&StopWords { words }).unwrap(), r#"{"words":["a","is","the"]}"#);
/// ```
///
/// # Errors
/// Those of the serializer.
pub fn sorted<T, H, S>(set: &HashSet<T, H>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Ord + Serialize,
    S: Serializer,
{
    let mut items: Vec<&T> = set.iter().collect();
    items.sort();
    serializer.collect_seq(items)
}
