use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/model", model)]
struct Doubler;

impl Predict for Doubler {
    type Input = f64;
    type Output = f64;

    fn predict(&self, input: f64) -> larder::Result<f64> {
        Ok(2.0 * input)
    }
}

fn main() {
    let component: &dyn Component = &Doubler;
    assert!(component.as_model().is_some());
}
