use larder::objectmodel;

#[objectmodel]
unsafe extern "C" fn variadic(x: f64, _: ...) -> f64 {
    x
}

fn main() {}
