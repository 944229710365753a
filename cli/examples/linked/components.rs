//! Components of a user's crate.

use larder::bytes::Bytes;
use larder::jobs::JobContext;
use larder::prelude::*;
use larder::{BoxError, Error, Item, Serializer, triggers};

/// Tells the price of a bottle.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/price", model)]
pub(crate) struct Price {
    /// In which the price is.
    pub(crate) currency: String,
    /// The price of any bottle, of a year of age, of a point.
    pub(crate) weights: Artifact<Vec<f64>, LittleEndian>,
}

/// The input of a price model.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "larder::schemars")]
pub(crate) struct Bottle {
    /// Years since it was filled.
    pub(crate) age: u32,
    /// Up to 100.
    pub(crate) points: f64,
}

/// The price.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "larder::schemars")]
pub(crate) struct Quote {
    pub(crate) currency: String,
    pub(crate) price: f64,
}

impl Predict for Price {
    type Input = Bottle;
    type Output = Quote;

    fn predict(&self, bottle: Bottle) -> larder::Result<Quote> {
        if !(0.0..=100.0).contains(&bottle.points) {
            return Err(Error::predict(format!("{} points are not 0 to 100", bottle.points)));
        }
        let [base, year, point] = self.weights.get()?[..] else {
            return Err(Error::predict("there are not three weights"));
        };
        let price = base + year * f64::from(bottle.age) + point * bottle.points;
        Ok(Quote { currency: self.currency.clone(), price })
    }
}

/// The label of a bottle.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/label")]
pub(crate) struct Label {
    pub(crate) title: String,
    pub(crate) years: Vec<u16>,
}

/// Prints a label on request.
#[triggers]
impl Label {
    #[trigger(event("print"), outputs)]
    fn print(&self, job: &JobContext) -> Result<u32, BoxError> {
        let labels = job.payload::<Option<u32>>()?.unwrap_or(1);
        job.progress(0.5, "the ink dries");
        job.log(format!("{labels} of {}", self.title));
        if labels == 0 { Err("there is nothing to print".into()) } else { Ok(labels) }
    }

    #[trigger(event("print"), depends_on = "print", requires = "years")]
    fn stick(&self, _: &JobContext) -> Result<(), BoxError> {
        Ok(())
    }
}

/// A cellar; the first version of the type counted in dozens.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/cellar", version = 2, migrate_from(1 = "Rack::migrate"), alias = "example/rack")]
pub(crate) struct Cellar {
    pub(crate) bottles: u32,
}

/// Empties the cellar before it is removed.
#[triggers]
impl Cellar {
    #[trigger(remove)]
    fn empty(&self, job: &JobContext) -> Result<(), BoxError> {
        job.log(format!("{} bottles are brought away", self.bottles));
        if self.bottles == 13 { Err("nobody wants to touch them".into()) } else { Ok(()) }
    }
}

#[derive(Deserialize)]
struct Rack {
    dozens: u32,
}

impl Rack {
    fn migrate(self) -> Cellar {
        Cellar { bottles: 12 * self.dozens }
    }
}

/// A thermometer; its hooks fail on request.
#[derive(Clone, Serialize, Deserialize, Component)]
#[component(tag = "example/thermometer", hooks)]
pub(crate) struct Thermometer {
    pub(crate) place: String,
}

impl Hooks for Thermometer {
    fn on_create(&self, _: &HookContext) -> HookResult {
        match self.place.as_str() {
            "the moon" => Err("there is no air".into()),
            _ => Ok(()),
        }
    }

    fn cleanup(&self, _: &HookContext) -> HookResult {
        match self.place.as_str() {
            "the well" => Err("it is too deep".into()),
            _ => Ok(()),
        }
    }
}

/// Half of a number.
#[larder::codemodel(tag = "example/half")]
pub(crate) fn half(x: f64) -> f64 {
    x / 2.0 // exact, but for the smallest
}

/// Numbers as little-endian bytes.
pub(crate) struct LittleEndian;

impl Serializer<Vec<f64>> for LittleEndian {
    const NAME: &'static str = "f64-le";

    fn encode(value: &Vec<f64>, out: &mut dyn std::io::Write) -> Result<(), BoxError> {
        Ok(value.iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))?)
    }

    fn decode(bytes: &Bytes) -> Result<Vec<f64>, BoxError> {
        let (numbers, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err("the bytes are not a multiple of 8".into());
        }
        Ok(numbers.iter().map(|number| f64::from_le_bytes(*number)).collect())
    }
}

larder::link!(Item::serializer::<Vec<f64>, LittleEndian>());

/// A class model that looks up the year of a bottle in a list.
pub(crate) struct Years(String);

impl ClassModel for Years {
    const TAG: &'static str = "example/years";
    const ARTIFACTS: &'static [&'static str] = &["list"];

    fn new(artifacts: &Artifacts) -> larder::Result<Self> {
        let list = std::fs::read_to_string(artifacts.path("list")?);
        Ok(Self(list.map_err(Error::predict)?))
    }
}

impl Predict for Years {
    type Input = String;
    type Output = u16;

    fn predict(&self, name: String) -> larder::Result<u16> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(','));
        let found = lines.find(|(known, _)| *known == name);
        let (_, year) = found.ok_or_else(|| Error::predict(format!("{name} is not listed")))?;
        year.parse().map_err(Error::predict)
    }
}

larder::link!(larder::files::class::<Years>());
