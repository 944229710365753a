//! Components: what a larder keeps.

use std::any::{Any, type_name};
use std::fmt;

use serde::de::DeserializeOwned;

use crate::model::{Model, Predict, Signature};
use crate::source::Source;

/// A value that a larder keeps.
///
/// Implemented by `#[derive(Component)]`, which also gives the type its hand-written tag and tells
/// the registry of it. Fields are written into the manifest as JSON; what is large or what JSON
/// cannot hold exactly goes into an [`Artifact`](crate::Artifact) field.
///
/// A `Box<dyn Component>` inside another value is written adjacently tagged:
/// `{"type": "acme/wine", "fields": {…}}`.
#[typetag::serde(tag = "type", content = "fields")]
pub trait Component: Any + Send + Sync {
    /// The component as a model, if it is one.
    fn as_model(&self) -> Option<&dyn Model> {
        None
    }
}

impl dyn Component {
    /// The tag of the component's type.
    pub fn type_tag(&self) -> &'static str {
        self.typetag_name()
    }
}

impl fmt::Debug for dyn Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({})", self.type_tag())
    }
}

/// A component type as it is known at compile time.
///
/// Implemented by `#[derive(Component)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no component",
    note = "add `#[derive(Serialize, Deserialize, Component)]` and `#[component(tag = \"acme/name\")]`; a \
            type from another crate goes into a field `Artifact<{Self}>` of a component of your own"
)]
pub trait ComponentType: Component + DeserializeOwned {
    /// The type's tag, written by hand and never changed.
    const TAG: &'static str;
    /// Its source text, if it is a code model.
    const SOURCE: Option<Source> = None;
}

type ReadComponent =
    fn(&mut dyn erased_serde::Deserializer<'_>) -> Result<Box<dyn Component>, erased_serde::Error>;

/// What the registry knows of a component type.
#[derive(Clone)]
pub struct TypeEntry {
    pub(crate) tag: &'static str,
    pub(crate) rust_type: &'static str,
    pub(crate) read: ReadComponent,
    pub(crate) signature: Option<fn() -> Signature>,
    pub(crate) source: Option<Source>,
    /// Whether it is a class model.
    pub(crate) class: bool,
}

impl TypeEntry {
    /// The entry of a component type.
    pub fn of<T: ComponentType>() -> Self {
        Self {
            tag: T::TAG,
            rust_type: type_name::<T>(),
            read: |deserializer| Ok(Box::new(erased_serde::deserialize::<T>(deserializer)?)),
            signature: None,
            source: T::SOURCE,
            class: false,
        }
    }

    /// The entry of a component type that is a model.
    pub fn of_model<T: ComponentType + Predict>() -> Self {
        Self { signature: Some(Signature::of::<T>), ..Self::of::<T>() }
    }

    /// The type's tag.
    pub fn tag(&self) -> &'static str {
        self.tag
    }

    /// The Rust type, for people.
    pub fn rust_type(&self) -> &'static str {
        self.rust_type
    }

    /// What it takes and gives, if it is a model.
    pub fn signature(&self) -> Option<Signature> {
        self.signature.map(|signature| signature())
    }

    /// Its source text as it is linked in, if it is a code model.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }
}

impl fmt::Debug for TypeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Type({} is {})", self.tag, self.rust_type)
    }
}
