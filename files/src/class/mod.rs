//! Class models: models that are built from files when they are loaded.

mod run;

use larder_core::extend::LarderExt;
use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use larder_core::extend::{CacheFolder, Records, TypeEntry};
use larder_core::store::Absence;
use larder_core::{Component, Error, Item, Larder, Model, Predict, Reference, Result, Signature};
use serde::{Deserialize, Serialize, Serializer};

pub use run::Run;

use crate::tree::Tree;

/// A model that is built from files.
///
/// A version holds the tag of the class and the files and folders that it is built from. Register a class by
/// [`link!`](larder_core::link) with [`class`], and log models with a [`Run`].
///
/// ```
/// use larder_core::{Error, Predict, Registry, Result};
/// use larder_files::{Artifacts, ClassModel, LarderFiles};
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
/// larder_core::link!(larder_files::class::<Greeter>());
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
    /// The type tag of its versions. It must never change.
    const TAG: &'static str;

    /// The keys of the required artifacts.
    const ARTIFACTS: &'static [&'static str];

    /// Builds the model from its files.
    ///
    /// # Errors
    /// [`Error::predict`] with the cause.
    fn new(artifacts: &Artifacts) -> Result<Self>;
}

/// The files and folders of a class model, on disk, by key.
///
/// They are verified, read-only and shared between models. Without [`Larder::with_cache`] they are deleted when the last
/// clone of the larder and of this value is dropped.
#[derive(Debug, Clone)]
pub struct Artifacts {
    paths: BTreeMap<String, PathBuf>,
    /// Keeps a temporary cache alive.
    _cache: CacheFolder,
}

impl Artifacts {
    fn materialise<'a>(
        trees: impl Iterator<Item = (&'a String, &'a Tree)>,
        cache: &CacheFolder,
    ) -> Result<Self> {
        let folder = cache.path()?;
        let path = |(key, tree): (&String, &Tree)| Ok((key.clone(), tree.materialise(folder)?));
        Ok(Self { paths: trees.map(path).collect::<Result<_>>()?, _cache: cache.clone() })
    }

    /// Returns the path of the artifact `key`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn path(&self, key: &str) -> Result<&Path> {
        self.paths.get(key).map(PathBuf::as_path).ok_or_else(|| Error::NotFound {
            reference: format!("the artifact `{key}`"),
            absence: Absence::Unknown,
            similar: self.paths.keys().cloned().collect(),
        })
    }

    /// Returns the keys and paths, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.paths.iter().map(|(key, path)| (key.as_str(), path.as_path()))
    }
}

/// Loads a class model as its own type.
pub(crate) fn load<M: ClassModel>(larder: &Larder, reference: &Reference) -> Result<M> {
    let fields: ClassFields = larder.load_fields(reference, M::TAG, type_name::<M>())?;
    M::new(&Artifacts::materialise(fields.artifacts.iter(), larder.cache())?)
}

/// Returns the registry item of the class `M`: `link!(class::<M>())`.
pub fn class<M: ClassModel>() -> Item {
    Item::entry(
        TypeEntry::new(M::TAG, type_name::<M>(), |deserializer| {
            let fields = erased_serde::deserialize(deserializer)?;
            Ok(Box::new(ClassComponent::of::<M>(fields)))
        })
        .with_signature(Signature::of::<M>)
        .with_toolchain(),
    )
}

/// The fields of a class model's manifest.
#[derive(Serialize, Deserialize)]
pub(crate) struct ClassFields {
    artifacts: BTreeMap<String, Tree>,
    requirements: Vec<String>,
}

type Build = fn(&Artifacts) -> Result<Box<dyn Model>>;

/// A class model as a component; the model is built on first use.
pub(crate) struct ClassComponent {
    tag: &'static str,
    build: Build,
    signature: fn() -> Signature,
    fields: ClassFields,
    cache: CacheFolder,
    model: OnceLock<Box<dyn Model>>,
    /// Held during the build, so that the model is built once.
    building: Mutex<()>,
}

impl ClassComponent {
    fn of<M: ClassModel>(fields: ClassFields) -> Self {
        Self {
            tag: M::TAG,
            build: |artifacts| Ok(Box::new(M::new(artifacts)?)),
            signature: Signature::of::<M>,
            fields,
            cache: CacheFolder::default(),
            model: OnceLock::new(),
            building: Mutex::new(()),
        }
    }

    fn model(&self) -> Result<&dyn Model> {
        if self.model.get().is_none() {
            // After a panic during the build, the next call builds again.
            let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
            if self.model.get().is_none() {
                let trees = self.fields.artifacts.iter();
                let model = (self.build)(&Artifacts::materialise(trees, &self.cache)?)?;
                // Cannot fail: the lock is held.
                let _ = self.model.set(model);
            }
        }
        let model = self.model.get().ok_or_else(|| Error::predict("the model was not built"))?;
        Ok(&**model)
    }
}

impl Serialize for ClassComponent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

// Implemented by hand, because one Rust type has the tags of all classes.
impl Component for ClassComponent {
    fn typetag_name(&self) -> &'static str {
        self.tag
    }

    fn typetag_deserialize(&self) {}

    fn as_model(&self) -> Option<&dyn Model> {
        Some(self)
    }

    fn set_cache(&mut self, cache: &CacheFolder) {
        self.cache = cache.clone();
    }
}

#[deny(clippy::missing_trait_methods)]
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

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        self.model()?.predict_json_erased(input)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        self.model()?.predict_batch_json_erased(input)
    }

    fn predict_any(&self, input: &mut dyn Any, output: &mut dyn Any) -> Result<()> {
        self.model()?.predict_any(input, output)
    }

    fn predict_batch_any(&self, inputs: &mut dyn Any, outputs: &mut dyn Any) -> Result<bool> {
        self.model()?.predict_batch_any(inputs, outputs)
    }

    fn warm_up(&self) -> Result<()> {
        self.model()?.warm_up()
    }

    fn signature(&self) -> Signature {
        (self.signature)()
    }
}
