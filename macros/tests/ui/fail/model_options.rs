use larder::objectmodel;

#[objectmodel(num_workers = 0)]
fn nobody(x: f64) -> f64 {
    x
}

#[objectmodel(num_workers = -1)]
fn less(x: f64) -> f64 {
    x
}

#[objectmodel(workers = 4)]
fn unknown(x: f64) -> f64 {
    x
}

#[objectmodel(tag = "ui/twice", tag = "ui/again")]
fn twice(x: f64) -> f64 {
    x
}

#[objectmodel(tag = "Not A Tag")]
fn no_tag(x: f64) -> f64 {
    x
}

#[objectmodel(method = "call")]
fn method(x: f64) -> f64 {
    x
}

#[objectmodel]
#[allow(non_snake_case)]
fn Upper(x: f64) -> f64 {
    x
}

fn main() {}
