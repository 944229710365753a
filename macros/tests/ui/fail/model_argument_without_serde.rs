use larder::objectmodel;

struct Plain;

#[objectmodel]
fn takes(x: f64, plain: Plain) -> f64 {
    drop(plain);
    x
}

fn main() {}
