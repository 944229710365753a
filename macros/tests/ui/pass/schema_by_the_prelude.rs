// The derive macro of schemars, without an attribute and without the dependency.
mod shapes {
    use larder::prelude::*;

    /// A bottle.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct Bottle<T> {
        pub year_made: u16,
        #[serde(default)]
        pub notes: Vec<T>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub enum Taste {
        Dry,
        Sweet { sugar: f64 },
    }
}

use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/taster", model)]
struct Taster;

impl Predict for Taster {
    type Input = shapes::Bottle<String>;
    type Output = shapes::Taste;

    fn predict(&self, bottle: Self::Input) -> larder::Result<shapes::Taste> {
        Ok(match bottle.notes.len() {
            0 => shapes::Taste::Dry,
            sugar => shapes::Taste::Sweet { sugar: sugar as f64 },
        })
    }
}

fn main() {
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Local(u8);
    let model: &dyn Model = &Taster;
    let signature = model.signature();
    let title = signature.input.get("description").and_then(|text| text.as_str());
    assert_eq!(title, Some("A bottle."));
    assert_eq!(model.predict_json(r#"{"yearMade": 1999}"#).unwrap(), "\"Dry\"");
}
