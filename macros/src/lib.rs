//! The macros of [Larder](https://docs.rs/larder). Use them through the crate `larder`.

mod built;
mod component;
mod evolution;
mod model;
mod triggers;

use proc_macro::TokenStream;
use syn::{DeriveInput, Path, parse_macro_input};

use crate::model::Kind;

/// Makes a plain struct or enum a `Component`.
///
/// The type implements `Serialize` and `Deserialize` as well.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[component(tag = "acme/wine")]` | the type's tag: written by hand, never changed; required |
/// | `#[component(tag = "…", model)]` | the type implements `Predict`, so that it loads as a model |
/// | `hooks` | the type implements `Hooks`: `post_init`, `setup`, `on_create`, `cleanup` |
/// | `version = 2` | the version of the type's shape, 1 without it: it goes up when what older ones wrote no longer fits |
/// | `migrate_from(1 = "path::to::function")` | makes today's value of an older version's: `fn(Old) -> New`, or `-> Result<New, E>` |
/// | `alias = "acme/old-name"` | a tag that the type had before; may be given again |
/// | `#[component(tag = "…", crate = path)]` | where the crate `larder` is, if not at `::larder` |
///
/// A field that is added needs no new version where it has `#[serde(default)]`. For other changes keep the old shape as
/// a struct of its own, which only needs `Deserialize`:
///
/// ```standalone_crate
/// use larder::prelude::*;
/// # mod before {
/// #     use larder::prelude::*;
/// #     #[derive(Serialize, Deserialize, Component)]
/// #     #[component(tag = "acme/stove")]
/// #     pub struct Stove { pub fahrenheit: f64 }
/// # }
///
/// #[derive(Serialize, Deserialize, Component)]
/// #[component(tag = "acme/oven", version = 2, migrate_from(1 = "Oven1::migrate"), alias = "acme/stove")]
/// struct Oven {
///     celsius: f64,
/// }
///
/// #[derive(Deserialize)]
/// struct Oven1 {
///     fahrenheit: f64,
/// }
///
/// impl Oven1 {
///     fn migrate(self) -> Oven {
///         Oven { celsius: (self.fahrenheit - 32.0) / 1.8 }
///     }
/// }
///
/// # fn main() -> larder::Result<()> {
/// # let store: std::sync::Arc<dyn larder::store::Store> = std::sync::Arc::new(larder::store::MemoryStore::new());
/// # larder::Larder::new(store.clone(), larder::Registry::new())
/// #     .apply("oven", &before::Stove { fahrenheit: 212.0 })?;
/// # let mut registry = larder::Registry::new();
/// # registry.register(larder::Item::component::<Oven>())?;
/// # let larder = larder::Larder::new(store, registry);
/// let oven: Oven = larder.load("oven")?; // what version 1 wrote, when the type was `acme/stove`
/// assert_eq!(oven.celsius, 100.0);
/// assert!(larder.maintenance().migrate("oven")?.is_created()); // kept as version 2 writes it, if that is wanted
/// # Ok(())
/// # }
/// ```
///
/// A `Box<dyn Component>` inside another value knows neither older versions nor aliases.
#[proc_macro_derive(Component, attributes(component))]
pub fn derive_component(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    component::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a function, or a method of a type with state, a model.
///
/// ```
/// use larder::prelude::*;
/// use larder::objectmodel;
///
/// #[objectmodel(tag = "acme/my-model", num_workers = 4)]
/// fn my_model(x: f64, y: f64) -> f64 {
///     x + y
/// }
///
/// # fn main() -> larder::Result<()> {
/// assert_eq!(my_model(1.0, 2.0), 3.0); // a function as before
///
/// let larder = larder::open("memory:")?;
/// larder.apply("sum", &my_model::model())?; // beside it, a component
/// let model = larder.load_model("sum")?;
/// assert_eq!(model.predict_json(r#"{"x": 1.0, "y": 2.0}"#)?, "3.0");
/// assert_eq!(model.predict_batch_json(r#"[{"x": 1, "y": 2}, {"x": 3, "y": 4}]"#)?, "[3.0,7.0]");
/// # Ok(())
/// # }
/// ```
///
/// On a function it makes a type of the function's name, which is a component and a model:
/// `my_model::model()` is its value. Its input is a struct with the arguments as its fields: a JSON
/// object by their names, and in Rust `(1.0, 2.0).into()`. An argument that is missing, of another type or unknown is
/// refused by its name before the function is called. Arguments are of types that implement
/// `Deserialize` and `JsonSchema`, and take `#[serde(…)]`, `#[schemars(…)]` and doc comments, which the
/// signature shows.
///
/// On an `impl` block it makes the type a component and a model, by its method `call` or the one that
/// is chosen. The type implements `Serialize` and `Deserialize`, and has no `derive(Component)`. Its state is stored with it.
///
/// ```
/// use larder::prelude::*;
/// use larder::objectmodel;
///
/// #[derive(Serialize, Deserialize)]
/// struct Scaler {
///     factor: f64,
/// }
///
/// #[objectmodel(tag = "acme/scaler", method = "transform")]
/// impl Scaler {
///     fn fit(largest: f64) -> Self {
///         Self { factor: 1.0 / largest }
///     }
///
///     fn transform(&self, x: f64) -> Result<f64, String> {
///         if x < 0.0 { Err("it is negative".into()) } else { Ok(self.factor * x) }
///     }
/// }
///
/// # fn main() -> larder::Result<()> {
/// let larder = larder::open("memory:")?;
/// larder.apply("scaler", &Scaler::fit(4.0))?;
/// assert_eq!(larder.load_model("scaler")?.predict_json(r#"{"x": 2.0}"#)?, "0.5");
/// # Ok(())
/// # }
/// ```
///
/// What is written as returning `Result<T, E>` gives a `T`, and fails with any `E` that goes into a
/// `Box<dyn Error + Send + Sync>`: an error, or text.
///
/// | option | meaning |
/// | --- | --- |
/// | `tag = "acme/name"` | the tag of its type. Without it, a function's is the package's name and its own, `package/function`: then renaming either one makes it another type, so name by hand what is to be kept |
/// | `num_workers = 4` | on how many threads a batch is predicted; 1 without it |
/// | `method = "transform"` | which method of the `impl` block predicts; `call` without it |
/// | `hooks` | the type of the `impl` block implements `Hooks` |
/// | `crate = path` | where the crate `larder` is, if not at `::larder` |
#[proc_macro_attribute]
pub fn objectmodel(options: TokenStream, item: TokenStream) -> TokenStream {
    model::expand(Kind::Object, options.into(), item.into()).into()
}

/// Makes a function or a method a model, as [`macro@objectmodel`] does, and keeps its source text.
///
/// The text of the item is stored in the component's field `source`, and can be read where the function is not linked
/// in. It is for people: what runs is the function that is linked in, whose text may differ.
///
/// ```
/// use larder::prelude::*;
/// use larder::codemodel;
///
/// #[codemodel(tag = "acme/sum")]
/// fn sum(x: f64, y: f64) -> f64 {
///     x + y // the plain sum
/// }
///
/// # fn main() -> larder::Result<()> {
/// let larder = larder::open("memory:")?;
/// larder.apply("sum", &sum::model())?;
/// let source = larder.show("sum")?.manifest.source().unwrap_or_else(sum::source);
/// assert!(source.text.contains("the plain sum"));
/// # Ok(())
/// # }
/// ```
///
/// On an `impl` block, the type has a field for the text, which is filled from `Scaler::source()`:
///
/// ```
/// use larder::prelude::*;
/// use larder::codemodel;
/// use larder::versions::Source;
///
/// #[derive(Serialize, Deserialize)]
/// struct Scaler {
///     factor: f64,
///     source: Source,
/// }
///
/// #[codemodel(tag = "acme/scaler-code")]
/// impl Scaler {
///     fn new(factor: f64) -> Self {
///         Self { factor, source: Self::source() }
///     }
///
///     fn call(&self, x: f64) -> f64 {
///         self.factor * x
///     }
/// }
/// # assert!(Scaler::new(2.0).source.text.starts_with("impl Scaler {"));
/// ```
#[proc_macro_attribute]
pub fn codemodel(options: TokenStream, item: TokenStream) -> TokenStream {
    model::expand(Kind::Code, options.into(), item.into()).into()
}

/// Lets methods of a component run when something happens to it.
///
/// ```
/// use larder::prelude::*;
/// use larder::triggers;
/// use larder::jobs::JobContext;
///
/// #[derive(Serialize, Deserialize, Component)]
/// #[component(tag = "acme/greeter")]
/// struct Greeter {
///     name: String,
///     title: Option<String>,
/// }
///
/// #[triggers]
/// impl Greeter {
///     #[trigger(apply, outputs)]
///     fn greet(&self, _: &JobContext) -> larder::Result<String> {
///         Ok(format!("hello, {}", self.name))
///     }
///
///     #[trigger(apply, depends_on = "greet", requires = "title", retries = 3, timeout = "30s")]
///     fn bow(&self, job: &JobContext) -> Result<(), larder::BoxError> {
///         let greeting: String = job.output("greet")?;
///         job.log(format!("{greeting}, {}", self.title.as_deref().unwrap_or_default()));
///         Ok(())
///     }
/// }
///
/// # fn main() -> larder::Result<()> {
/// let larder = larder::open("memory:")?;
/// let applied = larder.apply("ann", &Greeter { name: "Ann".into(), title: Some("Dr".into()) })?;
/// let jobs = larder.jobs().wait(&applied)?; // runs them here, and waits
/// assert_eq!(larder.jobs().log(&jobs[1].id)?[0].text, "hello, Ann, Dr");
/// # Ok(())
/// # }
/// ```
///
/// The type is a component: it has `#[derive(Component)]`. Its methods stay what they are. Those with `#[trigger(…)]` become jobs:
/// records in the larder, which a program that links the type runs, by `wait` or a `Worker`.
///
/// | in `#[trigger(…)]` | meaning |
/// | --- | --- |
/// | `apply` | it runs when a version of the component was applied |
/// | `remove` | when one was removed |
/// | `cron("0 3 * * *")` | by the clock, in UTC, for the newest version: see `Schedule` |
/// | `event("retrain")` | when somebody fires an event of this name: `Larder::fire` |
/// | `depends_on = "greet"`, `= ["a", "b"]` | it runs after these, if they run on the same event, and succeeded |
/// | `requires = "title"`, `= ["a", "b"]` | it is skipped unless these fields are set: `Some`, or not empty |
/// | `retries = 3` | how often it is tried again after a failure; 0 without it |
/// | `timeout = "30s"` | how long it may take |
/// | `outputs` | what it returns is kept as JSON, and `JobContext::output` gives it to those that depend on it |
///
/// A method may have several events. It takes `&self` and a `&JobContext`, and returns a `Result<T, E>`, where `E` goes into a
/// `Box<dyn Error + Send + Sync>`. What a job must bear is in `docs/jobs.md`.
///
/// `#[triggers(crate = path)]` says where the crate `larder` is, if not at `::larder`.
#[proc_macro_attribute]
pub fn triggers(options: TokenStream, item: TokenStream) -> TokenStream {
    triggers::expand(options.into(), item.into()).into()
}

/// How the calling crate is built: what `larder::link!` tells the registry.
#[doc(hidden)]
#[proc_macro]
pub fn __built(larder: TokenStream) -> TokenStream {
    let larder = parse_macro_input!(larder with Path::parse_mod_style);
    built::built(&larder).into()
}
