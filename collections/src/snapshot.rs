//! The state of a collection at one version: a component of the type `larder/collection`.

use larder_core::{Component, ComponentType, Error, Item, Result};
use serde::{Deserialize, Serialize};

use crate::fragment::Fragment;
use crate::schema::Schema;

/// Default share of the rows that validate, in thousandths.
pub(crate) const VALID_PERMILLE: u16 = 100;

/// A version of a collection, as it is stored.
///
/// Programs read it through [`CollectionVersion`](crate::CollectionVersion).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Snapshot {
    pub(crate) schema: Schema,
    /// The field that names rows.
    pub(crate) key: Option<String>,
    /// The share of the fold `valid`, in thousandths.
    pub(crate) valid_permille: u16,
    /// The id of the next new row.
    pub(crate) next_id: u64,
    /// The number of writes so far.
    pub(crate) writes: u64,
    /// Rows that are not deleted.
    pub(crate) rows: u64,
    /// Ordered by the first row id.
    pub(crate) fragments: Vec<Fragment>,
}

/// A stored snapshot before validation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    schema: Schema,
    key: Option<String>,
    valid_permille: u16,
    next_id: u64,
    writes: u64,
    rows: u64,
    fragments: Vec<Fragment>,
}

impl TryFrom<Fields> for Snapshot {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Self> {
        let Fields { schema, key, valid_permille, next_id, writes, rows, fragments } = fields;
        if let Some(key) = &key {
            schema.position(key)?;
        }
        let wrong = |reason: &str| Err(Error::invalid("collection", "", reason));
        for fragment in &fragments {
            let deleted = fragment.deleted.as_ref().map_or(0, |deleted| deleted.rows);
            let span = fragment.last_id.checked_sub(fragment.first_id);
            if fragment.rows == 0 || fragment.rows > u64::from(u32::MAX) || deleted > fragment.rows
            {
                return wrong("the number of rows of a fragment is impossible");
            }
            if fragment.last_id >= next_id || span.is_none_or(|span| span < fragment.rows - 1) {
                return wrong("the row ids of a fragment are impossible");
            }
            if fragment.first_write > fragment.last_write || fragment.last_write > writes {
                return wrong("the writes of a fragment are impossible");
            }
        }
        if fragments.iter().map(Fragment::live).sum::<u64>() != rows {
            return wrong("its fragments have another number of rows than it has");
        }
        Ok(Self { schema, key, valid_permille, next_id, writes, rows, fragments })
    }
}

impl Snapshot {
    /// Creates a collection without rows.
    pub(crate) fn empty(schema: Schema, key: Option<String>, valid_permille: u16) -> Result<Self> {
        if let Some(key) = &key {
            let field = schema.field(key)?;
            let reason = match field {
                field if field.nullable => "it may be null",
                field if !field.kind.can_be_key() => {
                    "keys are integers, texts, bytes, dates or timestamps"
                }
                _ => "",
            };
            if !reason.is_empty() {
                return Err(Error::invalid("key", key, reason));
            }
        }
        if valid_permille > 1_000 {
            let reason = "it is a share in thousandths, from 0 to 1000";
            return Err(Error::invalid(
                "share of the fold valid",
                &valid_permille.to_string(),
                reason,
            ));
        }
        let (next_id, writes, rows) = (0, 0, 0);
        Ok(Self { schema, key, valid_permille, next_id, writes, rows, fragments: Vec::new() })
    }

    /// Returns the position of the key in the schema.
    pub(crate) fn key_at(&self) -> Option<usize> {
        let key = self.key.as_ref()?;
        self.schema.fields().iter().position(|field| field.name == *key)
    }
}

#[typetag::serde(name = "larder/collection")]
impl Component for Snapshot {}

impl ComponentType for Snapshot {
    const TAG: &'static str = "larder/collection";
}

larder_core::link!(Item::component::<Snapshot>());
