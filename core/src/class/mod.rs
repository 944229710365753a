//! Class models: models that are built from files when they are loaded.

mod cache;
mod run;

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize, Serializer};

pub(crate) use cache::Cache;
pub use run::Run;

use crate::component::{Component, TypeEntry, no_migration};
use crate::error::{Error, Result};
use crate::larder::Larder;
use crate::model::{Model, Predict, Signature};
use crate::reference::Reference;
use crate::registry::Built;
use crate::tree::Tree;

/// A model that is built from files.
///
/// Kept is not a value but the class, by its tag, and the files and folders that it is built from. It
/// is made known by [`link!`](crate::link) with [`Item::class`](crate::Item::class), and kept by a
/// [`Run`].
///
/// ```
/// use larder_core::{Artifacts, ClassModel, Error, Item, Predict, Registry, Result};
///
/// struct Greeter(String);
///
/// impl ClassModel for Greeter {
///     const TAG: &'static str = "acme/greeter";
///     const ARTIFACTS: &'static [&'static str] = &["greeting"];
///
///     fn new(artifacts: &Artifacts) -> Result<Self> {
///         let greeting = std::fs::read_to_string(artifacts.path("greeting")?);
///         Ok(Self(greeting.map_err(Error::predict)?))
///     }
/// }
///
/// impl Predict for Greeter {
///     type Input = String;
///     type Output = String;
///     fn predict(&self, name: String) -> Result<String> {
///         Ok(format!("{}, {name}!", self.0))
///     }
/// }
///
/// larder_core::link!(Item::class::<Greeter>());
///
/// # let here = tempfile::tempdir()?;
/// # let greeting = here.path().join("greeting.txt");
/// std::fs::write(&greeting, "Hello")?;
///
/// let larder = Registry::linked()?.open("memory:")?;
/// let mut run = larder.run("greeter")?;
/// run.log_artifact("greeting", &greeting)?;
/// run.log_model::<Greeter>(&["greeting"])?;
///
/// let model = larder.load_model("greeter")?;
/// assert_eq!(model.predict_json("\"world\"")?, "\"Hello, world!\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ClassModel: Predict + Sized + 'static {
    /// The class's tag, written by hand and never changed: the type tag of its versions.
    const TAG: &'static str;

    /// The keys of the artifacts that it cannot be built without.
    const ARTIFACTS: &'static [&'static str];

    /// Builds the model from its files.
    ///
    /// # Errors
    /// [`Error::predict`] holds whatever keeps it from being built.
    fn new(artifacts: &Artifacts) -> Result<Self>;
}

/// The files and folders of a class model, on disk, by key.
///
/// They are checked, read-only, and shared with whoever uses the same ones. Without
/// [`Larder::with_cache`] they are gone when the last clone of the larder and of this are.
#[derive(Debug, Clone)]
pub struct Artifacts {
    paths: BTreeMap<String, PathBuf>,
    /// Keeps a cache that is this process's own.
    _cache: Arc<Cache>,
}

impl Artifacts {
    fn materialise<'a>(
        trees: impl Iterator<Item = (&'a String, &'a Tree)>,
        cache: &Arc<Cache>,
    ) -> Result<Self> {
        let folder = cache.folder()?;
        let place = |(key, tree): (&String, &Tree)| Ok((key.clone(), tree.materialise(folder)?));
        Ok(Self { paths: trees.map(place).collect::<Result<_>>()?, _cache: Arc::clone(cache) })
    }

    /// The path of the file or folder under `key`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn path(&self, key: &str) -> Result<&Path> {
        self.paths.get(key).map(PathBuf::as_path).ok_or_else(|| Error::NotFound {
            reference: format!("the artifact `{key}`"),
            similar: self.paths.keys().cloned().collect(),
        })
    }

    /// The keys and paths, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.paths.iter().map(|(key, path)| (key.as_str(), path.as_path()))
    }
}

impl Larder {
    /// Loads the class model that `reference` names, as its own type: builds it from its files.
    ///
    /// # Errors
    /// As [`Larder::load`]; whatever [`ClassModel::new`] says.
    pub fn load_class<M: ClassModel>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<M> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let fields: ClassFields = self.load_as(&reference, M::TAG, type_name::<M>())?;
        M::new(&Artifacts::materialise(fields.artifacts.iter(), self.cache())?)
    }
}

/// The fields of a class model's manifest.
#[derive(Serialize, Deserialize)]
pub(crate) struct ClassFields {
    artifacts: BTreeMap<String, Tree>,
    requirements: Vec<String>,
}

type Build = fn(&Artifacts) -> Result<Box<dyn Model>>;

/// A class model as a component: the model itself is built when it is used first.
pub(crate) struct ClassComponent {
    tag: &'static str,
    build: Build,
    signature: fn() -> Signature,
    fields: ClassFields,
    cache: Arc<Cache>,
    model: OnceLock<Box<dyn Model>>,
    /// Held while the model is built, so that it happens once.
    building: Mutex<()>,
}

impl ClassComponent {
    fn of<M: ClassModel>(fields: ClassFields) -> Self {
        Self {
            tag: M::TAG,
            build: |artifacts| Ok(Box::new(M::new(artifacts)?)),
            signature: Signature::of::<M>,
            fields,
            cache: Arc::default(),
            model: OnceLock::new(),
            building: Mutex::new(()),
        }
    }

    /// Gives a component the larder's cache, if it is a class model.
    pub(crate) fn give_cache(component: &mut dyn Component, cache: &Arc<Cache>) {
        let component: &mut dyn Any = component;
        if let Some(class) = component.downcast_mut::<Self>() {
            class.cache = Arc::clone(cache);
        }
    }

    fn model(&self) -> Result<&dyn Model> {
        if self.model.get().is_none() {
            // A class that panicked while it was built is built anew.
            let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
            if self.model.get().is_none() {
                let trees = self.fields.artifacts.iter();
                let model = (self.build)(&Artifacts::materialise(trees, &self.cache)?)?;
                // The lock is held, so nobody else sets it meanwhile.
                let _ = self.model.set(model);
            }
        }
        let model = self.model.get().ok_or_else(|| Error::predict("the model was not built"))?;
        Ok(&**model)
    }
}

impl TypeEntry {
    /// The entry of a class model.
    pub fn of_class<M: ClassModel>() -> Self {
        Self {
            tag: M::TAG,
            rust_type: type_name::<M>(),
            version: 1,
            aliases: &[],
            migrate: |wrote, _| Err(no_migration(wrote, 1)),
            read: |deserializer| {
                let fields = erased_serde::deserialize(deserializer)?;
                Ok(Box::new(ClassComponent::of::<M>(fields)))
            },
            signature: Some(Signature::of::<M>),
            own_signature: false,
            hooks: false,
            source: None,
            class: true,
            built: Built::UNKNOWN,
        }
    }
}

impl Serialize for ClassComponent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

// By hand, because one Rust type serves the tags of all classes.
impl Component for ClassComponent {
    fn typetag_name(&self) -> &'static str {
        self.tag
    }

    fn typetag_deserialize(&self) {}

    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }
}

impl Model for ClassComponent {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.model()?.predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.model()?.predict_batch_erased(input, output)
    }

    fn signature(&self) -> Signature {
        (self.signature)()
    }
}
