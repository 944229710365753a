//! A larder with something for every screen of the web page, and text that must stay text.

use std::path::Path;

use larder::models::OnnxModel;
use larder::models::onnx::OpenOptions;
use larder::prelude::*;
use larder::serializers::{SafeTensors, Tensors};
use larder::serving::{DeployOptions, LarderDeployments};
use larder::versions::{AnnotationsChange, TagOptions};
use larder::{BoxError, Error, Result, triggers};

/// Text that would be a script if it were not escaped.
pub const HOSTILE: &str =
    "</code></pre><script>alert('larder')</script><img src=x onerror=\"alert(1)\">\u{202e}&amp;";

/// The kind of a house.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A flat.
    Flat,
    /// A house of its own.
    House,
}

/// The input of [`Price`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct House {
    /// In square metres.
    pub area: f64,
    /// The number of rooms.
    pub rooms: u32,
    /// Whether it has a garden.
    pub garden: Option<bool>,
    /// The street.
    pub street: String,
    /// The kind.
    pub kind: Kind,
}

/// The output of [`Price`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Quote {
    /// In thousands.
    pub price: f64,
    /// What the input said.
    pub street: String,
}

/// A model of prices.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/price", model)]
pub struct Price {
    /// For a square metre.
    pub per_area: f64,
    /// For a room.
    pub per_room: f64,
    /// Text of whoever made it.
    pub comment: String,
    /// Weights, which nobody uses.
    pub weights: Artifact<Tensors, SafeTensors>,
}

impl Price {
    /// A model whose parts follow from a number.
    pub fn of(round: u32, comment: &str) -> Self {
        let mut weights = Tensors::new();
        weights.insert("bias", vec![round as f32; 3]);
        weights.insert("layer.weight", vec![0.25_f32; 12]);
        weights.insert(HOSTILE, vec![1.0_f32]);
        Self {
            per_area: 2.0 + f64::from(round) / 8.0,
            per_room: 0.5,
            comment: comment.to_owned(),
            weights: Artifact::new(weights),
        }
    }
}

impl Predict for Price {
    type Input = House;
    type Output = Quote;

    fn predict(&self, house: House) -> Result<Quote> {
        let price = self.per_area * house.area + self.per_room * f64::from(house.rooms);
        Ok(Quote { price, street: house.street })
    }
}

/// A component that is made of models, with a job.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/street")]
pub struct Street {
    /// The models.
    pub models: Vec<Ref<Price>>,
}

#[triggers]
impl Street {
    /// Publishes a model.
    #[trigger(apply, outputs)]
    fn train(&self, job: &JobContext) -> Result<String, BoxError> {
        job.progress(0.5, HOSTILE);
        job.log(HOSTILE);
        job.publish(&Self { models: Vec::new() })?;
        Ok(HOSTILE.to_owned())
    }

    /// Fails.
    #[trigger(event("fail"))]
    fn fail(&self, _: &JobContext) -> Result<(), BoxError> {
        Err(HOSTILE.into())
    }
}

/// The names that [`fill`] makes.
pub const NAMES: [&str; 4] = ["house/digits", "house/price", "house/script", "house/street"];

/// Fills an empty larder.
///
/// # Errors
/// Those of a larder.
pub fn fill(larder: &Larder) -> Result<()> {
    let larder = &larder.clone().with_author("ann");
    for round in 1..=4_u32 {
        larder.apply("house/price", &Price::of(round, "bought at the market"))?;
        let change = AnnotationsChange::new()
            .metric("accuracy", f64::from(820 + 20 * (round * round % 7)) / 1e3)
            .metric("loss", 1.5 / f64::from(round))
            .label("team", if round % 2 == 0 { "wine" } else { "cellar" });
        larder.annotate(format!("house/price@{round}").as_str(), &change)?;
    }
    larder.apply("house/price", &Price::of(5, HOSTILE))?;
    let hostile = AnnotationsChange::new().description(HOSTILE).label("note", HOSTILE);
    larder.annotate("house/price@5", &hostile)?;
    for (version, tag) in [(1, "prod"), (3, "prod"), (4, "dev")] {
        larder.tag(format!("house/price@{version}").as_str(), tag)?;
    }
    let protected = TagOptions::new().protected(true);
    larder.tags().set("house/price@2", "stable", &protected)?;

    let models = ["house/price@3", "house/price@4"].map(|it| it.parse::<larder::Reference>());
    let models = models.into_iter().map(|it| Ref::to(it?)).collect::<Result<Vec<_>>>()?;
    let street = larder.apply("house/street", &Street { models })?;
    larder.jobs().wait(&street)?;
    let failed = larder.jobs().fire("house/street@1", "fail", HOSTILE)?;
    if larder.jobs().wait(&failed).is_ok() {
        return Err(Error::internal("a job that fails succeeded"));
    }

    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    // The logarithm of one is nothing.
    let options = OpenOptions::new().example("[1.0, 1.0]", "[0.0, 0.0]");
    larder.apply("house/digits", &OnnxModel::open_with(fixtures.join("log.onnx"), &options)?)?;

    let folder = tempfile::tempdir().map_err(|error| Error::store("make a folder", error))?;
    let page = folder.path().join("page.html");
    std::fs::write(&page, format!("<!doctype html>{HOSTILE}"))
        .map_err(|error| Error::store("write a file", error))?;
    larder.apply("house/script", &Tree::read(&page)?)?;

    larder.deploy("house/price:prod", &DeployOptions::new().name("price".parse()?))?;
    Ok(())
}

/// Makes many names.
///
/// # Errors
/// Those of a larder.
pub fn many(larder: &Larder, count: usize) -> Result<()> {
    for number in 0..count {
        let name = format!("many/n{number:07}");
        larder.apply(name.as_str(), &crate::Doubler { factor: 1.0 })?;
    }
    Ok(())
}
