use larder::objectmodel;

struct Plain;

#[objectmodel]
fn gives(x: f64) -> Plain {
    drop(x);
    Plain
}

fn main() {}
