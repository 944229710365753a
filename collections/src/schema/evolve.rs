//! Evolution: new fields, wider numbers, new names.

use larder_core::{Error, Result};

use super::{Field, Schema};

impl Schema {
    /// Returns the schema that holds the rows of both: fields that are new are added, types are widened, and fields
    /// that list a former name are renamed.
    ///
    /// A field that `newer` lacks stays. A new field must be nullable or have a default, unless there are no rows yet.
    ///
    /// # Errors
    /// [`Error::Refused`] for a type that is not a wider one, and a new field without a value for the rows that are
    /// there.
    pub fn evolve(&self, newer: &Schema) -> Result<Schema> {
        self.merged(newer, true)
    }

    pub(crate) fn merged(&self, newer: &Schema, has_rows: bool) -> Result<Schema> {
        let refused = |field: &Field, reason: String| {
            let action = format!("change the field `{}`", field.name);
            Err(Error::Refused { action, reason })
        };
        let mut fields = self.fields.clone();
        for new in &newer.fields {
            let known = fields.iter().position(|old| {
                old.is_named(&new.name) || new.aliases.iter().any(|alias| old.is_named(alias))
            });
            let Some(at) = known else {
                if has_rows && !new.nullable && new.default.is_none() {
                    return refused(
                        new,
                        "rows that are there have no value for it; make it nullable or give it a default".into(),
                    );
                }
                fields.push(new.clone());
                continue;
            };
            let old = fields[at].clone();
            let mut merged = old.clone();
            if old.kind != new.kind && !new.kind.widens_to(&old.kind) {
                if !old.kind.widens_to(&new.kind) {
                    let reason = format!(
                        "it is a {}, which does not widen to {}; add a field with another name",
                        old.kind, new.kind
                    );
                    return refused(new, reason);
                }
                merged.kind = new.kind.clone();
            }
            merged.nullable |= new.nullable;
            if old.name != new.name && new.aliases.iter().any(|alias| old.is_named(alias)) {
                merged.aliases.push(std::mem::replace(&mut merged.name, new.name.clone()));
            }
            for alias in &new.aliases {
                if !merged.is_named(alias) {
                    merged.aliases.push(alias.clone());
                }
            }
            merged.default = new.default.clone().or(merged.default);
            merged.media_type = new.media_type.clone().or(merged.media_type);
            if new.serializer.is_some()
                && old.serializer.is_some()
                && new.serializer != old.serializer
            {
                return refused(new, "its bytes are written by another serializer".into());
            }
            merged.serializer = new.serializer.clone().or(merged.serializer);
            fields[at] = merged;
        }
        Schema::new(fields)
    }
}
