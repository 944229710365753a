//! Files as the models that they are said to be.

use std::fs;
use std::path::Path;

use larder_core::extend::Records;
use larder_core::store::ItemKind;
use larder_core::{Applied, Component, Error, Identifier, Larder, Reference, Result, Selector};
use larder_files::{Tree, WrongContent};

use crate::ModelKind;

/// The type tag of plain files and folders.
const FILES: &str = "larder/files";

/// Stores files as the models that they are said to be.
///
/// ```
/// use larder_core::Registry;
/// use larder_models::LarderModels;
///
/// # let here = tempfile::tempdir()?;
/// # let here = here.path();
/// std::fs::write(here.join("limits.csv"), "0.5,0.7")?;
/// std::fs::write(here.join("digits.onnx"), "404: Not Found")?;
///
/// let larder = Registry::linked()?.open("memory:")?;
/// larder.put("wine/limits", here.join("limits.csv"))?;
/// assert!(larder.put("digits", here.join("digits.onnx")).is_err()); // names itself a model, and is none
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait LarderModels {
    /// Stores the file or folder at `path` as a new version of `name`: a model if its content is one, else a
    /// [`Tree`].
    ///
    /// # Errors
    /// As [`read_model`], [`check_successor`] and [`Larder::apply`].
    fn put(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        path: impl AsRef<Path>,
    ) -> Result<Applied>;
}

impl LarderModels for Larder {
    fn put(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        path: impl AsRef<Path>,
    ) -> Result<Applied> {
        let (name, path) = (name.try_into().map_err(Into::into)?, path.as_ref());
        let component = read_model(path, None)?;
        check_successor(self, &name, path, &*component)?;
        self.apply(name, &*component)
    }
}

/// Reads a file as a model of `kind`; by default of the kind that its content is, or else as a [`Tree`].
///
/// # Errors
/// [`Error::Refused`] if the content is not a model of `kind`; without `kind`, if the content contradicts the extension, or
/// is a pointer of Git LFS. [`Error::NotLinked`] without the feature of the kind; [`Error::Store`].
pub fn read_model(path: impl AsRef<Path>, kind: Option<ModelKind>) -> Result<Box<dyn Component>> {
    let path = path.as_ref();
    if let Some(kind) = kind {
        return kind.open(path);
    }
    // Links are not followed; `Tree::read` refuses them.
    let is_file = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    let action = || format!("put {}", path.display());
    if is_file {
        let found = ModelKind::of_file(path);
        let found =
            found.map_err(|error| Error::store(format!("read {}", path.display()), error))?;
        match (ModelKind::of_name(path), found) {
            (None, ModelKind::File) => {}
            (None, found) => return found.open(path),
            // The content decides; opening it says what is wrong.
            (Some(named), ModelKind::File) => return named.open(path),
            (Some(named), found) if named == found => return found.open(path),
            (Some(named), found) => {
                let reason = format!("it is named like {named}, but is {found}; rename it");
                return Err(Error::Refused { action: action(), reason });
            }
        }
    }
    let tree = Tree::read(path)?;
    tree.check_pointers(action)?;
    Ok(Box::new(tree))
}

/// Refuses a plain file or folder where the newest version of `name` is something else, such as a model.
///
/// # Errors
/// [`Error::Refused`] with what the file looks like; as [`Larder::show`].
pub fn check_successor(
    larder: &Larder,
    name: &Identifier,
    path: impl AsRef<Path>,
    component: &dyn Component,
) -> Result<()> {
    let path = path.as_ref();
    let Some(newest) = larder.head(name)?.and_then(|head| head.latest) else { return Ok(()) };
    let type_tag = newest.type_tag.as_str();
    if component.type_tag() != FILES || type_tag == FILES {
        return Ok(());
    }
    let newest = Reference::new(name.clone(), Selector::Version(newest.version));
    let (is, why) = match ModelKind::of_type(type_tag) {
        Some(kind) => (kind.to_string(), why_not(kind, path)),
        None => (format!("of the type `{type_tag}`"), look(path)),
    };
    let what = if path.is_dir() { "folder" } else { "file" };
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    Err(Error::Refused {
        action: format!("put {} as a new version of {name}", path.display()),
        reason: format!(
            "{newest} is {is}, and this is a plain {what}{why}; put it under another name, or get the right {what}"
        ),
    })
}

/// Returns why a file is not a model of `kind`.
fn why_not(kind: ModelKind, path: &Path) -> Option<String> {
    match kind.open(path) {
        Err(Error::Refused { reason, .. }) => Some(reason),
        _ => look(path),
    }
}

fn look(path: &Path) -> Option<String> {
    Some(WrongContent::of_file(path).ok()??.to_string())
}

impl ModelKind {
    /// Returns the kind that the extension of a file says, in any case.
    ///
    /// ```
    /// use larder_models::ModelKind;
    ///
    /// assert_eq!(ModelKind::of_name("digits.ONNX"), Some(ModelKind::Onnx));
    /// assert_eq!(ModelKind::of_name("digits.csv"), None);
    /// ```
    pub fn of_name(path: impl AsRef<Path>) -> Option<Self> {
        let extension = path.as_ref().extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "onnx" => Some(Self::Onnx),
            "wasm" => Some(Self::Wasm),
            "rhai" => Some(Self::Script),
            _ => None,
        }
    }

    /// Returns the kind of models of a type.
    fn of_type(type_tag: &str) -> Option<Self> {
        let kinds = [Self::Onnx, Self::Wasm, Self::Script];
        kinds.into_iter().find(|kind| kind.type_tag() == type_tag)
    }

    /// Returns the type tag of versions of this kind.
    pub fn type_tag(self) -> &'static str {
        match self {
            Self::Onnx => "larder/onnx",
            Self::Wasm => "larder/wasm",
            Self::Script => "larder/script",
            Self::File => FILES,
        }
    }

    fn open(self, path: &Path) -> Result<Box<dyn Component>> {
        match self {
            #[cfg(feature = "onnx")]
            Self::Onnx => crate::OnnxModel::open(path).map(boxed),
            #[cfg(feature = "wasm")]
            Self::Wasm => crate::WasmModel::open(path).map(boxed),
            #[cfg(feature = "script")]
            Self::Script => crate::Script::open(path).map(boxed),
            Self::File => Tree::read(path).map(boxed),
            #[allow(unreachable_patterns, reason = "the kinds without their feature")]
            _ => self.without_feature(path),
        }
    }

    /// Refuses content that is wrong in any case, or else asks for the feature.
    #[allow(dead_code, reason = "unused with all features")]
    fn without_feature(self, path: &Path) -> Result<Box<dyn Component>> {
        if let Some(reason) = look(path) {
            let action = format!("read {} as {self}", path.display());
            return Err(Error::Refused { action, reason });
        }
        Err(Error::NotLinked {
            kind: ItemKind::Type,
            name: self.type_tag().into(),
            needed_by: path.display().to_string(),
            hint: "enable its feature".into(),
            has_source: false,
            known: Vec::new(),
        })
    }
}

fn boxed<C: Component>(component: C) -> Box<dyn Component> {
    Box::new(component)
}
