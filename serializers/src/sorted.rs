//! Sets in the order of their items.

use serde::{Serialize, Serializer};

/// Writes a set in the order of its items: for a `HashSet`, whose own order differs each time it is loaded, so that it
/// would be a new version each time it is applied.
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
pub fn sorted<'a, C, T, S>(set: &'a C, serializer: S) -> Result<S::Ok, S::Error>
where
    &'a C: IntoIterator<Item = &'a T>,
    T: Ord + Serialize + 'a,
    S: Serializer,
{
    let mut items: Vec<&T> = set.into_iter().collect();
    items.sort();
    serializer.collect_seq(items)
}
