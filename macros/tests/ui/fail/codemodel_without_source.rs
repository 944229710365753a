use larder::codemodel;
use larder::prelude::*;

#[derive(Serialize, Deserialize)]
struct Scaler {
    factor: f64,
}

#[codemodel(tag = "ui/no-source")]
impl Scaler {
    fn call(&self, x: f64) -> f64 {
        self.factor * x
    }
}

fn main() {}
