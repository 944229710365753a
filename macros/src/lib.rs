//! Macros of [Larder](https://docs.rs/larder), re-exported by the crate `larder`.

mod built;
mod component;
mod evolution;
mod model;
mod triggers;

use proc_macro::TokenStream;
use syn::{DeriveInput, Path, parse_macro_input};

use crate::model::Kind;

/// Implements `Component` for a struct or enum.
///
/// The type must implement `Serialize` and `Deserialize`.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `tag = "acme/wine"` | type tag; required, never changes |
/// | `instances(Grid<f32> = "acme/grid-f32", …)` | in place of `tag`, for a generic type: a type tag for each instance that is a component |
/// | `model` | the type implements `Predict` and loads as a model |
/// | `hooks` | the type implements `Hooks`: `post_init`, `setup`, `on_create`, `cleanup` |
/// | `version = 2` | schema version of the type, default 1; increase it on an incompatible change |
/// | `migrate_from(1 = "path::to::function")` | migrates from an older version: `fn(Old) -> New` or `fn(Old) -> Result<New, E>` |
/// | `alias = "acme/old-name"` | former tag of the type; may be repeated |
/// | `crate = path` | path of the crate `larder`, default `::larder` |
///
/// A new field with `#[serde(default)]` needs no new version. For other changes, keep the old shape as a separate
/// struct that implements `Deserialize`:
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
/// let oven: Oven = larder.load("oven")?; // written as version 1 of `acme/stove`
/// assert_eq!(oven.celsius, 100.0);
/// assert!(larder.maintenance().migrate("oven")?.is_created()); // optional: stores it as version 2
/// # Ok(())
/// # }
/// ```
///
/// Migrations and aliases do not apply to a `Box<dyn Component>` inside another value.
#[proc_macro_derive(Component, attributes(component))]
pub fn derive_component(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    component::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Turns a function or a method into a model.
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
/// assert_eq!(my_model(1.0, 2.0), 3.0); // still a plain function
///
/// let larder = larder::open("memory:")?;
/// larder.apply("sum", &my_model::model())?; // the component
/// let model = larder.load_model("sum")?;
/// assert_eq!(model.predict_json(r#"{"x": 1.0, "y": 2.0}"#)?, "3.0");
/// assert_eq!(model.predict_batch_json(r#"[{"x": 1, "y": 2}, {"x": 3, "y": 4}]"#)?, "[3.0,7.0]");
/// # Ok(())
/// # }
/// ```
///
/// On a function, the macro defines a model type of the same name; `my_model::model()` returns its value. The input is
/// a struct with a field per argument: a JSON object, or `(1.0, 2.0).into()` in Rust. Missing, unknown and mistyped
/// arguments are errors before the function is called. Argument types implement `Deserialize` and `JsonSchema`;
/// arguments accept `#[serde(…)]`, `#[schemars(…)]` and doc comments, which appear in the signature.
///
/// On an `impl` block, the macro makes the type a component and a model, by its method `call` or the given one. The type
/// implements `Serialize` and `Deserialize`, without `derive(Component)`. Its state is stored.
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
/// The return type is `T` or `Result<T, E>`, where `E: Into<Box<dyn Error + Send + Sync>>`.
///
/// | option | meaning |
/// | --- | --- |
/// | `tag = "acme/name"` | type tag. Default for a function: `package/function`, which changes when either is renamed; write a tag for models that are kept |
/// | `num_workers = 4` | number of threads that predict a batch, default 1 |
/// | `method = "transform"` | method of the `impl` block that predicts, default `call` |
/// | `hooks` | the type of the `impl` block implements `Hooks` |
/// | `crate = path` | path of the crate `larder`, default `::larder` |
#[proc_macro_attribute]
pub fn objectmodel(options: TokenStream, item: TokenStream) -> TokenStream {
    model::expand(Kind::Object, options.into(), item.into()).into()
}

/// Turns a function or a method into a model like [`macro@objectmodel`], and stores its source text.
///
/// The text is stored in the component's field `source` and can be read without the function linked in. It is
/// documentation only: predictions run the linked function, which may differ.
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
/// On an `impl` block, the type needs a field `source`, set from `Scaler::source()`:
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

/// Runs methods of a component as jobs on events.
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
/// let jobs = larder.jobs().wait(&applied)?; // runs the jobs in this process
/// assert_eq!(larder.jobs().log(&jobs[1].id)?[0].text, "hello, Ann, Dr");
/// # Ok(())
/// # }
/// ```
///
/// The type has `#[derive(Component)]`. Each event of a method with `#[trigger(…)]` creates a job, which `wait` or a `Worker`
/// runs in a program that links the type.
///
/// | in `#[trigger(…)]` | meaning |
/// | --- | --- |
/// | `apply` | runs after a version is applied |
/// | `remove` | runs after a version is removed |
/// | `cron("0 3 * * *")` | runs on a schedule, in UTC, for the newest version: see `Schedule` |
/// | `event("retrain")` | runs when `Larder::fire` fires the event |
/// | `depends_on = "greet"`, `= ["a", "b"]` | runs after these triggers of the same event succeed |
/// | `requires = "title"`, `= ["a", "b"]` | skipped unless these fields are `Some` or not empty |
/// | `retries = 3` | number of retries after a failure, default 0 |
/// | `timeout = "30s"` | maximum run time |
/// | `outputs` | stores the return value as JSON; dependents read it with `JobContext::output` |
///
/// A method may have several events. Its signature is `fn name(&self, job: &JobContext) -> Result<T, E>`, where
/// `E: Into<Box<dyn Error + Send + Sync>>`. Jobs run at least once: see `docs/jobs.md`.
///
/// `#[triggers(crate = path)]` sets the path of the crate `larder`, default `::larder`.
#[proc_macro_attribute]
pub fn triggers(options: TokenStream, item: TokenStream) -> TokenStream {
    triggers::expand(options.into(), item.into()).into()
}

/// Returns the build information of the calling crate for `larder::link!`.
#[doc(hidden)]
#[proc_macro]
pub fn __built(larder: TokenStream) -> TokenStream {
    let larder = parse_macro_input!(larder with Path::parse_mod_style);
    built::built(&larder).into()
}
