//! The component of a listener.

use larder_core::__private::typetag;
use larder_core::{
    BoxError, Component, ComponentType, Error, Identifier, Item, Ref, Reference, Result,
};
use larder_jobs::{Event, JobContext, Trigger, Triggers};
use serde::{Deserialize, Serialize};

use super::outputs::ModelVersion;
use super::predict::InputForm;
use crate::nearest::Measure;

/// A model that listens to a collection, or an index of its vectors: `larder/listener`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub(crate) collection: Identifier,
    /// The last part of its name.
    pub(crate) name: String,
    /// The fields that it reads; `_outputs.NAME` are the outputs of another listener.
    pub(crate) key: Vec<String>,
    pub(crate) work: Work,
    /// The field that its outputs stand in for, where it is null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fills: Option<String>,
    /// Maximum number of rows with an output before the back-fill stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
    /// Its jobs do nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) paused: bool,
}

/// The computation for a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Work {
    /// The prediction of a model.
    Model {
        /// The reference that was attached.
        #[serde(with = "text")]
        reference: Reference,
        /// True if it follows the reference; otherwise the version stays.
        follow: bool,
        /// The version that predicts.
        version: ModelVersion,
        /// The same, so that it is a child of the listener.
        model: Ref<dyn Component>,
        form: InputForm,
    },
    /// The vector of the only field, for an index.
    Index {
        measure: Measure,
        /// The length of its vectors; none before the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        width: Option<u32>,
        /// Models whose vectors may be compared with those of the index.
        #[serde(default, skip_serializing_if = "Vec::is_empty", with = "texts")]
        compatible: Vec<Reference>,
    },
}

/// A reference as its text.
mod text {
    use larder_core::Reference;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        value: &Reference,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Reference, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// References as their texts.
mod texts {
    use larder_core::Reference;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        values: &[Reference],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Reference>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
    }
}

/// The prefix of fields that are outputs of listeners.
pub(crate) const OUTPUTS: &str = "_outputs.";
/// The key of whole rows.
pub(crate) const WHOLE_ROW: &str = "*";
/// The event of a change of the collection.
pub(super) const CHANGE: &str = "change";
/// The event that fills what is missing, and repeats failed rows.
pub(super) const FILL: &str = "fill";

/// The target of a listener's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Listener,
    Index,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Listener, Self::Index];

    /// Returns the folder of components of this kind.
    pub(crate) fn folder(self, collection: &Identifier) -> String {
        match self {
            Self::Listener => format!("{collection}.listeners/"),
            Self::Index => format!("{collection}.indexes/"),
        }
    }

    /// Returns the name of the component.
    pub(crate) fn component(self, collection: &Identifier, name: &str) -> Result<Identifier> {
        check_name(name)?;
        format!("{}{name}", self.folder(collection)).parse()
    }

    /// Returns the name of the outputs.
    pub(crate) fn outputs(self, collection: &Identifier, name: &str) -> Result<Identifier> {
        check_name(name)?;
        match self {
            Self::Listener => format!("{collection}.outputs/{name}").parse(),
            Self::Index => format!("{collection}.vectors/{name}").parse(),
        }
    }
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    match name.contains('/') {
        true => Err(Error::invalid("name of a listener", name, "it has one part, without `/`")),
        false => Ok(()),
    }
}

impl Listener {
    pub(crate) fn kind(&self) -> Kind {
        match self.work {
            Work::Model { .. } => Kind::Listener,
            Work::Index { .. } => Kind::Index,
        }
    }

    /// Returns the name of its component.
    pub(crate) fn identifier(&self) -> Result<Identifier> {
        self.kind().component(&self.collection, &self.name)
    }

    /// Returns the name of its outputs.
    pub(crate) fn outputs(&self) -> Result<Identifier> {
        self.kind().outputs(&self.collection, &self.name)
    }

    /// Returns the listeners whose outputs it reads.
    pub(crate) fn upstream(&self) -> impl Iterator<Item = &str> {
        self.key.iter().filter_map(|field| field.strip_prefix(OUTPUTS))
    }

    /// Returns true if one of several fields may be null.
    pub(crate) fn takes_null(&self) -> bool {
        matches!(&self.work, Work::Model { form: InputForm::Object, .. })
    }

    pub(crate) fn is_whole_row(&self) -> bool {
        matches!(&*self.key, [only] if only == WHOLE_ROW)
    }

    /// Returns a text that differs when its outputs no longer are those of the same inputs.
    pub(super) fn definition(&self) -> String {
        let form = match &self.work {
            Work::Model { form, .. } => format!("{form:?}"),
            Work::Index { .. } => "Index".into(),
        };
        let fills = self.fills.as_deref().unwrap_or_default();
        format!("{form}({}) {fills}", self.key.join(", "))
    }
}

#[typetag::serde(name = "larder/listener")]
impl Component for Listener {}

impl ComponentType for Listener {
    const TAG: &'static str = "larder/listener";
}

impl Triggers for Listener {
    fn triggers() -> Vec<Trigger<Self>> {
        let run = |_: &Self, job: &JobContext| -> Result<super::FillReport, BoxError> {
            Ok(super::fill::run(job)?)
        };
        let mut trigger = Trigger::with_output("fill", run).on(Event::Apply).retries(2);
        for name in [CHANGE, FILL] {
            if let Ok(event) = Event::custom(name) {
                trigger = trigger.on(event);
            }
        }
        vec![trigger]
    }
}

larder_core::link!(Item::component::<Listener>());
larder_core::link!(larder_jobs::triggers::<Listener>());
