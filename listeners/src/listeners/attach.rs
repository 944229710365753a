//! Attaching models, and creating indexes.

use std::collections::BTreeSet;
use std::sync::Arc;

use larder_collections::FieldType;
use larder_core::extend::Records as _;
use larder_core::{Applied, ApplyOptions, Error, Model, Ref, Reference, Result, VersionInfo};

use super::Listeners;
use super::fill::with_model;
use super::listener::{Kind, Listener, OUTPUTS, WHOLE_ROW, Work};
use super::outputs::{ModelVersion, Outputs};
use super::predict::{InputForm, Inputs, column_of, is_open, predict};
use super::source::Source;
use super::vectors::has_vectors;
use crate::nearest::Measure;

/// Rows that a model of unknown inputs is tried with.
const TRIED: usize = 8;

/// Options of [`Listeners::attach`].
#[derive(Debug, Clone, Default)]
pub struct AttachOptions {
    name: Option<String>,
    pin: bool,
    fills: Option<String>,
    limit: Option<u64>,
    paused: bool,
}

impl AttachOptions {
    /// Returns the defaults: the last part of the model's name, and the reference is followed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name of the listener, and of its outputs in `_outputs`.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Stays with the version that the reference names now.
    #[must_use]
    pub fn pin(self, pin: bool) -> Self {
        Self { pin, ..self }
    }

    /// Predicts for rows in which `field` is null; the outputs stand in for it, beside it.
    #[must_use]
    pub fn fills(self, field: impl Into<String>) -> Self {
        Self { fills: Some(field.into()), ..self }
    }

    /// Stops the back-fill once this many rows have an output.
    #[must_use]
    pub fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Attaches the model without running it, until it is attached again.
    #[must_use]
    pub fn paused(self, paused: bool) -> Self {
        Self { paused, ..self }
    }
}

/// Options of [`Listeners::index`].
#[derive(Debug, Clone, Default)]
pub struct IndexOptions {
    name: Option<String>,
    measure: Measure,
    compatible: Vec<Reference>,
}

impl IndexOptions {
    /// Returns the defaults: the name of the field, and the cosine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name of the index.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Sets the measure.
    #[must_use]
    pub fn measure(self, measure: Measure) -> Self {
        Self { measure, ..self }
    }

    /// Declares a model whose vectors may be compared with those of the index.
    #[must_use]
    pub fn compatible(mut self, model: Reference) -> Self {
        self.compatible.push(model);
        self
    }
}

/// The result of [`Listeners::attach`] and [`Listeners::index`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attached {
    /// The component, new or unchanged; its job computes the outputs.
    pub applied: Applied,
    /// The last part of its name.
    pub name: String,
    /// The fields that it reads.
    pub key: Vec<String>,
    /// The model; none for an index.
    pub model: Option<ModelVersion>,
}

impl Listeners {
    /// Attaches a model to fields of the collection: its outputs for the rows there are, and for those to come, are
    /// computed by jobs.
    ///
    /// `key` is a field, several fields, which become an object, `*` for whole rows, or `_outputs.NAME` for the outputs of
    /// another listener. Attaching under a name again replaces the listener; outputs of another model become stale until
    /// they are computed again.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the collection or the model; [`Error::NotAModel`]; [`Error::InvalidName`] for an unknown
    /// field; [`Error::Refused`] if the model cannot take the fields, or for a cycle; as
    /// [`Larder::apply`](larder_core::Larder::apply).
    pub fn attach(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        key: &[&str],
        options: &AttachOptions,
    ) -> Result<Attached> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let last =
            reference.identifier().as_str().rsplit('/').next().unwrap_or_default().to_owned();
        let name = options.name.clone().unwrap_or(last);
        let found = VersionInfo::new(reference.identifier(), &self.larder.find(&reference)?);
        let version = ModelVersion {
            name: found.identifier.clone(),
            version: found.version.get(),
            digest: found.digest,
        };
        let work = Work::Model {
            follow: !options.pin,
            model: Ref::to(version.reference()?)?,
            version,
            form: InputForm::Value,
            reference,
        };
        let listener = Listener {
            collection: self.collection.clone(),
            name,
            key: self.key(key)?,
            work,
            fills: options.fills.clone(),
            limit: options.limit,
            paused: options.paused,
        };
        self.refuse_cycle(&listener)?;
        let source = self.source(&listener)?;
        let listener = with_model(&self.larder, &listener, &found, &source)?;
        self.check_target(&listener, &source)?;
        let model = self.larder.load_model(found.reference())?;
        if !listener.paused {
            self.try_out(&listener, &*model, &source)?;
        }
        self.write(listener, &source, column_of(&model.signature().output))
    }

    /// Refuses a model that says nothing of its input and fails for each of the first rows.
    fn try_out(&self, listener: &Listener, model: &dyn Model, source: &Source) -> Result<()> {
        let Work::Model { version, form, .. } = &listener.work else { return Ok(()) };
        if !is_open(&model.signature().input) {
            return Ok(());
        }
        let Some(chunk) = source.scan(listener, 0, TRIED)?.next() else { return Ok(()) };
        let chunk = chunk?;
        let is_empty = chunk.empty(listener.takes_null());
        let (mut tried, mut column) = (0, None);
        let mut failure = None;
        for at in (0..chunk.rows.len()).filter(|at| !is_empty[*at]) {
            let one = chunk.slice(at, 1);
            let inputs = match (form, &*one.columns) {
                (InputForm::Value, [(_, column)]) => Inputs::Values(column),
                _ => Inputs::Objects(&one.columns, 1),
            };
            let mut failures = predict(model, inputs, &mut column)?.failures;
            let Some((_, reason)) = failures.pop() else { return Ok(()) };
            failure.get_or_insert(reason);
            tried += 1;
        }
        match failure {
            None => Ok(()),
            Some(reason) => Err(Error::Refused {
                action: format!("attach {version} to {}", self.collection),
                reason: format!(
                    "the model cannot take `{}`: it fails for the first {tried} rows there are: {reason}",
                    listener.key.join(", ")
                ),
            }),
        }
    }

    /// Creates an index of the vectors of a field, or of the outputs of a listener, by its name or as `_outputs.NAME`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the collection; [`Error::InvalidName`] for an unknown field; [`Error::Refused`] if it has no
    /// vectors; as [`Larder::apply`](larder_core::Larder::apply).
    pub fn index(&self, field: &str, options: &IndexOptions) -> Result<Attached> {
        let version = self.newest()?;
        let is_field = version.schema().position(field).is_ok();
        let listener = || self.find(Kind::Listener, field).is_ok();
        let field = match field {
            field if !is_field && !field.starts_with(OUTPUTS) && listener() => {
                format!("{OUTPUTS}{field}")
            }
            field => field.to_owned(),
        };
        let short = field.strip_prefix(OUTPUTS).unwrap_or(&field).to_owned();
        let listener = Listener {
            collection: self.collection.clone(),
            name: options.name.clone().unwrap_or(short),
            key: self.key(&[&field])?,
            work: Work::Index {
                measure: options.measure,
                width: None,
                compatible: options.compatible.clone(),
            },
            fills: None,
            limit: None,
            paused: false,
        };
        let source = self.source(&listener)?;
        for (name, kind) in source.fields(&self.larder, &listener)? {
            if !has_vectors(&kind) {
                let kind =
                    FieldType::of(&kind).map_or_else(|_| kind.to_string(), |it| it.to_string());
                return Err(Error::Refused {
                    action: format!("index `{name}` of {}", self.collection),
                    reason: format!("it is {kind}, and an index needs vectors or lists of numbers"),
                });
            }
        }
        self.write(listener, &source, None)
    }

    /// Applies the listener, which creates its job, and its outputs; they are of the type `column`, if it is known.
    fn write(
        &self,
        listener: Listener,
        source: &Source,
        column: Option<FieldType>,
    ) -> Result<Attached> {
        let model = match &listener.work {
            Work::Model { version, .. } => Some(version.clone()),
            Work::Index { .. } => None,
        };
        let (name, mut options) = (listener.outputs()?, ApplyOptions::new());
        if let Err(Error::NotFound { .. }) = self.larder.find(&name.clone().into()) {
            let mut outputs = Outputs::new(&listener, source.version());
            outputs.follow(model.clone(), column);
            options = options.beside(name, Arc::new(outputs));
        }
        let applied = self.larder.apply_with(listener.identifier()?, &listener, &options)?;
        let Listener { name, key, .. } = listener;
        Ok(Attached { applied, name, key, model })
    }

    fn source(&self, listener: &Listener) -> Result<Source> {
        self.source_of(listener)?.ok_or_else(|| self.no_collection())
    }

    pub(crate) fn no_collection(&self) -> Error {
        self.larder.not_found(&self.collection.clone().into())
    }

    /// Checks the names of a key.
    fn key(&self, key: &[&str]) -> Result<Vec<String>> {
        let refused = |reason: &str| Err(Error::invalid("key", &key.join(","), reason));
        if key.is_empty() {
            return refused("it names no field");
        }
        if key.len() > 1 && key.contains(&WHOLE_ROW) {
            return refused("`*` stands for all fields, so it stands alone");
        }
        let names: BTreeSet<_> = key.iter().collect();
        if names.len() < key.len() {
            return refused("it names a field twice");
        }
        for name in key.iter().filter_map(|field| field.strip_prefix(OUTPUTS)) {
            self.find(Kind::Listener, name)?;
        }
        Ok(key.iter().map(|field| (*field).to_owned()).collect())
    }

    /// Refuses a listener that reads its own outputs, through others or not.
    fn refuse_cycle(&self, listener: &Listener) -> Result<()> {
        let mut paths: Vec<Vec<String>> =
            listener.upstream().map(|name| vec![listener.name.clone(), name.to_owned()]).collect();
        let mut seen = BTreeSet::new();
        while let Some(path) = paths.pop() {
            let Some(last) = path.last() else { continue };
            if *last == listener.name {
                let path: Vec<_> = path.iter().map(|name| format!("`{name}`")).collect();
                return Err(Error::Refused {
                    action: format!("attach `{}` to {}", listener.name, listener.collection),
                    reason: format!(
                        "listeners cannot read each other in a cycle: {}",
                        path.join(" reads ")
                    ),
                });
            }
            if !seen.insert(last.clone()) {
                continue;
            }
            let (_, other) = self.find(Kind::Listener, last)?;
            for name in other.upstream() {
                let mut longer = path.clone();
                longer.push(name.to_owned());
                paths.push(longer);
            }
        }
        Ok(())
    }

    /// Refuses outputs that do not fit the field that they stand in for.
    fn check_target(&self, listener: &Listener, source: &Source) -> Result<()> {
        let (Some(target), Work::Model { version, .. }) = (&listener.fills, &listener.work) else {
            return Ok(());
        };
        let field = source.collection().schema().field(target)?.clone();
        let refused = |reason: String| Error::Refused {
            action: format!("attach {version} to {}", self.collection),
            reason,
        };
        if !field.nullable {
            return Err(refused(format!(
                "the field `{target}` is never null, so there is nothing to fill"
            )));
        }
        let signature = self.larder.load_model(version.reference()?)?.signature();
        match column_of(&signature.output) {
            Some(column)
                if !column.widens_to(&field.kind) && !both_numbers(&column, &field.kind) =>
            {
                Err(refused(format!(
                    "its output is {column}, and does not fit the field `{target}`, which is {}",
                    field.kind
                )))
            }
            _ => Ok(()),
        }
    }
}

/// An imputed number stands beside the field, so its width does not matter.
fn both_numbers(one: &larder_collections::FieldType, two: &larder_collections::FieldType) -> bool {
    one.arrow().is_numeric() && two.arrow().is_numeric()
}
