//! The indexes that somebody may search by meaning.

use arrow_schema::DataType;
use larder_access::Resource;
use larder_collections::Schema;
use larder_core::store::Action;
use larder_listeners::IndexInfo;
use larder_server::extend::{Context, Failure};

use super::handles::Handle;

/// An index to search.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) info: IndexInfo,
    /// True if it finds what is near to a text: its model reads one, and the user may run the model.
    pub(super) takes_text: bool,
}

impl Index {
    /// The name and what it finds, for people.
    pub(super) fn label(&self) -> String {
        match self.info.inputs.first() {
            Some(input) => format!("{} ({input})", self.info.name),
            None => format!("{} ({})", self.info.name, self.info.field),
        }
    }
}

/// Returns the indexes of a collection that the user may read.
pub(super) fn of(
    context: &Context,
    handle: &Handle,
    schema: &Schema,
) -> Result<Vec<Index>, Failure> {
    let mut all = handle.models.indexes()?;
    all.retain(|info| handle.may_read(context, "indexes", &info.name));
    let index = |info: IndexInfo| {
        let model = info.model.as_ref().map(|model| Resource::Name(model.name.clone()));
        let may_run = model.is_some_and(|model| context.may(Action::Predict, &model));
        // A model on a field of texts takes a text as it takes a row.
        let reads_text = matches!(&*info.inputs, [field] if is_text(schema, field));
        Index { takes_text: may_run && reads_text, info }
    };
    Ok(all.into_iter().map(index).collect())
}

fn is_text(schema: &Schema, field: &str) -> bool {
    schema.field(field).is_ok_and(|field| *field.kind.arrow() == DataType::Utf8)
}
