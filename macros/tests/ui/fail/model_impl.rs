use larder::prelude::*;
use larder::objectmodel;

#[derive(Serialize, Deserialize)]
struct Scaler {
    factor: f64,
}

#[objectmodel]
impl Scaler {
    fn call(&self, x: f64) -> f64 {
        self.factor * x
    }
}

#[objectmodel(tag = "ui/none")]
impl Scaler {
    fn transform(&self, x: f64) -> f64 {
        self.factor * x
    }
}

#[objectmodel(tag = "ui/other", method = "transfrom")]
impl Scaler {
    fn fit(&self) {}
    fn other(&self) {}
}

#[objectmodel(tag = "ui/borrow", method = "named")]
impl Scaler {
    fn named(&self, x: f64) -> &f64 {
        drop(x);
        &self.factor
    }
}

#[objectmodel(tag = "ui/mut", method = "change")]
impl Scaler {
    fn change(&mut self, x: f64) -> f64 {
        self.factor = x;
        x
    }
}

#[objectmodel(tag = "ui/static", method = "stateless")]
impl Scaler {
    fn stateless(x: f64) -> f64 {
        x
    }
}

#[objectmodel(tag = "ui/self", method = "with")]
impl Scaler {
    fn with(&self, other: Self) -> f64 {
        self.factor * other.factor
    }
}

#[objectmodel(tag = "ui/trait")]
impl Clone for Scaler {
    fn clone(&self) -> Self {
        Self { factor: self.factor }
    }
}

#[derive(Serialize, Deserialize)]
struct Of<T> {
    it: T,
}

#[objectmodel(tag = "ui/of")]
impl<T> Of<T> {
    fn call(&self, x: f64) -> f64 {
        x
    }
}

#[objectmodel(tag = "ui/of-one", method = "other")]
impl Of<f64> {
    fn other(&self, x: f64) -> f64 {
        x
    }
}

fn main() {}
